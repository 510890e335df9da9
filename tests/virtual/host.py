"""A machine with one event loop: asyncio's own, over a clock and sockets that are made here.

Owns: when the loop has something to do, its clock and what is wrong with it, its sockets. May not know: other
hosts, how datagrams travel. A `turn` is one round of the loop; between turns nothing of it runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import logging
import math
import selectors
from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVarTuple, Unpack, cast

from fastmux.protocol.events import Address
from virtual.faults import Schedule
from virtual.sockets import Send, VirtualSocket

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

Arguments = TypeVarTuple("Arguments")
NEVER: Final = math.inf
_FIRST_FD: Final = 1 << 20
Ready = list[tuple[selectors.SelectorKey, int]]


class RunsInCircles(AssertionError):
    """A loop took more turns than it may."""


class _Selector(selectors.BaseSelector):
    """Says which virtual sockets are ready; real descriptors (the loop's own pipe) never are."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.keys: dict[int, selectors.SelectorKey] = {}

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: Any = None
    ) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self.keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self.keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> Ready:
        return [(key, mask) for key in self.keys.values() if (mask := self._host.events_of(key))]

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return cast("Mapping[FileDescriptorLike, selectors.SelectorKey]", self.keys)


class HostLoop(asyncio.SelectorEventLoop):
    """Invariant: `has_calls` is True if a call waits for the next turn; `timers` has every timer to come."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timers_made = 0
        self.has_calls = False
        self.selector = _Selector(host)
        super().__init__(self.selector)

    def time(self) -> float:
        """The host's monotonic clock."""
        return self.host.clock()

    def call_soon(
        self,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        self.has_calls = True
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        self.has_calls = True
        return super().call_soon_threadsafe(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        self._timers_made += 1
        heapq.heappush(self.timers, (when, self._timers_made, handle))
        return handle

    def add_reader(
        self, fd: FileDescriptorLike, callback: Callable[[Unpack[Arguments]], Any], *args: *Arguments
    ) -> None:
        if not self.host.may_watch:
            raise NotImplementedError("as on the proactor loop of Windows")
        super().add_reader(fd, callback, *args)

    def live_timers(self) -> list[asyncio.TimerHandle]:
        """Those that will still fire."""
        return [handle for _, _, handle in sorted(self.timers) if not handle.cancelled()]

    def next_timer(self) -> float:
        """When the first of them will, by this host's clock."""
        while self.timers and self.timers[0][2].cancelled():
            heapq.heappop(self.timers)
        return self.timers[0][0] if self.timers else NEVER

    def turn(self) -> None:
        """Go round once."""
        now = self.time()
        self.has_calls = False
        self.stop()  # one round, and no longer
        self.run_forever()
        while self.timers and (self.timers[0][0] <= now or self.timers[0][2].cancelled()):
            heapq.heappop(self.timers)


class Host:
    """`ip` is its address. `turn_time` (seconds) passes for it with each turn of its loop.

    `skew` is how far its monotonic clock has jumped ahead, `tick` how coarse it is (0: not at all). While
    `busy_until` is ahead of the world's time no turn of its loop begins. `reports` is what its loop told its
    exception handler.
    """

    def __init__(self, ip: str, time: Callable[[], float], send: Send, random: Random) -> None:
        self.ip = ip
        self._time = time
        self._send = send
        self._random = random
        self.schedule = Schedule(random)
        self.turn_time = 0.00005
        self.skew = 0.0
        self.tick = 0.0
        self.busy_until = 0.0
        self.turns = 0
        self.most_turns = NEVER
        self.has_gso = True
        self.has_gro = True
        self.may_watch = True
        self.receive_limit = 1 << 22
        self.sockets: dict[int, VirtualSocket] = {}
        self._fds_made = 0
        self.reports: list[dict[str, Any]] = []
        self.loop = HostLoop(self)
        self.loop.set_exception_handler(lambda _, report: self._on_report(report))

    def _on_report(self, report: dict[str, Any]) -> None:
        self.reports.append(report)
        logging.getLogger("virtual").info("%s: %s", self.ip, report)

    # --- time --------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The world's time as this host has reached it: ahead of the world while it is busy."""
        return max(self._time(), self.busy_until)

    def clock(self) -> float:
        """What its monotonic clock says."""
        now = self.now + self.skew
        return math.floor(now / self.tick + 1e-9) * self.tick if self.tick else now

    def block(self, seconds: float) -> None:
        """Do something for so long that gives the loop no turn."""
        self.busy_until = self.now + seconds

    def jump(self, seconds: float) -> None:
        """Let the monotonic clock leap ahead, as after a suspension that it counts."""
        self.skew += seconds

    def next_at(self) -> float:
        """When its loop wants a turn, by the world's clock."""
        if self.loop.has_calls:
            return self.now
        at = self.loop.next_timer()
        if at != NEVER:
            if self.tick:
                at = math.ceil(at / self.tick - 1e-9) * self.tick
            at -= self.skew
        for key in self.loop.selector.keys.values():
            at = min(at, self._ready_at(key))
        return max(at, self.now)

    def turn(self) -> None:
        """Give its loop a turn. Raises `RunsInCircles`."""
        self.turns += 1
        if self.turns > self.most_turns:
            raise RunsInCircles(f"{self.turns} turns of {self.ip} until {self.now}")
        self.loop.turn()
        self.busy_until = self.now + self.turn_time

    # --- sockets -----------------------------------------------------------------------------------

    def open_socket(self, address: Address | None) -> VirtualSocket:
        """A bound socket. Raises OSError if the address is in use."""
        host, port = (address or ("", 0))[:2]
        self._fds_made += 1
        bound = (host if host not in ("", "0.0.0.0") else self.ip, port or 40000 + self._fds_made)
        if self.find(bound) is not None:
            raise OSError(98, "Address already in use")
        fd = _FIRST_FD + self._fds_made
        sock = VirtualSocket(self, fd, bound, self._send, has_gso=self.has_gso, has_gro=self.has_gro)
        sock.receive_limit = self.receive_limit
        self.sockets[fd] = sock
        return sock

    def release(self, sock: VirtualSocket) -> None:
        """A socket of this host is closed."""
        self.sockets.pop(sock.fileno())

    def find(self, address: Address) -> VirtualSocket | None:
        """The socket that is bound there."""
        return next((sock for sock in self.sockets.values() if sock.getsockname() == address), None)

    def _ready_at(self, key: selectors.SelectorKey) -> float:
        sock = self.sockets.get(key.fd)
        if sock is None or sock.is_broken:
            return NEVER
        if key.events & selectors.EVENT_READ and sock.can_be_read:
            return self.now
        return sock.room_at if key.events & selectors.EVENT_WRITE else NEVER

    def events_of(self, key: selectors.SelectorKey) -> int:
        """What a selector says of a descriptor now."""
        sock = self.sockets.get(key.fd)
        if sock is None or sock.is_broken:
            return 0
        mask = selectors.EVENT_READ if sock.can_be_read else 0
        if self.now >= sock.room_at:
            mask |= selectors.EVENT_WRITE
        return mask & key.events
