"""Dask's connector: a comm to an address, over the connection that leads there.

Owns: opening, and what its failures are to Dask. May not know: listening.
"""

from __future__ import annotations

from typing import Any

from distributed.comm.addressing import parse_host_port, unparse_host_port
from distributed.comm.core import CommClosedError, Connector, FatalCommClosedError

from fastmux import (
    AuthenticationError,
    BrokenResourceError,
    ClosedResourceError,
    ConnectionClosed,
    EndOfStream,
)
from fastmux.dask.comm import FastmuxComm
from fastmux.dask.constants import PREFIX
from fastmux.dask.frames import FrameError
from fastmux.dask.introduction import make_label, receive_answer
from fastmux.dask.links import Key, Lease, Pool
from fastmux.dask.security import find_tls


class FastmuxConnector(Connector):
    """Opens comms. Has no state: the pool of the running loop has it."""

    async def connect(self, address: str, deserialize: bool = True, **connection_args: Any) -> FastmuxComm:
        """Open a comm to "HOST:PORT".

        Raises OSError where another try may help, `FatalCommClosedError` for a certificate that does not do,
        ValueError or RuntimeError for a configuration that does not.
        """
        host, port = parse_host_port(address)
        pool = Pool.current()
        key = Key(host, port, find_tls(connection_args, fallback=pool.tls))
        try:
            lease = await pool.acquire(key)
        except AuthenticationError as error:
            raise FatalCommClosedError(f"{PREFIX}{address}: {error}") from error
        except ConnectionError as error:
            raise CommClosedError(f"{PREFIX}{address}: {error}") from error
        try:
            return await self._open(pool, key, lease, deserialize)
        except BaseException as error:
            lease.release()
            # A peer that is gone without a word, or does not take comms this way: the next try dials anew.
            pool.forget(lease.link)
            ends = (ConnectionError, EndOfStream, ClosedResourceError, BrokenResourceError, FrameError)
            if isinstance(error, ends):
                raise CommClosedError(f"{PREFIX}{address}: {error}") from error
            raise

    async def _open(self, pool: Pool, key: Key, lease: Lease, deserialize: bool) -> FastmuxComm:
        label = make_label(pool.announced(key.tls)[0])
        stream = await lease.connection.open_stream(label)
        try:
            local_address = await receive_answer(stream)
        except BaseException as error:
            stream.reset()
            if isinstance(error, ConnectionClosed) and error.remote:
                raise CommClosedError(f"the peer closed the connection: {error}") from error
            raise
        return FastmuxComm(stream, lease, local_address, unparse_host_port(key.host, key.port), deserialize)
