"""Looking up names, so many at once for each identity, and not for ever.

Owns: who waits and for how long. May not know: rules, what the addresses are for.

The event loop looks names up in threads that all its users share, and a thread cannot be stopped: one
identity that asks for names of a dead name server would hold them all. So a look-up that nobody waits for any
more still counts until its thread is free.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from dataclasses import dataclass
from typing import Any, Final

from fastmux.protocol.events import Address
from fastmux.tunnel.constants import (
    MAX_LOOKUPS_PER_IDENTITY,
    MAX_RESOLVED_ADDRESSES,
    MAX_WAITING_LOOKUPS,
    RESOLVE_TIMEOUT,
)

_logger: Final = logging.getLogger("fastmux.tunnel.lookups")

_Found = list[tuple[int, Address]]
_Task = asyncio.Task[list[tuple[Any, ...]]]


@dataclass(slots=True)
class _Asker:
    slots: asyncio.Semaphore
    lookups: int = 0  # running or waiting


class Lookups:
    """The name look-ups of a server.

    Invariant: an identity has an entry in `_askers` exactly while a look-up of its runs or waits; at most
    `per_identity` of them run, those included that were given up, and `_running` holds these.
    """

    def __init__(
        self,
        *,
        timeout: float = RESOLVE_TIMEOUT,
        per_identity: int = MAX_LOOKUPS_PER_IDENTITY,
        max_waiting: int = MAX_WAITING_LOOKUPS,
    ) -> None:
        """`timeout` is in seconds and holds the wait for others of the same identity too."""
        self._timeout = timeout
        self._per_identity = per_identity
        self._max_waiting = max_waiting
        self._askers: dict[str, _Asker] = {}
        self._running: set[_Task] = set()

    async def addresses(self, identity: str, name: str, port: int, kind: socket.SocketKind) -> _Found:
        """Return `(family, address)` for each address of a name, as ordered by the system, each once.

        At most 32. Raises OSError: `socket.gaierror` if the name has none, `TimeoutError`, or another if this
        identity has too many look-ups waiting.
        """
        asker = self._askers.setdefault(identity, _Asker(asyncio.Semaphore(self._per_identity)))
        if asker.lookups >= self._per_identity + self._max_waiting:
            raise OSError(errno.EAGAIN, "too many names are being looked up for this identity")
        asker.lookups += 1
        task: _Task | None = None
        try:
            async with asyncio.timeout(self._timeout):
                await asker.slots.acquire()
                task = self._start(identity, asker, name, port, kind)
                found = await asyncio.shield(task)
        except TimeoutError:
            raise TimeoutError(f"looking up {name} took longer than {self._timeout:g} s") from None
        finally:
            if task is None:
                self._count_off(identity, asker)
        return _each_once(name, found)

    def _start(self, identity: str, asker: _Asker, name: str, port: int, kind: socket.SocketKind) -> _Task:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.getaddrinfo(name, port, type=kind))

        def end(done: _Task) -> None:
            asker.slots.release()
            self._running.discard(done)
            self._count_off(identity, asker)
            if not done.cancelled():
                done.exception()  # seen: whoever asked may have gone

        self._running.add(task)
        task.add_done_callback(end)
        return task

    def _count_off(self, identity: str, asker: _Asker) -> None:
        asker.lookups -= 1
        if not asker.lookups:
            del self._askers[identity]


def _each_once(name: str, found: list[tuple[Any, ...]]) -> _Found:
    every: dict[tuple[int, Address], None] = {}
    for family, _, _, _, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            every[int(family), address] = None
    if len(every) > MAX_RESOLVED_ADDRESSES:
        _logger.info("%s has %d addresses: %d are looked at", name, len(every), MAX_RESOLVED_ADDRESSES)
    return list(every)[:MAX_RESOLVED_ADDRESSES]
