"""The largest datagram that a path carries (RFC 8899, with RFC 9000 §14.3).

Owns: the search for it, and the suspicion that the path has shrunk. May not know: packets, how a probe is
made, when there is room for one. A probe is padded to its size; its loss is not congestion.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import Final

from fastmux.constants import (
    BASE_PLPMTU,
    BLACK_HOLE_THRESHOLD,
    JUMBO_PLPMTUS,
    JUMBO_STEP,
    MAX_MTU_PROBES,
    MAX_PLPMTU,
    MAX_UDP_PAYLOAD,
    MTU_PROBE_TIMEOUT,
    PMTU_RAISE_TIMER,
)
from fastmux.records import AckSummary

_NO_LIMIT: Final = MAX_UDP_PAYLOAD
RETRY_DELAY: Final = 15.0  # from a black hole to the next search, doubled for each one in a row


class MtuState(Enum):
    """RFC 8899 §5.2. DISABLED is a search whose maximum is its base: SEARCH_COMPLETE at once."""

    BASE = auto()  # only the base is used; a search starts when the deadline, if any, passes
    SEARCHING = auto()
    SEARCH_COMPLETE = auto()
    ERROR = auto()  # not even the base seems to pass: nothing is probed until something is acknowledged


class MtuDiscovery:
    """Climbs the usual sizes and bisects below the first that does not pass. Sizes are UDP payload bytes.

    The usual sizes are MAX_PLPMTU, the jumbo ones, and the maximum. Upwards, because what a path carries is
    mostly the first of them, or all: a path of 1,500 bytes costs the lost probes of one size, the smallest of
    the jumbo ones. Up to MAX_PLPMTU the size is found to the byte, between jumbo ones to JUMBO_STEP; between
    MAX_PLPMTU and the smallest of these nothing is looked for, as hardly any path is so wide.

    Make it when the handshake, whose datagrams have the base size, has confirmed the base.
    Before `due_at` there is nothing to do.
    Invariant: `base <= current <= _ceiling <= maximum`; `current` passed as a probe, or is the base; while
    SEARCHING, `_ceiling + 1` was lost MAX_MTU_PROBES times or is above `maximum`. At most one probe is
    outstanding, and a search loses at most `MAX_MTU_PROBES * (1 + log2(maximum - base))` of them.
    """

    __slots__ = (
        "_base",
        "_ceiling",
        "_hole_at",
        "_holes",
        "_losses",
        "_maximum",
        "_probe_sent_at",
        "_probe_size",
        "_rungs",
        "_search_at",
        "_suspected_at",
        "_suspects",
        "current",
        "due_at",
        "state",
    )

    def __init__(self, base: int = BASE_PLPMTU, maximum: int = MAX_PLPMTU) -> None:
        self.current = base
        self.state = MtuState.BASE if maximum > base else MtuState.SEARCH_COMPLETE
        self._base = base
        self._maximum = max(base, maximum)
        usual = (size for size in (MAX_PLPMTU, *JUMBO_PLPMTUS) if size < self._maximum)
        self._rungs = (*usual, self._maximum)
        self._ceiling = self._maximum
        self._search_at: float | None = None  # when BASE or SEARCH_COMPLETE ends; BASE without it: now
        self._probe_size = 0  # of the outstanding probe, 0: none
        self._probe_sent_at = 0.0
        self._losses = 0  # of probes of the size now tried
        self._holes = 0  # black holes in a row, less than PMTU_RAISE_TIMER apart
        self._hole_at = -math.inf
        self._suspects: list[int] = []  # largest sizes of loss bursts not yet refuted
        self._suspected_at = -math.inf
        self.due_at = math.inf
        self._reckon()

    def _reckon(self) -> None:
        """Set `due_at`, before which `next_probe` has nothing to do."""
        if self._probe_size:
            self.due_at = self._probe_sent_at + MTU_PROBE_TIMEOUT
        elif self.state is MtuState.SEARCHING:
            self.due_at = -math.inf
        elif self.state is MtuState.BASE:
            self.due_at = -math.inf if self._search_at is None else self._search_at
        elif self.state is MtuState.SEARCH_COMPLETE and self._search_at is not None:
            self.due_at = self._search_at
        else:
            self.due_at = math.inf

    @property
    def deadline(self) -> float | None:
        """When to call `next_probe` at the latest: a probe times out or a new search is due."""
        if self._probe_size:
            return self._probe_sent_at + MTU_PROBE_TIMEOUT
        return self._search_at

    def is_due(self, now: float) -> bool:
        """True if `next_probe` has something to do."""
        return now >= self.due_at

    def next_probe(self, now: float, room: int = _NO_LIMIT) -> int | None:
        """Return the size of a probe, which must then be sent, or None if there is nothing to probe now.

        A probe larger than `room` waits until it is asked for again with more.
        """
        if self._probe_size:
            if now < self._probe_sent_at + MTU_PROBE_TIMEOUT:
                return None
            self.on_probe_lost(self._probe_size, now)
        if self._is_search_due(now):
            self._start_search()
        if self.state is not MtuState.SEARCHING:
            return None
        size = self._next_size()
        if not size or size > room:
            return None
        self._probe_size = size
        self._probe_sent_at = now
        self._reckon()
        return size

    def on_probe_acked(self, size: int, now: float) -> None:
        """The outstanding probe of `size` passed. Reports of older probes are ignored."""
        if size != self._probe_size:
            return
        self._probe_size = 0
        self._losses = 0
        self.current = size
        self._suspects.clear()
        self._settle(now)
        self._reckon()

    def on_probe_lost(self, size: int, now: float) -> None:
        """The outstanding probe of `size` was lost; after MAX_MTU_PROBES of them the size is too large."""
        if size != self._probe_size:
            return
        self._probe_size = 0
        self._losses += 1
        if self._losses >= MAX_MTU_PROBES:
            self._losses = 0
            self._ceiling = size - 1
            self._settle(now)
        self._reckon()

    def on_summary(self, summary: AckSummary, now: float) -> None:
        """Look for a black hole: large packets are lost again and again while none as large arrives.

        A burst is what was sent after the last one was noticed, so there is at most one a round trip. It is
        suspicious until a packet at least as large as its largest is acknowledged.
        """
        if self.state is MtuState.ERROR and summary.acked_packets:
            self.state = MtuState.BASE  # the path is back: search at once
            self._reckon()
        if self.current == self._base:
            return
        if self._suspects:
            self._suspects = [size for size in self._suspects if size > summary.max_acked_size]
        lost_sent_at = summary.largest_lost_sent_at
        if lost_sent_at is None or lost_sent_at <= self._suspected_at:
            return
        if summary.max_lost_size > max(self._base, summary.max_acked_size):
            self._suspected_at = now
            self._suspects.append(summary.max_lost_size)
            if len(self._suspects) >= BLACK_HOLE_THRESHOLD:
                self._fall_to_base(now)

    def on_probe_timeout(self, pto_count: int, now: float) -> None:
        """A PTO fired, the `pto_count`th in a row: perhaps nothing arrives because it is too large."""
        if self.current > self._base:
            if pto_count >= BLACK_HOLE_THRESHOLD:
                self._fall_to_base(now)
        elif pto_count >= BLACK_HOLE_THRESHOLD and self.state is not MtuState.SEARCH_COMPLETE:
            self.state = MtuState.ERROR
            self._probe_size = 0
            self._search_at = None
            self._reckon()

    def _is_search_due(self, now: float) -> bool:
        if self.state is MtuState.BASE:
            return self._search_at is None or now >= self._search_at
        if self.state is MtuState.SEARCH_COMPLETE:
            return self._search_at is not None and now >= self._search_at
        return False

    def _start_search(self) -> None:
        self.state = MtuState.SEARCHING
        self._search_at = None
        self._ceiling = self._maximum
        self._losses = 0
        self._reckon()

    def _next_size(self) -> int:
        """The next usual size if it may pass, else one halfway to the ceiling; 0 if that is not worth it."""
        rung = next((size for size in self._rungs if size > self.current), 0)
        if rung <= self._ceiling:
            return rung
        if self._ceiling >= MAX_PLPMTU:
            is_jumbo = self.current >= JUMBO_PLPMTUS[0]
            if not is_jumbo or self._ceiling - self.current < JUMBO_STEP:
                return 0
        return (self.current + self._ceiling + 1) // 2 if self.current < self._ceiling else 0

    def _settle(self, now: float) -> None:
        """End the search if nothing is left between what passes and what does not."""
        if self._next_size():
            return
        self.state = MtuState.SEARCH_COMPLETE
        at_maximum = self.current == self._maximum
        self._search_at = None if at_maximum else now + PMTU_RAISE_TIMER

    def _fall_to_base(self, now: float) -> None:
        self.current = self._base
        self.state = MtuState.BASE
        if now - self._hole_at > PMTU_RAISE_TIMER:
            self._holes = 0
        self._hole_at = now
        self._search_at = now + min(RETRY_DELAY * (1 << self._holes), PMTU_RAISE_TIMER)
        self._holes = min(self._holes + 1, 6)  # RETRY_DELAY << 6 is beyond the raise timer
        self._probe_size = 0
        self._suspects.clear()
        self._reckon()
