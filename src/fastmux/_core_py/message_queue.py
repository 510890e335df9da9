"""Outgoing messages of one channel (docs/wire-format.md §9): fragments, lost units, abandonment, lifetime.

Owns: what was given to send until it is acknowledged or given up. May not know: packets, frames, the
connection's credit.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop, heappush
from typing import NamedTuple

from fastmux._core_py.range_set import RangeSet
from fastmux.constants import (
    FRAGMENT_UNIT,
    LIFETIME,
    MAX_RETRANSMITS,
    MAX_STALE_ENTRIES,
    RELIABLE,
    UNRELIABLE,
)


class OutgoingMessage:
    """One message: `id` is None until its first fragment is sent."""

    __slots__ = ("acked", "count", "data", "expires_at", "id", "is_over", "lost", "next_unit")

    def __init__(self, data: bytes | memoryview, expires_at: float | None) -> None:
        self.data = data
        self.count = unit_count(len(data))
        self.id: int | None = None
        self.next_unit = 0  # the first unit never sent
        self.acked: RangeSet | None = None
        self.lost: dict[int, RangeSet] = {}  # by how often the units were sent again already
        self.expires_at = expires_at
        self.is_over = False  # acknowledged, abandoned or expired unsent


class Run(NamedTuple):
    """Units [start, stop) of a message that may go next; `attempt` counts retransmissions."""

    message: OutgoingMessage
    start: int
    stop: int
    attempt: int


def unit_count(size: int) -> int:
    """Units of a message of `size` bytes; an empty message is one unit."""
    return max(1, (size + FRAGMENT_UNIT - 1) // FRAGMENT_UNIT)


# Invariant: a message is in `waiting` (no id yet), else in `active` until it is over. `current` is the one
# started message that has units never sent. `lost` names the active messages that may have lost units.
# `abandoned` holds what the peer must still confirm to know of, `abandon_due` what of it is to be sent; the
# heap `_due_order` has the ids of that, and some that are due no more.
# `unsent_size` is 128 times the units never sent; `held_size` the bytes of waiting and active messages;
# `released` 128 times the units of those that were acknowledged, or whose end the peer has confirmed to know
# of. `_deadlines` has the waiting and active messages with a lifetime, and some that are over.
class MessageQueue:
    """Outgoing messages, first in first out."""

    __slots__ = (
        "_active",
        "_current",
        "_deadlines",
        "_due_order",
        "_is_finished",
        "_lost",
        "_waiting",
        "abandon_due",
        "abandoned",
        "abandoned_count",
        "charged",
        "fin_acked",
        "held_size",
        "is_expiry_watched",
        "is_fin_queued",
        "next_id",
        "released",
        "reliability",
        "unsent_size",
        "value",
    )

    def __init__(self, reliability: int = RELIABLE, value: int = 0) -> None:
        self.reliability = reliability
        self.value = value
        self._waiting: deque[OutgoingMessage] = deque()
        self._active: dict[int, OutgoingMessage] = {}
        self._current: OutgoingMessage | None = None
        self._lost: OrderedDict[int, None] = OrderedDict()
        self._deadlines: deque[OutgoingMessage] = deque()
        self.abandoned: dict[int, int] = {}
        self.abandon_due: dict[int, int] = {}
        self._due_order: list[int] = []
        self.abandoned_count = 0
        self.next_id = self.charged = self.released = self.unsent_size = self.held_size = 0
        self._is_finished = self.is_fin_queued = self.fin_acked = False
        self.is_expiry_watched = False  # the table has an entry for expiry_at

    def append(self, data: bytes | memoryview, now: float) -> None:
        """Takes a message."""
        expires_at = now + self.value / 1000 if self.reliability == LIFETIME else None
        message = OutgoingMessage(data, expires_at)
        self._waiting.append(message)
        self.unsent_size += message.count * FRAGMENT_UNIT
        self.held_size += len(data)
        if expires_at is not None:
            self._sweep_deadlines()
            self._deadlines.append(message)

    def finish(self) -> None:
        """No message comes after those taken."""
        self._is_finished = True

    def _sweep_deadlines(self) -> None:
        """The oldest may never be acknowledged: those behind it that are over must not pile up."""
        if len(self._deadlines) > 2 * self.message_count + MAX_STALE_ENTRIES:
            self._deadlines = deque(message for message in self._deadlines if not message.is_over)

    @property
    def message_count(self) -> int:
        """Messages that are not over, and those given up that the peer must still confirm to know of."""
        return len(self._waiting) + len(self._active) + len(self.abandoned)

    @property
    def is_fin_ready(self) -> bool:
        """True when the number of messages is known: finished, and each one started or gone."""
        return self._is_finished and not self._waiting and self._current is None

    @property
    def is_acknowledged(self) -> bool:
        """True when nothing taken is unsent or unacknowledged."""
        return not self._waiting and not self._active and not self.abandoned

    @property
    def has_started(self) -> bool:
        """True if units may go that need no credit: of started messages, lost or never sent."""
        return self._current is not None or bool(self._lost)

    @property
    def has_waiting(self) -> bool:
        """True if a message waits to be started."""
        return bool(self._waiting)

    def next_run(self, may_start: bool) -> Run | None:
        """What goes next: lost units, the rest of the started message, a new message if it may start."""
        while self._lost:
            message = self._active.get(next(iter(self._lost)))
            if message is not None and message.lost:
                attempt = min(message.lost)
                start, stop = message.lost[attempt]._first()
                return Run(message, start, stop, attempt)
            self._lost.popitem(last=False)
        if self._current is not None:
            return Run(self._current, self._current.next_unit, self._current.count, 0)
        if may_start and self._waiting:
            return Run(self._waiting[0], 0, self._waiting[0].count, 0)
        return None

    def send(self, run: Run, stop: int) -> tuple[bytes, int]:
        """The data of the units [run.start, stop) that now go, and their charge: a message starts whole."""
        message, charge = run.message, 0
        if message.id is None:
            self._waiting.popleft()
            message.id = self.next_id
            self._active[message.id] = message
            self._current = message
            self.next_id += 1
            charge = message.count * FRAGMENT_UNIT
            self.charged += charge
        if run.start == message.next_unit:
            message.next_unit = stop
            self.unsent_size -= (stop - run.start) * FRAGMENT_UNIT
            if stop == message.count:
                self._current = None
        else:
            lost = message.lost[run.attempt]
            lost._cut(run.start, stop)
            if not lost:
                del message.lost[run.attempt]
        return bytes(message.data[run.start * FRAGMENT_UNIT : stop * FRAGMENT_UNIT]), charge

    def on_acked(self, message_id: int, start: int, stop: int) -> None:
        """The peer has the units [start, stop)."""
        message = self._active.get(message_id)
        if message is None:
            return
        if message.acked is None:
            message.acked = RangeSet()
        message.acked._insert(start, stop)
        if message.acked._covered == message.count:
            self.released += message.count * FRAGMENT_UNIT
            self._end(message)
            return
        for attempt, lost in list(message.lost.items()):
            lost._cut(start, stop)
            if not lost:
                del message.lost[attempt]

    def on_lost(self, message_id: int, start: int, stop: int, attempt: int) -> None:
        """The units [start, stop) were lost: they go again, or the message is given up."""
        if not self.send_again(message_id, start, stop, attempt):
            self._abandon(self._active[message_id])

    def send_again(self, message_id: int, start: int, stop: int, attempt: int) -> bool:
        """Queues again what is missing of the units [start, stop); False if the mode forbids that."""
        message = self._active.get(message_id)
        if message is None:
            return True
        gaps = [(start, stop)] if message.acked is None else message.acked._gaps(start, stop)
        if not gaps:
            return True
        if self.reliability == UNRELIABLE or (self.reliability == MAX_RETRANSMITS and attempt >= self.value):
            return False
        again = attempt + 1 if self.reliability == MAX_RETRANSMITS else 0
        lost = message.lost.setdefault(again, RangeSet())
        for first, last in gaps:
            lost._insert(first, last)
        self._lost[message_id] = None
        return True

    def expire(self, now: float) -> None:
        """Gives up the messages whose lifetime is over; what was never started costs the peer nothing."""
        while self._deadlines and (self._deadlines[0].is_over or _is_due(self._deadlines[0], now)):
            message = self._deadlines.popleft()
            if message.is_over:
                continue
            if message.id is not None:
                self._abandon(message)
                continue
            self._waiting.popleft()  # deadlines are in the order of waiting
            self.unsent_size -= message.count * FRAGMENT_UNIT
            self.abandoned_count += 1
            self._end(message)

    @property
    def expiry_at(self) -> float | None:
        """When the next message expires."""
        while self._deadlines and self._deadlines[0].is_over:
            self._deadlines.popleft()
        return self._deadlines[0].expires_at if self._deadlines else None

    def take_abandoned(self, count: int) -> list[tuple[int, int]]:
        """At most `count` messages that the peer is to be told were given up: (id, fragment count)."""
        taken: list[tuple[int, int]] = []
        while self.abandon_due and len(taken) < count:
            message_id = heappop(self._due_order)
            if message_id in self.abandon_due:
                taken.append((message_id, self.abandon_due.pop(message_id)))
        return taken

    def on_abandon_acked(self, message_ids: tuple[int, ...]) -> None:
        """The peer knows that these were given up."""
        for message_id in message_ids:
            self.released += self.abandoned.pop(message_id, 0) * FRAGMENT_UNIT
            self.abandon_due.pop(message_id, None)
        if not self.abandon_due:
            self._due_order.clear()

    def on_abandon_lost(self, message_ids: tuple[int, ...]) -> None:
        """These must be told again."""
        for message_id in message_ids:
            if message_id in self.abandoned:
                self._tell(message_id)

    def drop(self) -> None:
        """Forgets everything: the channel's direction was reset."""
        self._waiting.clear()
        self._active.clear()
        self._current = None
        self._lost.clear()
        self._deadlines.clear()
        self.abandoned.clear()
        self.abandon_due.clear()
        self._due_order.clear()
        self.unsent_size = self.held_size = 0
        self.released = self.charged
        self._is_finished = False

    def _abandon(self, message: OutgoingMessage) -> None:
        if message is self._current:
            self._current = None
            self.unsent_size -= (message.count - message.next_unit) * FRAGMENT_UNIT
        if message.id is not None:
            self.abandoned[message.id] = message.count
            self._tell(message.id)
        self.abandoned_count += 1
        self._end(message)

    def _tell(self, message_id: int) -> None:
        """The peer is to be told that this message was given up."""
        if message_id not in self.abandon_due:
            self.abandon_due[message_id] = self.abandoned[message_id]
            heappush(self._due_order, message_id)

    def _end(self, message: OutgoingMessage) -> None:
        if message.id is not None:
            del self._active[message.id]
            self._lost.pop(message.id, None)
        self.held_size -= len(message.data)
        message.data = b""
        message.is_over = True


def _is_due(message: OutgoingMessage, now: float) -> bool:
    return message.expires_at is not None and message.expires_at <= now
