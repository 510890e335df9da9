"""The UDP socket under trio.

Owns: which transport there is. May not know: who drives it.
"""

from __future__ import annotations

import errno
import socket

from fastmux.aio.socket_options import create_udp_socket, forbid_fragmentation
from fastmux.aio.train_socket import TrainSocket
from fastmux.trio.loop import running_loop


def open_transport(
    family: int, local: tuple[object, ...] | None, *, reuse_port: bool = False
) -> TrainSocket:
    """A train transport on a new UDP socket bound to `local` (None: any address and port).

    Raises OSError if the address cannot be bound, and (ENOTSUP) on a system whose sockets have no `recvmsg`.
    """
    if not hasattr(socket.socket, "recvmsg_into"):
        raise OSError(errno.ENOTSUP, "fastmux.trio needs a system with recvmsg: use asyncio on this one")
    sock = create_udp_socket(family, local, reuse_port=reuse_port)
    try:
        transport = TrainSocket(running_loop(), sock)
        transport.may_fragment = not forbid_fragmentation(sock)
    except BaseException:
        sock.close()
        raise
    return transport
