"""Attacks of an authenticated peer by packets, acknowledgements, ids, paths and keys (H14 to H24).

Owns: these attacks. May not know: what they must come to.
"""

from __future__ import annotations

from itertools import count, cycle, islice

from fastmux import constants as c
from fastmux import core
from hostile.attacker import Attack, Attacker, Frame, Shots, host
from hostile.world import Shot
from protocol.scripted import Script

AES = Script(suite=c.SUITE_AES_128_GCM)
_PING = (c.FRAME_PING,)


def replays(attacker: Attacker) -> Shots:
    """H14: what another connection and the attacker's own said, again and again."""
    attacker.connect()
    attacker.world.record(attacker.victim)
    address = attacker.victim.node.address
    heard = [Shot(data, address) for data in attacker.world.heard]
    own = [attacker.say(_PING, (c.FRAME_STREAM, 0, 0, bytes(900), False)) for _ in range(50)]
    yield from own
    yield from cycle(heard + own)


def unsent_acknowledged(attacker: Attacker) -> Shots:
    """H15: an acknowledgement of packets that were never sent."""
    attacker.connect()
    yield attacker.say((c.FRAME_ACK, 0.0, ((0, 1 << 20),)))


def skipped_acknowledged(attacker: Attacker) -> Shots:
    """H15: an acknowledgement of a number that was left out to catch who acknowledges ahead."""
    client = attacker.connect()
    number = client.far.data_path.skip_packet_number()
    client.far.ping(attacker.world.network.now)
    attacker.world.network.run_for(0.0)
    yield attacker.say((c.FRAME_ACK, 0.0, ((number, number + 2),)))


def too_many_ranges(attacker: Attacker) -> Shots:
    """H16: an acknowledgement in more ranges than anybody needs."""
    attacker.connect()
    ranges = tuple((2 * place, 2 * place + 1) for place in range(c.MAX_ACK_RANGES_ACCEPTED, -1, -1))
    yield attacker.say((c.FRAME_ACK, 0.0, ranges))


def ranges_without_end(attacker: Attacker) -> Shots:
    """H16: every acknowledgement has as many ranges as are taken, over all that was ever sent."""
    client = attacker.connect()
    for _ in range(2 * c.MAX_ACK_RANGES_ACCEPTED):
        client.far.data_path.build_packet(bytearray(64), core.encode_frame(_PING), 0, 0, 1.0)
    ranges = [(2 * place, 2 * place + 1) for place in range(c.MAX_ACK_RANGES_ACCEPTED - 1, -1, -1)]
    while True:
        yield attacker.say((c.FRAME_ACK, 0.0, tuple(ranges)))


def acknowledgements_withheld(attacker: Attacker) -> Shots:
    """H17: the server's application writes as much as it may, the peer is there and acknowledges nothing."""
    attacker.connect()
    channel_id = attacker.have_written()
    while True:
        yield attacker.say((c.FRAME_MAX_CHANNEL_DATA, channel_id, 1 << 40), _PING)


def delays_that_are_lies(attacker: Attacker) -> Shots:
    """H18: acknowledgements that claim to have waited for an hour, or came before they could."""
    client = attacker.connect()
    for number in count():
        client.far.ping(attacker.world.network.now)
        attacker.world.network.run_for(0.0)
        kind, _, ranges = attacker.acknowledged()
        yield attacker.say((kind, 3600.0 * (number & 1), ranges))


def challenges(attacker: Attacker) -> Shots:
    """H19: packets full of PATH_CHALLENGE."""
    attacker.connect()
    for number in count():
        names = (number << 8 | place for place in range(min(attacker.dense, 100)))
        yield attacker.say(*((c.FRAME_PATH_CHALLENGE, name.to_bytes(8, "big")) for name in names))


def new_ids(attacker: Attacker) -> Shots:
    """H20: ids that each retire the one before."""
    attacker.connect()
    for number in count(1):
        yield attacker.say((c.FRAME_NEW_ID, number, number, b"id%06d" % number, bytes(16)))


def retired_ids(attacker: Attacker) -> Shots:
    """H20: every id that the server gives is retired at once."""
    attacker.connect()
    yield attacker.say((c.FRAME_NEW_ID, 1, 0, b"id000001", bytes(16)))
    for number in count(1):
        yield attacker.say((c.FRAME_RETIRE_ID, number), _PING)


def pings_and_blocked(attacker: Attacker) -> Shots:
    """H21: whatever asks for an answer, hundreds in a packet."""
    attacker.connect()
    for number in count():
        frames = ((c.FRAME_DATA_BLOCKED, number), (c.FRAME_CHANNELS_BLOCKED, 0, number), _PING)
        yield attacker.say(*islice(cycle(frames), attacker.dense))


def extensions(attacker: Attacker) -> Shots:
    """H21: frames that go to Python, as many as fit."""
    attacker.connect()
    frames: list[Frame] = [(c.FRAME_EXTENSION_FIRST + 9, b"")]
    while True:
        yield attacker.say(*frames * max(attacker.dense, c.MAX_REPORTED_FRAMES + 1))


def empty_frames(attacker: Attacker) -> Shots:
    """H22: STREAM frames of no byte."""
    attacker.connect()
    yield attacker.say((c.FRAME_STREAM, 0, 0, b"a", False))
    while True:
        yield attacker.say(*[(c.FRAME_STREAM, 0, 1, b"", False)] * attacker.dense)


def limits_again(attacker: Attacker) -> Shots:
    """H22: limits that raise nothing."""
    attacker.connect()
    while True:
        yield attacker.say((c.FRAME_MAX_DATA, 0), (c.FRAME_MAX_CHANNELS, 0, 0))


def ends_again(attacker: Attacker) -> Shots:
    """H22: the same FIN, RESET, STOP or MESSAGE_FIN on a channel that the application has not left."""
    attacker.connect()
    yield attacker.say((c.FRAME_OPEN, 0, 0, True, 0, 0, b""), (c.FRAME_STREAM, 0, 0, b"", True))
    yield attacker.say((c.FRAME_OPEN, 4, 0, True, 0, 0, b""), (c.FRAME_RESET, 4, 0, 0, 0))
    yield attacker.say((c.FRAME_OPEN, 8, 0, True, 0, 0, b""), (c.FRAME_STOP, 8, 0))
    yield attacker.say((c.FRAME_OPEN, 2, 0, True, 0, 0, b""), (c.FRAME_MESSAGE_FIN, 2, 9))
    yield attacker.say((c.FRAME_MESSAGE_ABANDON, 2, ((0, 1),)))
    again = (
        (c.FRAME_STREAM, 0, 0, b"", True),
        (c.FRAME_RESET, 4, 0, 0, 0),
        (c.FRAME_STOP, 8, 0),
        (c.FRAME_MESSAGE_FIN, 2, 9),
        (c.FRAME_MESSAGE_ABANDON, 2, ((0, 1),)),
    )
    for frame in cycle(again):
        yield attacker.say(frame)


def dead_channels(attacker: Attacker) -> Shots:
    """H22: data for a channel that is over at both ends."""
    client = attacker.connect()
    data_path = client.far.data_path
    attacker.now((c.FRAME_OPEN, 0, 0, True, 0, 0, b""), (c.FRAME_RESET, 0, 0, 0, 0))
    data_path.release(0)
    client.far.touch()
    attacker.world.network.run_for(0.0)
    attacker.now(attacker.acknowledged())
    while True:
        yield attacker.say((c.FRAME_STREAM, 0, 0, bytes(100), False))


def addresses_in_turn(attacker: Attacker) -> Shots:
    """H23: every packet seems to come from another host."""
    attacker.connect()
    for number in count():
        yield attacker.say(_PING, source=host(number))


def probes_of_others(attacker: Attacker) -> Shots:
    """H23: challenges from the addresses of others, who are to be answered."""
    attacker.connect()
    for number in count():
        yield attacker.say((c.FRAME_PATH_CHALLENGE, bytes(8)), source=host(number))


def key_updates(attacker: Attacker) -> Shots:
    """H24: a key update as soon as the last one is through."""
    client = attacker.connect(is_mute=False)
    while not client.near.is_closed:
        client.near.data_path.update_keys()
        yield attacker.raw(core.encode_frame(_PING), token=1)


def false_phases(attacker: Attacker) -> Shots:
    """H24: packets whose key phase is not that of their key."""
    attacker.connect()
    while True:
        data, source = attacker.say(_PING)
        yield Shot(bytes((data[0] ^ c.KEY_PHASE_BIT,)) + data[1:], source)


def _forged_range() -> bytes:
    """An ACK whose second range would begin below zero."""
    return core.encode_varint(c.FRAME_ACK) + b"\x05\x00\x01\x02\x09\x01"


def ranges_below_zero(attacker: Attacker) -> Shots:
    """H16: ranges that run below the first number."""
    attacker.connect()
    yield attacker.raw(_forged_range())


_FLOOD = c.GLITCH_BURST + 550  # the counters are looked at every 50 ms
_IDS = c.ID_FRAME_BURST + 300
ATTACKS = (
    Attack("H14", "replays", replays),
    Attack("H15", "unsent packets acknowledged", unsent_acknowledged, c.PROTOCOL_VIOLATION),
    Attack("H15", "skipped packets acknowledged", skipped_acknowledged, c.PROTOCOL_VIOLATION),
    Attack("H16", "too many ranges", too_many_ranges, c.PROTOCOL_VIOLATION),
    Attack("H16", "ranges below zero", ranges_below_zero, c.FRAME_ENCODING_ERROR),
    Attack("H16", "ranges without end", ranges_without_end, shots=40),
    Attack("H17", "acknowledgements withheld", acknowledgements_withheld, growth=c.WRITE_LIMIT + 2**17),
    Attack("H18", "delays that are lies", delays_that_are_lies),
    Attack("H19", "challenges", challenges, c.GLITCH_LIMIT, shots=450, at_once=1),
    Attack("H20", "new ids", new_ids, c.ID_LIMIT_ERROR),
    Attack("H20", "retired ids", retired_ids, c.ID_LIMIT_ERROR),
    Attack("H21", "pings and blocked frames", pings_and_blocked),
    Attack("H21", "extension frames", extensions, c.GLITCH_LIMIT, shots=_FLOOD, at_once=10),
    Attack("H22", "empty frames", empty_frames, c.GLITCH_LIMIT, shots=_FLOOD, at_once=10),
    Attack("H22", "limits again", limits_again, c.GLITCH_LIMIT, shots=_FLOOD, at_once=10),
    Attack("H22", "ends again", ends_again, c.GLITCH_LIMIT, shots=_FLOOD, at_once=10),
    Attack("H22", "dead channels", dead_channels, c.GLITCH_LIMIT, shots=_FLOOD, at_once=10),
    Attack("H23", "addresses in turn", addresses_in_turn),
    Attack("H23", "probes of others", probes_of_others, c.GLITCH_LIMIT, shots=_IDS, at_once=10),
    Attack("H24", "key updates", key_updates, c.KEY_UPDATE_ERROR, shots=900, at_once=1, script=AES),
    Attack("H24", "false phases", false_phases, script=AES),
)
