"""One local client's TCP socket, while what it says is parsed.

Owns: the socket until it is handed on; how a client is watched, and how it is sent away. May not know: what
the bytes mean.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from fastmux.tunnel import constants as c
from fastmux.tunnel.forwarding.socket_end import SocketEnd, socket_end


class ClientSocket:
    """A connected TCP socket.

    Invariant: `_watching` is the one read that goes on when nobody waits for it any more. Whoever stops to
    watch a client may lose nothing of its next request, so the next `receive` gets what that read brings.
    """

    def __init__(self, sock: socket.socket, source: str) -> None:
        """Take the socket over. `source` is the client's address, without its port.

        `local_host` is the address that it connected to. Both are IPv4 addresses for an IPv4 client, also
        where the listener is of both families.
        """
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a client that vanished frees its place
        self.source = _unmapped(source)
        self.local_host = _unmapped(sock.getsockname()[0])
        self._sock = sock
        self._end = socket_end(sock)
        self._watching: asyncio.Task[bytes] | None = None

    async def receive(self, size: int = c.PROXY_RECEIVE_SIZE) -> bytes:
        """The next 1 to `size` bytes, b"" at the end. Raises OSError if the client is gone."""
        if self._watching is None:
            return await self._end.receive(size)
        return await self.watch()

    async def watch(self) -> bytes:
        """As `receive`, and what comes is not lost if the caller is cancelled."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._end.receive(c.PROXY_RECEIVE_SIZE))
        watching = self._watching
        await asyncio.wait({watching})
        self._watching = None
        return watching.result()

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError. Cancelled, a part may be out: only `reset` is left then."""
        await self._end.send(data)

    async def take(self) -> tuple[SocketEnd, bytes]:
        """For a splice: its end, and what has been read meanwhile. Raises OSError if the client is gone."""
        watching, self._watching = self._watching, None
        if watching is None:
            return self._end, b""
        watching.cancel()  # a read that is cancelled has taken nothing
        await asyncio.wait({watching})
        return self._end, b"" if watching.cancelled() else watching.result()

    async def close(self) -> None:
        """End in order: everything sent is delivered. May be repeated, and after `take`."""
        await self._stop_watching()
        self._end.close()

    async def reset(self) -> None:
        """End with a reset, lest the client take what it got for whole. May be repeated, and after `take`."""
        await self._stop_watching()
        self._end.reset()

    async def linger(self) -> None:
        """End a client that may still be sending: what it sends is read away for a while.

        A reset for unread data would overtake the answer that was sent (RFC 9112 §9.6).
        """
        try:
            await self._end.send_eof()
            async with asyncio.timeout(c.LINGER_TIMEOUT):
                left = c.LINGER_SIZE
                while left > 0 and (data := await self.receive()):
                    left -= len(data)
        except (OSError, TimeoutError):
            return  # it has gone, or does not stop: both mean that there is nothing more to wait for
        finally:
            await self.close()

    async def _stop_watching(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def _unmapped(host: str) -> str:
    """An IPv4 address as itself, where a socket of both families shows it inside an IPv6 one."""
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return host if mapped is None else str(mapped)
