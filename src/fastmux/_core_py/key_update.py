"""Key update by a phase bit (docs/wire-format.md §5.4, RFC 9001 §6): which keys seal and open what.

Owns: the keys of both directions, those before and after them, and where a phase began. May not know: how
keys are derived, when an update is wanted, clocks.
"""

from __future__ import annotations

from fastmux._core_py.control import Control
from fastmux._core_py.frames import Frame
from fastmux._core_py.protection import PacketProtection
from fastmux._core_py.received_packets import ReceivedPackets
from fastmux._core_py.sent_packets import SentPackets
from fastmux.constants import (
    CONTROL_KEYS_UPDATED,
    FRAME_ACK,
    FRAME_ACK_ECN,
    KEY_PHASE_BIT,
    KEY_UPDATE_ERROR,
    MAX_PACKET_NUMBER,
    SUITE_NULL,
)
from fastmux.exceptions import ProtocolError


# Invariant: the phases are 0 or KEY_PHASE_BIT. They differ from the moment this end begins an update until
# the peer's first packet under its new keys; then the next sealing keys are used up, the opening ones not.
class KeyUpdate:
    """The present keys, `opening` and `sealing`, and those beside them.

    `receive_first` is the lowest number opened in the present receiving phase, `send_first` the first one of
    the present sending phase. Packets below `watch_below` need a closer look once they are open.
    """

    __slots__ = (
        "_control",
        "_next_opening",
        "_next_sealing",
        "_old_largest",
        "_old_opening",
        "_received",
        "_sent",
        "opening",
        "receive_first",
        "receive_phase",
        "sealing",
        "send_first",
        "send_phase",
        "updates",
        "watch_below",
    )

    def __init__(self, sent: SentPackets, received: ReceivedPackets, control: Control) -> None:
        self._sent = sent
        self._received = received
        self._control = control
        self.opening: PacketProtection | None = None
        self.sealing: PacketProtection | None = None
        self.updates = 0
        self._restart()

    def set_keys(self, sealing: PacketProtection, opening: PacketProtection) -> None:
        """The first keys."""
        self.sealing, self.opening = sealing, opening
        self._restart()

    def _restart(self) -> None:
        self._next_sealing: PacketProtection | None = None
        self._next_opening: PacketProtection | None = None
        self._old_opening: PacketProtection | None = None
        self._old_largest = -1  # the largest number opened under older keys
        self.send_phase = self.receive_phase = 0
        self.send_first = self._sent.next_packet_number
        self.receive_first = self.watch_below = 0

    # --- what Python does ---------------------------------------------------------------------------

    def next_suite(self) -> int:
        """The suite that the next keys must have; ValueError if none can be set now."""
        if self.sealing is None:
            raise ValueError("no keys are set")
        if self.sealing._suite == SUITE_NULL:
            raise ValueError("the null suite has no key update")
        if self._next_sealing is not None or self._next_opening is not None:
            raise ValueError("the next keys are set already")
        return self.sealing._suite

    def set_next(self, sealing: PacketProtection, opening: PacketProtection) -> None:
        """The keys of the phase to come."""
        self._next_sealing, self._next_opening = sealing, opening

    def begin(self) -> bool:
        """Seals with the next keys from now on; False if the last update is not through (RFC 9001 §6.1)."""
        if self._next_sealing is None or self._sent.largest_acked < self.send_first:
            return False
        self._update_sealing()
        return True

    def drop_old(self) -> None:
        """Forgets the opening keys of the phase before."""
        self._old_opening = None

    # --- what packets do ----------------------------------------------------------------------------

    def open(self, number: int, header: bytes, payload: memoryview) -> bytes | None:
        """The payload by the keys of the packet's phase, None if it does not open.

        ProtocolError(KEY_UPDATE_ERROR) for an authentic packet with keys that its number cannot have.
        """
        if self.opening is None:
            return None
        if header[0] & KEY_PHASE_BIT != self.receive_phase:
            return self._open_other(number, header, payload)
        return self.opening._open(number, header, payload)

    def check(self, number: int, phase: int, frames: list[Frame]) -> None:
        """A packet below `watch_below`, open and checked otherwise: ProtocolError if its keys are too old."""
        if phase != self.receive_phase:
            self._old_largest = max(self._old_largest, number)
        elif number < self.receive_first:
            if number <= self._old_largest:
                raise ProtocolError(KEY_UPDATE_ERROR, "older keys for a higher packet number")
            self.receive_first = number
            self._watch()
        if phase != self.receive_phase or self.send_phase != self.receive_phase:
            self._check_acks(frames)

    def _check_acks(self, frames: list[Frame]) -> None:
        """Who acknowledges a packet under new keys has to use them (RFC 9001 §6.2)."""
        for frame in frames:
            if frame[0] in (FRAME_ACK, FRAME_ACK_ECN) and frame[2][0][1] > self.send_first:
                raise ProtocolError(KEY_UPDATE_ERROR, "newer keys acknowledged under older ones")

    def _open_other(self, number: int, header: bytes, payload: memoryview) -> bytes | None:
        """A packet whose phase bit differs: by its number it is older or newer than the present phase."""
        old, new = self._old_opening, self._next_opening
        if number >= self.receive_first and new is not None:
            opened = new._open(number, header, payload)
            if opened is not None:
                self._update_opening(number)
                return opened
        opened = old._open(number, header, payload) if old is not None else None
        if opened is not None and number >= self.receive_first:
            raise ProtocolError(KEY_UPDATE_ERROR, "older keys for a higher packet number")
        return opened

    def _update_opening(self, number: int) -> None:
        """The peer uses its next keys: so do we from our next packet on, if we do not yet."""
        if number <= self._received.largest:
            raise ProtocolError(KEY_UPDATE_ERROR, "older keys for a higher packet number")
        is_answer = self.send_phase != self.receive_phase
        if not is_answer and self.updates and self._sent.next_packet_number == self.send_first:
            raise ProtocolError(KEY_UPDATE_ERROR, "a key update before the last one was acknowledged")
        self._old_opening, self.opening, self._next_opening = self.opening, self._next_opening, None
        self._old_largest = self._received.largest
        self.receive_phase ^= KEY_PHASE_BIT
        self.receive_first = number
        self.updates += 1
        self._control.report(CONTROL_KEYS_UPDATED, 0)
        if is_answer:
            self._watch()
        else:
            self._update_sealing()

    def _update_sealing(self) -> None:
        self.sealing, self._next_sealing = self._next_sealing, None
        self.send_phase ^= KEY_PHASE_BIT
        self.send_first = self._sent.next_packet_number
        self._watch()

    def _watch(self) -> None:
        """Until the peer has answered every packet may acknowledge too much, afterwards only older ones."""
        is_answered = self.send_phase == self.receive_phase
        self.watch_below = self.receive_first if is_answered else MAX_PACKET_NUMBER + 1
