"""A connection that changes its path: a client's new sockets, and what is logged of either end's moves.

Owns: which socket belongs to which local path, and the tasks that wait for a move. May not know: how a path
is tried (the protocol does that).
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from fastmux.aio.driver import Driver
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.loop import Waiter
from fastmux.protocol.connection import Connection as ProtocolConnection
from fastmux.protocol.events import Address, PathFailed, PathLeft, PathMoved


class Moves:
    """Invariant: `_waiting` has a future for each local path that is being tried, and nobody else's."""

    def __init__(self, driver: Driver, connection: ProtocolConnection) -> None:
        self._driver = driver
        self._connection = connection
        self._log = ConnectionLog(connection.ids.first.hex())
        self._waiting: dict[int, Waiter[str | None]] = {}

    async def migrate(self, local_address: tuple[str, int] | None, check: Callable[[], None]) -> None:
        """Go on by a new socket. `check` raises if the connection is over."""
        driver, connection = self._driver, self._connection
        family = socket.AF_INET6 if ":" in connection.address[0] else socket.AF_INET
        transport = await driver.open_transport(family, local_address)
        via = driver.paths.add(transport)
        outcome: Waiter[str | None] = driver.wakeups.create_future()
        self._waiting[via] = outcome
        try:
            check()
            connection.migrate(via, driver.clock())
            driver.schedule(connection)
            reason = await outcome
            check()
        except BaseException:
            if driver.paths.via != via:
                connection.give_up_path(via)
                driver.paths.drop(via)
            raise
        finally:
            self._waiting.pop(via, None)
        if reason is not None:
            raise TimeoutError(
                f"the connection stays where it is: {reason} by way of {transport.sockname[:2]}"
            )

    def handle_event(self, event: PathMoved | PathFailed | PathLeft) -> None:
        """Take an event of the protocol."""
        match event:
            case PathMoved(address, previous, via, is_validated):
                self._on_moved(address, previous, via, is_validated)
            case PathFailed(address, via, reason):
                self._log.info("%s: %s", self._describe(address, via), reason)
                self._settle(via, reason)
                self._driver.paths.drop(via)
            case PathLeft(via):
                self._settle(via, "it had to make room for others")
                self._driver.paths.drop(via)

    def _on_moved(self, address: Address, previous: Address, via: int, is_validated: bool) -> None:
        if self._connection.is_client:
            old = self._driver.transport.sockname
            self._driver.paths.use(via)
            self._log.info("moved from %s to %s", _text(old), _text(self._driver.transport.sockname))
        else:
            state = "" if is_validated else ", not validated yet"
            self._log.info("the peer moved from %s to %s%s", _text(previous), _text(address), state)
        self._settle(via, None)

    def on_closed(self) -> None:
        """The connection is over: nobody waits any longer."""
        for via in list(self._waiting):
            self._settle(via, "the connection ended")

    def _settle(self, via: int, reason: str | None) -> None:
        outcome = self._waiting.get(via)
        if outcome is not None and not outcome.done():
            outcome.set_result(reason)

    def _describe(self, address: Address, via: int) -> str:
        transport = self._driver.paths.get(via) if self._connection.is_client else None
        local = "" if transport is None else f" from {_text(transport.sockname)}"
        return f"the path{local} to {_text(address)}"


def _text(address: Address) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
