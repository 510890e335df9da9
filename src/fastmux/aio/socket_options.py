"""The options of a UDP socket that fastmux wants, and which of them this kernel has.

Owns: the numbers that `socket` has no name for, and how they are set. May not know: the event loop.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from typing import Final

from fastmux.constants import SOCKET_BUFFER_SIZE

logger = logging.getLogger("fastmux.socket")

# <linux/udp.h>, <linux/in.h>, <linux/in6.h>, <asm-generic/socket.h>
SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_PMTUDISC_PROBE: Final = 3  # DF is set and the kernel's idea of the path MTU is ignored (RFC 8899 §3)
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
# <netinet/in.h> of macOS
_IP_DONTFRAG: Final = 28
_IPV6_DONTFRAG: Final = 62

GSO_REFUSALS: Final = frozenset((errno.EIO, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOPROTOOPT))
# The descriptor was closed under us, and the number is perhaps something else's by now.
GONE: Final = frozenset((errno.EBADF, errno.ENOTSOCK))
_IS_LINUX: Final = sys.platform == "linux"


def _try_option(sock: socket.socket, level: int, option: int, value: int) -> bool:
    """Set an option; False if this kernel does not have it or does not allow it."""
    try:
        sock.setsockopt(level, option, value)
    except OSError:
        return False
    return True


class BufferHint:
    """Says once, and only once, that the kernel gives less buffer than asked for."""

    def __init__(self) -> None:
        self._was_given = False

    def give(self, size: int) -> None:
        """Log the hint for buffers of `size` bytes."""
        if self._was_given:
            return
        self._was_given = True
        remedy = (
            f"sysctl -w net.core.rmem_max={SOCKET_BUFFER_SIZE} net.core.wmem_max={SOCKET_BUFFER_SIZE}"
            if _IS_LINUX
            else "raise the system's limit of UDP socket buffers"
        )
        logger.info(
            "UDP socket buffers have %d of the wanted %d bytes: bursts may be lost; remedy: %s",
            size,
            SOCKET_BUFFER_SIZE,
            remedy,
        )


_hint = BufferHint()


def raise_buffers(sock: socket.socket, hint: BufferHint = _hint) -> int:
    """Ask for SOCKET_BUFFER_SIZE each way and return the smaller of what the kernel gave, in bytes."""
    given = SOCKET_BUFFER_SIZE
    for option, force in ((socket.SO_SNDBUF, _SO_SNDBUFFORCE), (socket.SO_RCVBUF, _SO_RCVBUFFORCE)):
        if sock.getsockopt(socket.SOL_SOCKET, option) >= SOCKET_BUFFER_SIZE:
            continue
        if not (_IS_LINUX and _try_option(sock, socket.SOL_SOCKET, force, SOCKET_BUFFER_SIZE)):
            _try_option(sock, socket.SOL_SOCKET, option, SOCKET_BUFFER_SIZE)
        given = min(given, sock.getsockopt(socket.SOL_SOCKET, option))
    if given < SOCKET_BUFFER_SIZE:
        hint.give(given)
    return given


def forbid_fragmentation(sock: socket.socket) -> bool:
    """Let no router and no kernel cut a datagram, so that MTU probes mean something. False if it cannot."""
    if _IS_LINUX:
        done = _try_option(sock, socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        if sock.family == socket.AF_INET6:
            done = _try_option(sock, socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
        return done
    if sys.platform == "darwin":
        if sock.family == socket.AF_INET6:
            return _try_option(sock, socket.IPPROTO_IPV6, _IPV6_DONTFRAG, 1)
        return _try_option(sock, socket.IPPROTO_IP, _IP_DONTFRAG, 1)
    return False


def enable_gro(sock: socket.socket) -> bool:
    """Let the kernel hand over rows of equal datagrams as one. False if it cannot."""
    return _IS_LINUX and _try_option(sock, SOL_UDP, UDP_GRO, 1)


def has_gso(sock: socket.socket) -> bool:
    """Whether the kernel knows UDP_SEGMENT (a network device may refuse it all the same)."""
    if not _IS_LINUX or not hasattr(sock, "sendmsg"):
        return False
    try:
        sock.getsockopt(SOL_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True


def create_udp_socket(
    family: int, local: tuple[object, ...] | None, *, reuse_port: bool = False
) -> socket.socket:
    """A non-blocking UDP socket bound to `local` (any port of any address if None), with large buffers.

    `reuse_port` shares the address with other sockets of the same user that ask for that too. Raises
    OSError if the address cannot be bound.
    """
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6 and hasattr(socket, "IPV6_V6ONLY"):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        raise_buffers(sock)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(local or ("", 0))
    except BaseException:
        sock.close()
        raise
    return sock
