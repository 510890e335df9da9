"""Dask's listener: comms from whoever connects, and over connections that this process opened itself.

Owns: the server, its connections and the comms in their handshake. May not know: connecting.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from distributed.comm import utils
from distributed.comm.addressing import parse_host_port, unparse_host_port
from distributed.comm.core import BaseListener, CommClosedError

import fastmux
from fastmux import BrokenResourceError, ClosedResourceError, Connection, Stream
from fastmux import constants as c
from fastmux.dask.comm import FastmuxComm
from fastmux.dask.constants import PREFIX
from fastmux.dask.introduction import Address, claimed_address, may_answer_for, send_answer
from fastmux.dask.links import Key, Link, Pool, settings
from fastmux.dask.security import find_tls
from fastmux.security.config import TLSConfig
from fastmux.security.names import printable

logger = logging.getLogger("fastmux.dask")
_utils: Any = utils  # without types


class FastmuxListener(BaseListener):
    """Listens at one address until `stop`; comms that are open then go on.

    Invariant: `_server` is None before `start` and after `stop`; `_tasks` are those of comms that Dask's
    handler has not returned from.
    """

    prefix = PREFIX

    def __init__(
        self,
        address: str,
        comm_handler: Callable[[FastmuxComm], Any],
        deserialize: bool = True,
        allow_offload: bool = True,
        default_host: str | None = None,
        default_port: int = 0,
        **connection_args: Any,
    ) -> None:
        """`address` is "HOST:PORT", "HOST" or "". Raises as `find_tls`."""
        super().__init__()
        self._host, self._port = parse_host_port(address, default_port)
        self._default_host = default_host
        self._handler = comm_handler
        self._deserialize = deserialize
        self._allow_offload = allow_offload
        self._tls = find_tls(connection_args, server=getattr(comm_handler, "__self__", None))
        self._server: fastmux.Server | None = None
        self._bound: Address = ("", 0)
        self._pool: Pool | None = None
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bind the address. Raises OSError if that cannot be."""
        self._pool = Pool.current()
        self._server = await fastmux.listen(
            self._handle, self._host, self._port, tls=self._tls, close_timeout=None, **settings()
        )
        self._bound = self._server.sockets[0][:2]
        self._pool.takers[self._contact] = (self._tls, self._take)

    def stop(self) -> None:
        """Take no new comms. Those that are open go on; a connection without any is closed."""
        server, self._server = self._server, None
        if server is None:
            return
        if self._pool is not None:
            self._pool.takers.pop(self._contact, None)
        self._stopped.set()
        server.close()
        if self._pool is not None and not self._pool.takers:
            self._pool.close_unused()

    @property
    def _contact(self) -> Address:
        host, port = self._bound
        concrete: str = _utils.ensure_concrete_host(host, default_host=self._default_host)
        return concrete, port

    @property
    def listen_address(self) -> str:
        """Where it listens, with its scheme. Raises ValueError unless it is started."""
        self._check_started()
        return PREFIX + unparse_host_port(*self._bound)

    @property
    def contact_address(self) -> str:
        """Where others reach it, with its scheme. Raises ValueError unless it is started."""
        self._check_started()
        return PREFIX + unparse_host_port(*self._contact)

    def _check_started(self) -> None:
        if self._bound[1] == 0:
            raise ValueError("this listener has not been started")

    # --- connections ----------------------------------------------------------------------------------

    async def _handle(self, connection: Connection) -> None:
        """One connection that a peer opened: until it ends, or after `stop` the last comm does."""
        link = Link(connection)
        serving = asyncio.create_task(link.serve(self._take), name=f"fastmux dask {connection!r}")
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            await link.wait_unused()  # new comms are refused meanwhile
        finally:
            serving.cancel()
            stopped.cancel()
            if self._pool is not None:
                self._pool.forget(link)

    def _take(self, link: Link, stream: Stream) -> None:
        """A stream that is to be a comm, over a connection that either side opened."""
        if self._server is None:
            stream.reset(c.REFUSED)
            return
        task = asyncio.create_task(self._accept(link, stream), name="fastmux dask comm")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, link: Link, stream: Stream) -> None:
        """Dask's handshake, then its handler."""
        seen_at = _peer_address(link.connection)
        lease = link.lease()
        self._heed_claim(link, stream.label, seen_at)
        try:
            await send_answer(stream, seen_at)
        except (ConnectionError, ClosedResourceError, BrokenResourceError):
            stream.reset()
            lease.release()
            return
        local_address = unparse_host_port(*self._contact)
        comm = FastmuxComm(stream, lease, local_address, unparse_host_port(*seen_at), self._deserialize)
        comm.allow_offload = self._allow_offload
        try:
            await self.on_connection(comm)
        except CommClosedError:
            logger.info("a comm from %s closed before its handshake was done", comm.peer_address)
            return
        except Exception:
            logger.exception("a comm from %s failed in its handshake", comm.peer_address)
            comm.abort()
            return
        result = self._handler(comm)
        if inspect.isawaitable(result):
            await result

    def _heed_claim(self, link: Link, label: str, seen_at: Address) -> None:
        """Use the peer's connection for comms to the address that it listens at, if it proved to be there."""
        claimed = claimed_address(label)
        if claimed is None or self._pool is None:
            return
        hostname = self._tls.server_hostname if isinstance(self._tls, TLSConfig) else None
        if may_answer_for(link.connection.peer, seen_at, claimed, hostname):
            self._pool.add(Key(*claimed, self._tls), link)
        else:
            logger.warning(
                "%s says that it listens at %s, which its certificate does not prove: not used",
                unparse_host_port(*seen_at),
                printable(unparse_host_port(*claimed)),
            )


def _peer_address(connection: Connection) -> Address:
    address = connection.get_extra_info("peername")
    assert isinstance(address, tuple)
    return str(address[0]), int(address[1])
