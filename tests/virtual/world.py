"""Hosts, the links between them, and the one clock of them all.

Owns: time, order, and where datagrams go. May not know: what runs on the hosts. Time passes only where every
host waits; two hosts of the same moment take their turns in the order in which they were made.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Coroutine
from random import Random
from types import TracebackType
from typing import Any, Final, TypeVar, cast

import pytest

from fastmux.aio import open_transport
from fastmux.protocol.events import Address
from network.conditions import Conditions
from network.link import Link
from virtual.host import NEVER, Host, HostLoop
from virtual.sockets import VirtualSocket

T = TypeVar("T")

START: Final = 1000.0  # so that nothing can rest on zero
LIMIT: Final = 3600.0  # virtual seconds that a run may take if nothing else is said


class NothingWillHappen(AssertionError):
    """What is waited for does not come about: nobody has anything to do, or the time is over."""


class _Log(logging.Handler):
    """Keeps the lines of fastmux and asyncio with the virtual time at which they came."""

    def __init__(self, time: Callable[[], float]) -> None:
        super().__init__(logging.DEBUG)
        self._time = time
        self.lines: list[tuple[float, str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line: when, whose, how bad, and its text before the arguments are filled in."""
        self.lines.append((self._time(), record.name, record.levelno, str(record.msg)))


class World:
    """A context manager: at its end every host's tasks are cancelled and its loop is closed.

    `conditions` are those of every link that is not set apart by `set_link`.
    """

    def __init__(self, seed: int = 0, conditions: Conditions | None = None) -> None:
        self.now = START
        self.random = Random(f"world {seed}")
        self._seed = seed
        self._conditions = conditions or Conditions()
        self._links: dict[tuple[str, str], Link] = {}
        self.hosts: dict[str, Host] = {}
        self._arrivals: list[tuple[float, int, Address, Address, bytes]] = []
        self._arrivals_made = 0
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._calls_made = 0
        self.log = _Log(lambda: self.now)
        self._levels: dict[str, int] = {}
        self._patch = pytest.MonkeyPatch()
        self.closers: list[Callable[[], None]] = []  # called at the end, before tasks are cancelled

    def __enter__(self) -> World:
        self._patch.setattr(open_transport, "create_udp_socket", self._create_udp_socket)
        for name in ("fastmux", "asyncio"):
            logger = logging.getLogger(name)
            self._levels[name] = logger.level
            logger.setLevel(logging.WARNING)
            logger.addHandler(self.log)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._finish()
        finally:
            for host in self.hosts.values():
                host.loop.close()
            self._patch.undo()
            for name, level in self._levels.items():
                logging.getLogger(name).removeHandler(self.log)
                logging.getLogger(name).setLevel(level)

    def _finish(self) -> None:
        """Close what there is to close, cancel what still runs, wherever, and let it end."""
        for close in self.closers:
            close()
        tasks = [task for host in self.hosts.values() for task in asyncio.all_tasks(host.loop)]
        for task in tasks:
            task.cancel()
        self.run_until(lambda: all(task.done() for task in tasks), timeout=600.0)
        self.run_for(0.1)

    # --- building ----------------------------------------------------------------------------------

    def host(self) -> Host:
        """One more host with an address of its own."""
        ip = f"10.0.0.{len(self.hosts) + 1}"
        dice = Random(f"host {self._seed} {ip}")
        host = self.hosts[ip] = Host(ip, lambda: self.now, self._send, dice)
        return host

    def link(self, source: Host, target: Host) -> Link:
        """The direction from one host to another; its conditions may be changed at any time."""
        return self._link(source.ip, target.ip)

    def set_conditions(self, conditions: Conditions) -> None:
        """Let all links have these."""
        self._conditions = conditions
        for link in self._links.values():
            link.conditions = conditions

    def _link(self, source: str, target: str) -> Link:
        if (source, target) not in self._links:
            dice = Random(f"{self._seed}{source}{target}")
            self._links[source, target] = Link(self._conditions, dice)
        return self._links[source, target]

    @staticmethod
    def _create_udp_socket(
        family: int, local: tuple[object, ...] | None, *, reuse_port: bool = False
    ) -> VirtualSocket:
        """Stands for the system's: the socket is one of the host on whose loop this runs."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, HostLoop)
        return loop.host.open_socket(cast("Address | None", local))

    # --- datagrams ---------------------------------------------------------------------------------

    def _send(self, sock: VirtualSocket, data: bytes, target: Address) -> None:
        source = sock.getsockname()
        now = self.hosts[source[0]].now
        for at, arrived in self._link(source[0], target[0]).carry(data, now):
            self._add(at, arrived, source, target)

    def inject(self, data: bytes, source: Address, target: Address) -> None:
        """Let a datagram that no host sent arrive now."""
        self._add(self.now, data, source, target)

    def _add(self, at: float, data: bytes, source: Address, target: Address) -> None:
        self._arrivals_made += 1
        heapq.heappush(self._arrivals, (at, self._arrivals_made, source, target, data))

    def _deliver(self) -> None:
        while self._arrivals and self._arrivals[0][0] <= self.now:
            _, _, source, target, data = heapq.heappop(self._arrivals)
            host = self.hosts.get(target[0])
            sock = None if host is None else host.find(target)
            if sock is not None:
                sock.arrive(data, source)

    # --- running -----------------------------------------------------------------------------------

    def start(self, host: Host, main: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Let a coroutine run on a host, whenever the world runs."""
        return host.loop.create_task(main)

    def run(self, host: Host, main: Coroutine[Any, Any, T], timeout: float = LIMIT) -> T:
        """Run until a coroutine on a host has ended, and return its result."""
        task = self.start(host, main)
        self.run_until(task.done, timeout)
        return task.result()

    def run_until(self, holds: Callable[[], bool], timeout: float = LIMIT) -> None:
        """Run until something holds. Raises `NothingWillHappen`."""
        stop_at = self.now + timeout
        while not holds():
            at = self._next_at()
            if at > stop_at:
                tasks = [task for host in self.hosts.values() for task in asyncio.all_tasks(host.loop)]
                raise NothingWillHappen(f"not within {timeout} s; next at {at}; waiting: {tasks}")
            self._step(at)

    def call_at(self, at: float, act: Callable[[], object]) -> None:
        """Do something between two turns, at a time of the world's clock."""
        self._calls_made += 1
        heapq.heappush(self._calls, (at, self._calls_made, act))

    def run_for(self, seconds: float) -> None:
        """Run for so many virtual seconds."""
        stop_at = self.now + seconds
        while (at := self._next_at()) <= stop_at:
            self._step(at)
        self.now = stop_at

    def _next_at(self) -> float:
        first = min((queue[0][0] for queue in (self._arrivals, self._calls) if queue), default=NEVER)
        return min(first, min((host.next_at() for host in self.hosts.values()), default=NEVER))

    def _step(self, at: float) -> None:
        self.now = max(self.now, at)
        while self._calls and self._calls[0][0] <= self.now:
            heapq.heappop(self._calls)[2]()
        self._deliver()
        for host in self.hosts.values():
            if host.next_at() <= self.now:
                host.turn()

    # --- verdicts ----------------------------------------------------------------------------------

    def reports(self) -> list[dict[str, Any]]:
        """What the loops told their exception handlers: exceptions that nobody caught."""
        return [report for host in self.hosts.values() for report in host.reports]

    def chatter(self, level: int = logging.WARNING) -> list[str]:
        """Kinds of log lines of at least this level that came twice within a second, from one logger."""
        last: dict[tuple[str, str], float] = {}
        found = []
        for at, name, severity, text in self.log.lines:
            if severity < level:
                continue
            if at - last.get((name, text), -NEVER) < 1.0:
                found.append(f"{name}: {text}")
            last[name, text] = at
        return found
