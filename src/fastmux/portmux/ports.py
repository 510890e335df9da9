"""The UDP ports that channels are given: how many at once, from which range, and marked how.

Owns: the count and the range. May not know: what runs over a port.
"""

from __future__ import annotations

import errno
import random
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from fastmux import constants as c
from fastmux.aio.socket_options import create_udp_socket
from fastmux.protocol.events import Address

_TAKEN: Final = (errno.EADDRINUSE, errno.EACCES)
_MAX_PORT: Final = 65535


class PortPool:
    """Sockets on ports of their own, at most `limit` at once.

    `ports` is the range to take them from; empty: whatever the system gives. The port that was unused for
    longest comes first, so that late packets, and bindings of routers on the way, do not meet a new channel.

    Invariant: `in_use` sockets were opened and not given back; `_free` are the ports of the range that no
    socket of the pool is bound to.
    """

    def __init__(self, limit: int, ports: Sequence[int] = ()) -> None:
        if not 1 <= limit <= c.MAX_PORTS_LIMIT:
            raise ValueError(f"a limit of ports must be 1 to {c.MAX_PORTS_LIMIT}, not {limit}")
        if not all(0 < port <= _MAX_PORT for port in ports):
            raise ValueError(f"ports must be 1 to {_MAX_PORT}")
        shuffled = list(dict.fromkeys(ports))
        random.SystemRandom().shuffle(shuffled)
        self._limit = limit
        self._range = frozenset(shuffled)
        self._free = deque(shuffled)
        self.in_use = 0

    def open(self, family: int, local: Address) -> socket.socket:
        """A socket on a port of its own at the host of `local`. Give its port back with `give_back`.

        Raises OSError if there is none left.
        """
        if self.in_use >= self._limit:
            raise OSError(errno.EMFILE, f"all {self._limit} ports are in use")
        sock = self._bind(family, local) if self._range else create_udp_socket(family, _at(local, 0))
        self.in_use += 1
        return sock

    def _bind(self, family: int, local: Address) -> socket.socket:
        for _ in range(min(len(self._free), c.MAX_BIND_TRIES)):
            port = self._free.popleft()
            try:
                return create_udp_socket(family, _at(local, port))
            except OSError as error:
                self._free.append(port)
                if error.errno not in _TAKEN:
                    raise
        raise OSError(errno.EADDRINUSE, f"none of the {len(self._range)} ports of the range is free")

    def give_back(self, port: int) -> None:
        """The socket on this port is closed."""
        self.in_use -= 1
        if port in self._range:
            self._free.append(port)


def _at(local: Address, port: int) -> tuple[object, ...]:
    return (local[0], port, *local[2:])


def check_dscp(dscp: int | None) -> None:
    """Raise ValueError for anything but None and 0 to 63."""
    if dscp is not None and not 0 <= dscp <= c.MAX_DSCP:
        raise ValueError(f"dscp must be 0 to {c.MAX_DSCP}, not {dscp}")


def set_dscp(sock: socket.socket, dscp: int) -> None:
    """Mark what this socket sends (RFC 2474). Raises OSError where the system does not allow it."""
    if sock.family == socket.AF_INET6 and hasattr(socket, "IPV6_TCLASS"):
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        with suppress(OSError):  # an address mapped from IPv4 is marked by this one
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
