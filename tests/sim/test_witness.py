"""The witness sees what breaks a rule, and nothing else: packets made by hand, sealed under known keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.initial_keys import initial_protection
from fastmux.protocol.ratchet import next_keys
from network import Network
from sim.model import Wrong
from sim.witness import Witness

CLIENT, SERVER = c.ROLE_CLIENT, c.ROLE_SERVER
SETTINGS = Configuration(
    connection_ids=RandomIds(8), channel_window=2000, connection_window=3000, max_streams=2, budget=3000
)
FIRST_ID = b"first-id"
PHASE = 0x04
PING = (c.FRAME_PING,)
Frames = Sequence[tuple[Any, ...]]


def keys_of(role: int, suite: int) -> PacketKeys:
    size = c.SUITE_KEY_SIZES[suite]
    ends = [(bytes((n,)) * size, bytes((n,)) * c.IV_SIZE, bytes((n,)) * 32) for n in (1, 2)]
    (key, iv, secret), (peer_key, peer_iv, peer_secret) = ends if role == CLIENT else ends[::-1]
    return PacketKeys(suite, key, iv, peer_key, peer_iv, secret, peer_secret)


class Wire:
    """Two nodes and a witness between them; what is sent arrives unless it is told otherwise."""

    def __init__(self, suite: int = c.SUITE_NULL, trusted: Sequence[int] = (CLIENT, SERVER)) -> None:
        network = Network()
        self.nodes = (network.add("client"), network.add("server"))
        self.witness = Witness((SETTINGS, SETTINGS), frozenset(trusted))
        self.witness.name(("client", "server"))
        self.keys = [keys_of(role, suite) for role in (CLIENT, SERVER)]
        for role in (CLIENT, SERVER):
            self.witness.senders[role].tap.set_keys(self.keys[role])

    def packet(self, role: int, number: int, frames: Frames, flags: int = 0) -> bytes:
        """Seal a packet of this end."""
        header = bytes((c.FIXED_BIT | flags,)) + bytes(8) + number.to_bytes(4, "big")
        payload = b"".join(core.encode_frame(frame) for frame in frames)
        keys = self.keys[role]
        protection = core.PacketProtection(keys.suite, keys.send_key, keys.send_iv)
        return header + protection.seal(number, header, payload)

    def send(self, role: int, number: int, *frames: tuple[Any, ...], arrives: bool = True) -> None:
        """Send a packet, and let it arrive."""
        self.carry(role, self.packet(role, number, frames), arrives=arrives)

    def carry(self, role: int, data: bytes, *, arrives: bool = True, source: Any = None) -> None:
        """Send a datagram, and let it arrive."""
        node, peer = self.nodes[role], self.nodes[1 - role]
        self.witness.sent(node, node.address, peer.address, data, 1.0)
        if arrives:
            self.witness.delivered(peer, source or node.address, data, 1.0)


def stream(channel_id: int, offset: int, size: int) -> tuple[Any, ...]:
    return (c.FRAME_STREAM, channel_id, offset, bytes(size), False)


def message(channel_id: int, message_id: int, count: int) -> tuple[Any, ...]:
    return (c.FRAME_MESSAGE, channel_id, message_id, 0, count, bytes(128))


def ack(*ranges: tuple[int, int]) -> tuple[Any, ...]:
    return (c.FRAME_ACK, 0.0, ranges)


GOOD: dict[str, Frames] = {
    "a stream as far as its window": [stream(0, 0, 1000), stream(0, 1000, 1000)],
    "the same bytes again": [stream(0, 0, 1000), stream(0, 0, 1000)],
    "two streams as far as the connection's window": [stream(0, 0, 1500), stream(4, 0, 1500)],
    "a message that overdraws": [message(2, 0, 100)],
    "limits that rise": [(c.FRAME_MAX_DATA, 4000), (c.FRAME_MAX_DATA, 4000), (c.FRAME_MAX_DATA, 5000)],
    "a reset after what was sent": [stream(0, 0, 10), (c.FRAME_RESET, 0, 1, 10, 10)],
    "a reset of a message channel": [message(2, 0, 3), (c.FRAME_RESET, 2, 1, 1, 384)],
}
BAD: dict[str, Frames] = {
    "I8: offset": [stream(0, 0, 2001)],
    "I8: 3001 bytes on all channels": [stream(0, 0, 1501), stream(4, 0, 1500)],
    "I8: a message on channel 2": [message(2, 0, 16), message(2, 1, 1)],
    "I8: a message, and": [message(2, 0, 100), message(6, 0, 1)],
    "message 1 on channel 2 after -1": [message(2, 1, 1)],
    "I8: end 0 lowered a limit": [(c.FRAME_MAX_DATA, 2999)],
    "I8: end 0 lowered a limit: (41": [(c.FRAME_MAX_CHANNEL_DATA, 0, 1999)],
    "I8: end 0 lowered a limit: (42": [(c.FRAME_MAX_CHANNELS, c.KIND_STREAM, 1)],
    "I8: channel 8": [stream(8, 0, 1)],
    "I8: a reset of channel 0 charges": [stream(0, 0, 10), (c.FRAME_RESET, 0, 1, 11, 11)],
    "a reset of channel 2 ends it at 0": [message(2, 0, 3), (c.FRAME_RESET, 2, 1, 0, 384)],
    "I12: end 0 acknowledged": [ack((0, 1))],
}


@pytest.mark.parametrize("frames", GOOD.values(), ids=GOOD)
def test_what_keeps_the_rules_passes(frames: Frames) -> None:
    wire = Wire()
    for number, frame in enumerate(frames):
        wire.send(CLIENT, number, frame)


@pytest.mark.parametrize(("text", "frames"), BAD.items(), ids=BAD)
def test_what_breaks_a_rule_is_seen_with_the_packet(text: str, frames: Frames) -> None:
    wire = Wire()
    for number, frame in enumerate(frames[:-1]):
        wire.send(CLIENT, number, frame)
    with pytest.raises(Wrong) as caught:
        wire.send(CLIENT, len(frames), frames[-1])
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("frames", BAD.values(), ids=BAD)
def test_nothing_is_asked_of_an_end_that_is_not_trusted(frames: Frames) -> None:
    wire = Wire(trusted=[SERVER])
    for number, frame in enumerate(frames):
        data = wire.packet(CLIENT, number, [frame])
        wire.witness.note(CLIENT, data, number, core.encode_frame(frame))
        wire.carry(CLIENT, data)


def test_credit_that_was_given_may_be_used() -> None:
    wire = Wire()
    wire.send(SERVER, 0, (c.FRAME_MAX_DATA, 9000), (c.FRAME_MAX_CHANNEL_DATA, 0, 8000))
    wire.send(SERVER, 1, (c.FRAME_MAX_CHANNELS, c.KIND_STREAM, 3))
    wire.send(CLIENT, 0, stream(0, 0, 8000))
    wire.send(CLIENT, 1, stream(8, 0, 1000))
    with pytest.raises(Wrong, match="I8: offset 8001"):
        wire.send(CLIENT, 2, stream(0, 8000, 1))


def test_a_packet_number_that_does_not_rise_is_seen() -> None:
    for number in (4, 5):
        wire = Wire()
        wire.send(CLIENT, 5, PING)
        with pytest.raises(Wrong, match="I2"):
            wire.send(CLIENT, number, PING, PING)


def test_only_the_last_packet_may_go_again_as_it_is() -> None:
    wire = Wire()
    wire.send(CLIENT, 0, PING)
    wire.send(CLIENT, 1, PING)
    wire.send(CLIENT, 1, PING)
    with pytest.raises(Wrong, match="I2"):
        wire.send(CLIENT, 0, PING)


def test_what_arrived_may_be_acknowledged_and_nothing_else() -> None:
    wire = Wire()
    wire.send(SERVER, 0, PING)
    wire.send(SERVER, 1, PING, arrives=False)
    wire.send(CLIENT, 0, ack((0, 1)))
    with pytest.raises(Wrong, match="I12"):
        wire.send(CLIENT, 1, ack((0, 2)))


def test_more_packets_than_arrived_cannot_have_been_processed() -> None:
    wire = Wire()
    wire.send(SERVER, 0, PING)
    wire.send(SERVER, 0, PING)
    wire.witness.check_received(CLIENT, 1)
    with pytest.raises(Wrong, match="I3"):
        wire.witness.check_received(CLIENT, 2)


def test_damaged_packets_do_not_count_as_arrived() -> None:
    wire = Wire()
    data = wire.packet(SERVER, 0, [PING])
    wire.carry(SERVER, data, arrives=False)
    wire.witness.delivered(wire.nodes[CLIENT], wire.nodes[SERVER].address, data[:-1], 1.0)
    with pytest.raises(Wrong, match="I12"):
        wire.send(CLIENT, 0, ack((0, 1)))


def test_a_key_on_the_wire_is_seen() -> None:
    wire = Wire(c.SUITE_AES_128_GCM)
    wire.send(CLIENT, 0, PING)
    wire.keys[CLIENT] = keys_of(CLIENT, c.SUITE_AES_128_GCM)
    data = wire.packet(CLIENT, 1, [PING])
    wire.nodes[SERVER].addresses[0] = ("203.0.113.1", 1)
    with pytest.raises(Wrong, match="I15"):
        wire.carry(CLIENT, bytes((c.FORM_LONG,)) + wire.keys[CLIENT].send_key + data)


ILLEGAL: dict[str, bytes] = {
    "unknown frame": b"\x3f",
    "nothing": b"",
    "a frame that is cut off": core.encode_frame((c.FRAME_MAX_DATA, 5000))[:-1],
    "an ACK of what was never sent": core.encode_frame(ack((0, 2))),
    "a channel too many": core.encode_frame(stream(8, 0, 1)),
    "a handshake frame": core.encode_frame((c.FRAME_HANDSHAKE, 0, b"x")),
    "a client's HANDSHAKE_DONE": core.encode_frame((c.FRAME_HANDSHAKE_DONE,)),
}


@pytest.mark.parametrize("payload", [*ILLEGAL.values(), core.encode_frame(PING)], ids=[*ILLEGAL, "a ping"])
def test_an_end_that_acknowledges_what_breaks_a_rule_is_seen(payload: bytes) -> None:
    wire = Wire(trusted=[SERVER])
    wire.send(SERVER, 0, PING)
    data = wire.packet(CLIENT, 7, [PING])
    wire.witness.note(CLIENT, data, 7, payload)
    wire.carry(CLIENT, data)
    if payload == core.encode_frame(PING):
        wire.send(SERVER, 1, ack((7, 8)))
    else:
        with pytest.raises(Wrong, match="which breaks a rule"):
            wire.send(SERVER, 1, ack((7, 8)))


def test_what_was_too_early_when_it_was_sent_and_is_right_when_it_arrives_may_be_acknowledged() -> None:
    """Seeds 0xf4e24 and 0xf6e53: an ACK of what its peer sent while the ACK was on its way."""
    wire = Wire(trusted=[SERVER])
    wire.send(SERVER, 0, PING)
    data = wire.packet(CLIENT, 7, [PING])
    wire.witness.note(CLIENT, data, 7, core.encode_frame(ack((0, 2))))
    wire.send(SERVER, 1, PING)
    wire.carry(CLIENT, data)
    wire.send(SERVER, 2, ack((7, 8)))


def test_keys_are_followed_through_updates() -> None:
    wire = Wire(c.SUITE_AES_128_GCM)
    wire.send(CLIENT, 0, PING)
    for number in range(1, 5):
        wire.keys[CLIENT] = next_keys(wire.keys[CLIENT])
        wire.carry(CLIENT, wire.packet(CLIENT, number, [PING], PHASE * (number & 1)))
    assert wire.witness.packets == 5
    with pytest.raises(Wrong, match="do not open"):
        wire.carry(CLIENT, wire.packet(CLIENT, 5, [PING], PHASE) + b"x")


# --- how much goes to whom ----------------------------------------------------------------------------


def handshake_packet(role: int, number: int, frames: Frames, token: bytes = b"", size: int = 0) -> bytes:
    ids = (FIRST_ID, b"client-i") if role == CLIENT else (b"client-i", b"server-i")
    header = core.encode_long_header(c.LONG_HANDSHAKE, c.VERSION_1, *ids, token, number)
    payload = b"".join(core.encode_frame(frame) for frame in frames)
    payload += bytes(max(size - len(header) - len(payload) - c.TAG_SIZE, 0))
    sending, _ = initial_protection(FIRST_ID, role == CLIENT)
    return header + sending.seal(number, header, payload)


def test_three_times_what_came_may_go_to_an_address_and_no_byte_more() -> None:
    wire = Wire()
    wire.carry(CLIENT, handshake_packet(CLIENT, 0, [PING], size=1200))
    for number in range(3):
        wire.carry(SERVER, handshake_packet(SERVER, number, [PING], size=1200))
    with pytest.raises(Wrong, match="I5"):
        wire.carry(SERVER, handshake_packet(SERVER, 3, [PING]))


def test_an_answer_to_a_challenge_lifts_the_limit_and_another_does_not() -> None:
    for answer, is_right in ((b"answered", True), (b"made up!", False)):
        wire = Wire()
        wire.carry(CLIENT, handshake_packet(CLIENT, 0, [PING], size=1200))
        challenge = (c.FRAME_PATH_CHALLENGE, b"answered")
        for number in range(3):
            wire.carry(SERVER, handshake_packet(SERVER, number, [challenge], size=1200))
        wire.carry(CLIENT, handshake_packet(CLIENT, 1, [(c.FRAME_PATH_RESPONSE, answer)]))
        packet = handshake_packet(SERVER, 3, [PING], size=1200)
        if is_right:
            wire.carry(SERVER, packet)
        else:
            with pytest.raises(Wrong, match="I5"):
                wire.carry(SERVER, packet)


def test_application_packets_to_a_new_address_are_limited_until_it_answers() -> None:
    wire = Wire()
    wire.carry(CLIENT, handshake_packet(CLIENT, 0, [PING], size=1200))
    wire.send(SERVER, 0, stream(1, 0, 2000))  # the handshake is over: its address is real
    wire.send(SERVER, 1, (c.FRAME_DATAGRAM, bytes(5000)))
    moved = ("203.0.113.9", 9)
    wire.nodes[CLIENT].addresses[0] = moved
    wire.send(CLIENT, 0, (c.FRAME_DATAGRAM, bytes(300)))
    wire.send(SERVER, 2, (c.FRAME_PATH_CHALLENGE, b"new path"), (c.FRAME_DATAGRAM, bytes(600)))
    with pytest.raises(Wrong, match="I5"):
        wire.send(SERVER, 3, (c.FRAME_DATAGRAM, bytes(600)))
    wire.send(CLIENT, 1, (c.FRAME_PATH_RESPONSE, b"new path"))
    wire.send(SERVER, 4, (c.FRAME_DATAGRAM, bytes(6000)))
