"""Sockets that listen: from a target to a bound socket, and back to what it is bound to.

Owns: the options of such sockets, and the files of Unix ones. May not know: who connects, rules.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from contextlib import suppress
from typing import Final

from fastmux.protocol.events import Address
from fastmux.tunnel.constants import FORWARD_BACKLOG
from fastmux.tunnel.forwarding.dialing import Addresses, look_up
from fastmux.tunnel.notation.targets import Target

_LOCALHOST: Final = "localhost"  # is no name to look up (RFC 6761 §6.3)
_PRIVATE_MASK: Final = 0o177  # a Unix socket is its owner's alone, as OpenSSH's StreamLocalBindMask has it


class Bound:
    """A bound, non-blocking socket, and where it is: `target` has the port that the system chose.

    Invariant: a Unix socket's file goes with it, unless another file has taken its place meanwhile.
    """

    def __init__(self, sock: socket.socket, target: Target) -> None:
        self.sock = sock
        self.target = target
        self._file = _file_of(target.path) if target.path else None

    def close(self) -> None:
        """Close the socket and remove its file; may be repeated."""
        if self.sock.fileno() >= 0:
            self.sock.close()
            if self._file is not None and self._file == _file_of(self.target.path):
                with suppress(FileNotFoundError):
                    os.unlink(self.target.path)


async def bind(target: Target) -> Bound:
    """Bind a socket for `target`, and listen unless it is UDP.

    A name is bound at the first of its addresses; no host is every interface, of IPv6 and IPv4 where the
    system can do both in one socket. The file of a Unix socket that nobody listens at any more is replaced.
    Raises OSError that says which address and why.
    """
    try:
        if target.protocol == "unix":
            return Bound(_listening_unix(target.path), target)
        addresses = await _addresses(target)
        family, address = addresses[0]
        sock = _bound(family, address, target, is_any=not target.host)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen at {target}: {error.strerror or error}") from error
    host, port = sock.getsockname()[:2]
    return Bound(sock, Target(target.protocol, host if target.host else "", port))


async def _addresses(target: Target) -> Addresses:
    if target.host == _LOCALHOST:
        return [(socket.AF_INET, ("127.0.0.1", target.port))]
    if target.host:
        return await look_up(target.host, target.port, target.protocol)
    if socket.has_dualstack_ipv6():
        return [(socket.AF_INET6, ("::", target.port, 0, 0))]
    return [(socket.AF_INET, ("0.0.0.0", target.port))]


def _bound(family: int, address: Address, target: Target, *, is_any: bool) -> socket.socket:
    is_udp = target.protocol == "udp"
    sock = socket.socket(family, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if not is_udp and sys.platform != "win32":  # there it would let two processes have one port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_any)
        sock.bind(address)
        if not is_udp:
            sock.listen(FORWARD_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _listening_unix(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        former = os.umask(_PRIVATE_MASK)
        try:
            sock.bind(path)
        finally:
            os.umask(former)
        sock.listen(FORWARD_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove the file of a Unix socket at which nobody listens. Raises OSError if somebody does."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return  # bind says what is wrong with it
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:
            return  # somebody listens, and has a full backlog


def _file_of(path: str) -> tuple[int, int] | None:
    """What stands at a path: device and number of the file, None if nothing does."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
