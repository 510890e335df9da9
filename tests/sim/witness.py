"""Watches the wire of one run and holds both ends to the rules that can be seen there.

Owns: what was sent and delivered, by packet number; the checks I2, I3, I8, I12 and I15 of
docs/simulation.md (I5 is `reach.py`). May not know: the inside of an end. It opens every packet with the
keys that the ends' own handshakes gave, changes nothing, and raises `Wrong`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Address
from network import Node
from sim.allowance import Allowance, require
from sim.legality import breaks_a_rule
from sim.reach import Reach
from sim.wiretap import Wiretap

MAX_RESET_SIZE: Final = 41
NOWHERE: Final = ("", 0)
PATH_FRAMES: Final = (c.FRAME_PATH_CHALLENGE, c.FRAME_PATH_RESPONSE)


class Sender:
    """What one end sent, and what of the other's reached it.

    Invariant: `sent` are the numbers of its application packets, `delivered` those of the peer's packets
    that reached it whole; those in `illegal` break a rule.
    """

    def __init__(self, role: int, peer: Configuration) -> None:
        self.tap = Wiretap(peer.connection_ids.size)
        self.allowance = Allowance(role, peer)
        self.sent = core.RangeSet()
        self.illegal: dict[int, bytes] = {}  # payloads of packets that must not be taken, by number
        self.delivered = core.RangeSet()
        self.newest = -1  # of `delivered`
        self.heard_at = 0.0  # when it surely heard the peer for the last time
        self.datagrams: dict[bytes, int] = {}  # all it sent: the packet number, -1 of a handshake packet
        self.last = b""
        self.handshake_numbers: dict[bytes, int] = {}  # the newest by source id


class Witness:
    """The watcher of a run. `trusted` are the roles that must keep the rules.

    `roles` is told once the nodes are there.
    """

    def __init__(self, configurations: tuple[Configuration, Configuration], trusted: frozenset[int]) -> None:
        client, server = configurations
        self.senders = (Sender(c.ROLE_CLIENT, server), Sender(c.ROLE_SERVER, client))
        self.packets = 0
        self.was_list_changed = False  # one of versions, which nothing protects, on its way to the client
        self._lists: set[bytes] = set()
        self._trusted = trusted
        self._roles: dict[str, int] = {}
        self.reach = Reach()
        self._handlers: dict[int, Callable[[int, Any], None]] = {
            c.FRAME_ACK: self._on_ack,
            c.FRAME_STREAM: self._on_stream,
            c.FRAME_MESSAGE: self._on_message,
            c.FRAME_RESET: self._on_reset,
            c.FRAME_MAX_DATA: self._on_limit,
            c.FRAME_MAX_CHANNEL_DATA: self._on_limit,
            c.FRAME_MAX_CHANNELS: self._on_limit,
        }

    def name(self, names: tuple[str, str]) -> None:
        """Say which node is the client and which the server."""
        self._roles = {names[0]: c.ROLE_CLIENT, names[1]: c.ROLE_SERVER}

    # --- what is seen ---------------------------------------------------------------------------------

    def sent(self, node: Node, source: Address, target: Address, data: bytes, now: float) -> None:
        """A node sent a datagram."""
        role = self._roles[node.name]
        sender = self.senders[role]
        is_trusted = role in self._trusted
        if data[0] & c.FORM_LONG:
            self._on_handshake_packet(role, target, data, now)
        elif is_trusted and data not in sender.datagrams:
            self._on_packet(role, target, data)
        elif is_trusted:
            # the last packet of a connection that closes goes again as it is: one nonce, one content
            require(data == sender.last, "I2: a packet was sent again, and was not the last")
        if is_trusted:
            for secret in sender.tap.secrets:
                require(secret not in data, "I15: a key is on the wire")
        if role == c.ROLE_SERVER:
            self.reach.on_sent(target, len(data), is_trusted=is_trusted)

    def note(self, role: int, data: bytes, number: int, payload: bytes) -> None:
        """An end that is not trusted sends this packet; nothing holds of it."""
        self.packets += 1
        sender, peer = self.senders[role], self.senders[1 - role]
        is_fresh = number not in sender.sent
        sender.sent.add(number, number + 1)
        sender.datagrams[data] = number
        if not is_fresh:  # one of two, and nobody can tell which is acknowledged
            sender.illegal.pop(number, None)
        elif breaks_a_rule(role, payload, sender.allowance, peer.sent):
            sender.illegal[number] = payload
        self._on_payload(role, NOWHERE, data, payload)

    def delivered(self, node: Node, source: Address, data: bytes, now: float) -> None:
        """A datagram reaches a node: whole, or as the network made it."""
        role = self._roles[node.name]
        number = self.senders[1 - role].datagrams.get(data)
        if role == c.ROLE_SERVER:
            self.reach.on_received(source, data, now)
        elif data[:1] >= bytes((c.FORM_LONG,)) and data[1:5] == bytes(4) and data not in self._lists:
            self.was_list_changed = True
        if number is not None:
            self._judge_again(1 - role, number)
            own = self.senders[role]
            if self._is_surely_heard(own, number):
                own.heard_at = now
            if number >= 0:
                own.delivered.add(number, number + 1)
                own.newest = max(own.newest, number)

    def _is_surely_heard(self, own: Sender, number: int) -> bool:
        """Whether an end must take this as a sign of life.

        A packet that was overtaken may lie below what the end remembers, and then counts as one it has. One
        of the handshake means nothing to an end that is open, and has sent what only such an end may.
        """
        if number < 0:
            return not len(own.sent)
        return number > own.newest

    def _judge_again(self, role: int, number: int) -> None:
        """What counts is the moment of arrival: meanwhile its peer may have sent or granted what it names."""
        sender, peer = self.senders[role], self.senders[1 - role]
        payload = sender.illegal.get(number)
        if payload is not None and not breaks_a_rule(role, payload, sender.allowance, peer.sent):
            del sender.illegal[number]

    def forget(self) -> None:
        """The run is over: nothing is kept in objects of the core."""
        for sender in self.senders:
            sender.delivered.clear()
            sender.sent.clear()

    def check_received(self, role: int, packets: int) -> None:
        """I3: no end processed more packets than reached it."""
        reached = self.senders[role].delivered.covered
        require(packets <= reached, f"I3: end {role} processed {packets} packets of {reached}")

    # --- packets --------------------------------------------------------------------------------------

    def _on_handshake_packet(self, role: int, target: Address, data: bytes, now: float) -> None:
        sender = self.senders[role]
        try:
            header = core.parse_long_header(data, 0, len(data))
        except ProtocolError as error:
            require(role not in self._trusted, f"end {role} sent a header that does not parse: {error}")
            return
        self.reach.on_handshake_packet(role, target, header, data, now)
        if header.version == c.VERSION_NEGOTIATION:
            self._lists.add(data)
        if header.type != c.LONG_HANDSHAKE or header.version == c.VERSION_NEGOTIATION:
            return
        newest = sender.handshake_numbers.get(header.source_id, -1)
        if role in self._trusted and data not in sender.datagrams:  # the last ones go again as they are
            number = header.packet_number
            require(number > newest, f"I2: handshake packet {number} after {newest}")
        sender.datagrams[data] = -1
        sender.handshake_numbers[header.source_id] = max(header.packet_number, newest)

    def _on_packet(self, role: int, target: Address, data: bytes) -> None:
        sender = self.senders[role]
        newest = sender.tap.number
        packet = sender.tap.open(data)
        if packet is None:
            is_reset = role == c.ROLE_SERVER and len(data) <= MAX_RESET_SIZE  # which knows no keys
            require(is_reset, f"end {role} sent {len(data)} bytes that its keys do not open")
            return
        self.packets += 1
        sender.datagrams[data] = packet.number
        sender.sent.add(packet.number, packet.number + 1)
        sender.last = data
        require(packet.number > newest, f"I2: end {role} sent packet {packet.number} after {newest}")
        if role == c.ROLE_SERVER:
            self.reach.on_first_packet(target)
        self._on_payload(role, target, data, packet.payload)

    def _on_payload(self, role: int, target: Address, data: bytes, payload: bytes) -> None:
        try:
            frames: Any = core.parse_frames(payload)
        except ProtocolError:
            require(role not in self._trusted, f"end {role} sent frames that do not parse")
            return
        for frame in frames:
            handle = self._handlers.get(frame[0])
            if handle is not None:
                handle(role, frame)
            elif frame[0] in PATH_FRAMES:
                self.reach.on_path_frame(role, target, data, frame)

    # --- frames ---------------------------------------------------------------------------------------

    def _on_ack(self, role: int, frame: Any) -> None:
        """I12: what is acknowledged has come."""
        if role not in self._trusted:
            return
        delivered = self.senders[role].delivered
        for start, stop in frame[2]:
            missing = delivered.missing(start, stop)
            require(not missing, f"I12: end {role} acknowledged {missing}, which did not reach it")
            for number in self.senders[1 - role].illegal:
                taken = start <= number < stop
                require(not taken, f"end {role} acknowledged packet {number}, which breaks a rule")

    def _on_stream(self, role: int, frame: Any) -> None:
        if role in self._trusted:
            self.senders[role].allowance.on_stream(frame[1], frame[2] + len(frame[3]))

    def _on_message(self, role: int, frame: Any) -> None:
        if role in self._trusted:
            self.senders[role].allowance.on_message(frame[1], frame[2], frame[4])

    def _on_reset(self, role: int, frame: Any) -> None:
        if role in self._trusted:
            self.senders[role].allowance.on_reset(frame[1], frame[3], frame[4])

    def _on_limit(self, role: int, frame: Any) -> None:
        """I8: what an end grants is what bounds the other; it never shrinks."""
        grows = self.senders[1 - role].allowance.raise_to(frame)
        require(grows or role not in self._trusted, f"I8: end {role} lowered a limit: {frame}")
