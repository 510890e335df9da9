"""Opens what one end sends, with keys that its own handshake gave, and seals in its name.

Owns: keys as they are ratcheted along what is seen, packet numbers in full. May not know: what frames mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.handshake import Handshake, PacketKeys, PeerIdentity
from fastmux.protocol.ratchet import can_ratchet, next_keys

_PHASE = 0x04


class Listened:
    """A handshake that tells which packet keys it gave; otherwise the one that it wraps."""

    def __init__(self, handshake: Handshake, tell: Callable[[PacketKeys], None]) -> None:
        self._handshake = handshake
        self._tell = tell

    @property
    def is_complete(self) -> bool:
        return self._handshake.is_complete

    @property
    def peer(self) -> PeerIdentity | None:
        return self._handshake.peer

    @property
    def version(self) -> int:
        return self._handshake.version

    @property
    def peer_context(self) -> bytes | None:
        return self._handshake.peer_context

    def start(self) -> None:
        self._handshake.start()

    def receive(self, data: bytes) -> None:
        self._handshake.receive(data)

    def send(self) -> bytes:
        return self._handshake.send()

    def packet_keys(self, context: bytes) -> PacketKeys:
        keys = self._handshake.packet_keys(context)
        self._tell(keys)
        return keys

    def confirm(self, context: bytes) -> None:
        self._handshake.confirm(context)


class Packet(NamedTuple):
    """An opened short-header packet."""

    number: int
    header: bytes
    payload: bytes
    phase: int


@dataclass(slots=True)
class _Phase:
    """The keys of one key phase, and how to come to the next."""

    keys: PacketKeys
    protection: core.PacketProtection


class Wiretap:
    """Opens the packets of one sender in the order in which it sends them.

    `id_size` is that of the ids of the receiver. Invariant: `_phase` has the keys of the newest packet that
    was opened, `number` is its number (-1 before the first).
    """

    def __init__(self, id_size: int) -> None:
        self.number = -1
        self.keys: PacketKeys | None = None  # the first
        self._header_size = 1 + id_size + c.PACKET_NUMBER_SIZE
        self._phase: _Phase | None = None
        self._phase_bit = 0
        self._is_plain = False

    def set_keys(self, keys: PacketKeys) -> None:
        """The first keys; a second handshake of the same end changes nothing."""
        if self.keys is None:
            self.keys = keys
            self._is_plain = keys.suite == c.SUITE_NULL
            self._phase = _phase_of(keys)

    @property
    def secrets(self) -> list[bytes]:
        """What must never be seen on the wire."""
        keys = self.keys
        found = [] if keys is None else [keys.send_key, keys.send_secret, keys.receive_key]
        return [secret for secret in found if len(secret) >= c.SUITE_KEY_SIZES[c.SUITE_AES_128_GCM]]

    def open(self, data: bytes) -> Packet | None:
        """Open the next packet; None if it is not one of this sender's."""
        phase, size = self._phase, self._header_size
        if phase is None or len(data) < size + c.TAG_SIZE:
            return None
        header = data[:size]
        number = core.decode_packet_number(
            int.from_bytes(header[-c.PACKET_NUMBER_SIZE :], "big"), self.number
        )
        bit = data[0] & _PHASE
        if bit != self._phase_bit:
            if self._is_plain or not can_ratchet(phase.keys):
                return None
            phase = _phase_of(next_keys(phase.keys))
        payload = phase.protection.open(number, header, data[size:])
        if payload is None:
            return None
        self._phase, self._phase_bit = phase, bit
        self.number = max(number, self.number)
        return Packet(number, header, payload, bit)

    def seal(self, number: int, packet: Packet, payload: bytes) -> bytes:
        """Seal a payload as this sender would have, under the keys and the id of `packet`, its newest."""
        if self._phase is None:
            raise ValueError("no keys yet")
        end = (number & 0xFFFFFFFF).to_bytes(c.PACKET_NUMBER_SIZE, "big")
        header = packet.header[: -c.PACKET_NUMBER_SIZE] + end
        return header + self._phase.protection.seal(number, header, payload)


def _phase_of(keys: PacketKeys) -> _Phase:
    return _Phase(keys, core.PacketProtection(keys.suite, keys.send_key, keys.send_iv))
