"""What the tests of this room share: bounded runs, connection arguments, and both ends of a comm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import distributed.comm

import fastmux.dask
from fastmux.dask.comm import FastmuxComm
from fastmux.dask.links import Pool
from fastmux.dask.listener import FastmuxListener

T = TypeVar("T")
comm: Any = distributed.comm  # without types
_security: Any = fastmux.dask.Security


def run(main: Coroutine[Any, Any, T], timeout: float = 60.0) -> T:
    """Run a coroutine; whatever the loop reports to its exception handler fails the test."""
    reports: list[dict[str, Any]] = []

    async def bounded() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        async with asyncio.timeout(timeout):
            return await main

    result = asyncio.run(bounded())
    assert not reports, f"the loop reported {reports}"
    return result


def security(files: Path, *, node: str = "node", client: str = "client", ca: str = "ca") -> Any:
    """A `Security` with the named certificates."""
    roles = {"scheduler": node, "worker": node, "client": client}
    named = {f"tls_{role}_cert": str(files / f"{name}.pem") for role, name in roles.items()}
    keys = {f"tls_{role}_key": str(files / f"{name}.key") for role, name in roles.items()}
    return _security(tls_ca_file=str(files / f"{ca}.pem"), require_encryption=True, **named, **keys)


def of_listener(files: Path, **names: str) -> dict[str, Any]:
    """The arguments of a worker's listener."""
    arguments: dict[str, Any] = security(files, **names).get_listen_args("worker")
    return arguments


def of_connector(files: Path, role: str = "client", **names: str) -> dict[str, Any]:
    """The arguments of a connector of this role."""
    arguments: dict[str, Any] = security(files, **names).get_connection_args(role)
    return arguments


@dataclass
class Acceptance:
    """A listener and the comms that it took, in order."""

    listener: FastmuxListener
    taken: asyncio.Queue[FastmuxComm]


@asynccontextmanager
async def listening(
    files: Path, address: str = "fastmux://127.0.0.1", **arguments: Any
) -> AsyncIterator[Acceptance]:
    """A listener that keeps each comm."""
    taken: asyncio.Queue[FastmuxComm] = asyncio.Queue()
    given = {**of_listener(files), **arguments}
    async with comm.listen(address, taken.put_nowait, **given) as listener:
        yield Acceptance(listener, taken)


async def connect(files: Path, address: str, **arguments: Any) -> FastmuxComm:
    """A comm to an address."""
    made: FastmuxComm = await comm.connect(address, timeout=20, **{**of_connector(files), **arguments})
    return made


@asynccontextmanager
async def joined(files: Path) -> AsyncIterator[tuple[FastmuxComm, FastmuxComm]]:
    """The connector's and the acceptor's end of a comm; both are closed at the end."""
    async with listening(files) as acceptance:
        mine = await connect(files, acceptance.listener.contact_address)
        theirs = await acceptance.taken.get()
        try:
            yield mine, theirs
        finally:
            await mine.close()
            await theirs.close()
            await settled()


async def settled() -> None:
    """Close the connections of this loop's pool that are not in use."""
    for link in Pool.current().links:
        if link.leases == 0:
            link.connection.close()
            await link.connection.wait_closed()
