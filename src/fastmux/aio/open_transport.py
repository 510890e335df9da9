"""Picks the train transport that the running event loop allows.

Owns: the choice. May not know: how either works.
"""

from __future__ import annotations

import asyncio
import socket

from fastmux.aio.datagram_endpoint import DatagramEndpoint, open_datagram_endpoint
from fastmux.aio.socket_options import create_udp_socket, forbid_fragmentation
from fastmux.aio.train_socket import TrainSocket
from fastmux.aio.transport import TrainTransport


def has_add_reader(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bool:
    """Whether this loop can watch a socket (the Windows proactor loop cannot)."""
    if not hasattr(sock, "recvmsg_into"):
        return False
    try:
        loop.add_reader(sock.fileno(), bool)
    except NotImplementedError:
        return False
    loop.remove_reader(sock.fileno())
    return True


async def open_transport(
    family: int, local: tuple[object, ...] | None, *, reuse_port: bool = False
) -> TrainTransport:
    """A train transport on a new UDP socket bound to `local` (None: any address and port).

    Raises OSError if the address cannot be bound.
    """
    return await open_transport_on(create_udp_socket(family, local, reuse_port=reuse_port))


async def open_transport_on(sock: socket.socket) -> TrainTransport:
    """A train transport on `sock`, a bound UDP socket, which it takes over; closed if it raises."""
    loop = asyncio.get_running_loop()
    try:
        sock.setblocking(False)  # one that came from another process, or is a duplicate, does not know
        transport: TrainSocket | DatagramEndpoint
        if has_add_reader(loop, sock):
            transport = TrainSocket(loop, sock)
        else:
            transport = await open_datagram_endpoint(loop, sock)
        transport.may_fragment = not forbid_fragmentation(sock)
        return transport
    except BaseException:
        sock.close()
        raise
