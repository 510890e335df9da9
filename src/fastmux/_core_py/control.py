"""Rare frames: those that Python queues, and those of the peer that Python acts on.

Owns: both queues and their limits. May not know: what the frames mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from fastmux.constants import (
    FRAME_ACK_FREQUENCY,
    FRAME_APPLICATION_CLOSE,
    FRAME_CONNECTION_CLOSE,
    FRAME_EXTENSION_FIRST,
    FRAME_HANDSHAKE_DONE,
    FRAME_MAX_CHANNELS,
    FRAME_NEW_ID,
    FRAME_PATH_CHALLENGE,
    FRAME_PATH_RESPONSE,
    FRAME_RETIRE_ID,
    MAX_CONTROL_FRAME,
    MAX_CONTROL_QUEUE_SIZE,
    MAX_CONTROL_REPORTS_SIZE,
    MAX_PATH_CHALLENGES,
    REPORT_CHARGE,
    RESOURCE_LIMIT,
)
from fastmux.exceptions import ProtocolError

_REPORTED = frozenset(
    (
        FRAME_HANDSHAKE_DONE,
        FRAME_MAX_CHANNELS,
        FRAME_NEW_ID,
        FRAME_RETIRE_ID,
        FRAME_PATH_CHALLENGE,
        FRAME_PATH_RESPONSE,
        FRAME_ACK_FREQUENCY,
        FRAME_CONNECTION_CLOSE,
        FRAME_APPLICATION_CLOSE,
    )
)


def is_reported(kind: int) -> bool:
    """True for a frame of the peer that Python acts on (of MAX_CHANNELS, for one that is news)."""
    return kind in _REPORTED or kind >= FRAME_EXTENSION_FIRST


def report_charge(report: Sequence[Any]) -> int:
    """What a report is charged while it waits: an object, and what may be long in its frame."""
    if report[0] in (FRAME_CONNECTION_CLOSE, FRAME_APPLICATION_CLOSE) or report[0] >= FRAME_EXTENSION_FIRST:
        return REPORT_CHARGE + len(report[-1])
    return REPORT_CHARGE


# Invariant: `queued_size` is the sum of the sizes in `queued`, `report_size` that of what the reports are
# charged. Of PATH_CHALLENGE frames the newest are in `challenges`, beside the other reports, each with how
# many of those came before it: the oldest one goes without a search.
class Control:
    """Frames and reports between Python and the packets."""

    __slots__ = ("_challenges", "_reports", "queued", "queued_size", "report_size")

    def __init__(self) -> None:
        self.queued: deque[tuple[int, bytes]] = deque()
        self.queued_size = 0
        self._reports: list[tuple[Any, ...]] = []
        self.report_size = 0
        self._challenges: deque[tuple[int, tuple[Any, ...]]] = deque()  # at most MAX_PATH_CHALLENGES

    def queue(self, token: int, frame: bytes) -> None:
        """An encoded frame to be sent once; ProtocolError(RESOURCE_LIMIT) when too much waits."""
        if not 0 < len(frame) <= MAX_CONTROL_FRAME:
            raise ValueError(f"a control frame must have 1 to {MAX_CONTROL_FRAME} bytes")
        if self.queued_size + len(frame) > MAX_CONTROL_QUEUE_SIZE:
            raise ProtocolError(RESOURCE_LIMIT, "too many control frames waiting")
        self.queued.append((token, frame))
        self.queued_size += len(frame)

    def next(self, room: int) -> tuple[int, bytes] | None:
        """The next frame if it fits into `room` bytes."""
        if not self.queued or len(self.queued[0][1]) > room:
            return None
        self.queued_size -= len(self.queued[0][1])
        return self.queued.popleft()

    def has_room(self, charge: int) -> bool:
        """True if reports of that charge more can wait."""
        return self.report_size + charge <= MAX_CONTROL_REPORTS_SIZE

    def report(self, *report: Any) -> None:
        """Something for take(); of PATH_CHALLENGE frames the newest are kept."""
        if report[0] == FRAME_PATH_CHALLENGE:
            if len(self._challenges) == MAX_PATH_CHALLENGES:
                self._challenges.popleft()
                self.report_size -= REPORT_CHARGE
            self._challenges.append((len(self._reports), report))
        else:
            self._reports.append(report)
        self.report_size += report_charge(report)

    def take(self) -> list[tuple[Any, ...]]:
        """The reports since the last call."""
        reports, self._reports, self.report_size = self._reports, [], 0
        while self._challenges:
            reports.insert(*self._challenges.pop())  # the last one first: the places before it stay right
        return reports
