"""Connecting to targets, and what the ways in which that fails are called on the wire.

Owns: attempts, their time limit, and the options of what they give. May not know: rules: the addresses that
come in here were checked, and no name is looked up.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from functools import partial
from typing import Final, TypeAlias, cast

from fastmux.aio.answers import AnswerCode
from fastmux.aio.attempts import first_success
from fastmux.protocol.events import Address
from fastmux.tunnel.constants import DIAL_RETRY_DELAY, DIAL_TIMEOUT, MAX_DIAL_ADDRESSES
from fastmux.tunnel.forwarding.socket_end import prepare

Addresses: TypeAlias = Sequence[tuple[int, Address]]  # (family, socket address), in the order to try them

_CODES: Final = {
    errno.ECONNREFUSED: AnswerCode.CONNECTION_REFUSED,
    errno.ENOENT: AnswerCode.CONNECTION_REFUSED,  # a Unix socket that is not there: nobody listens
    errno.ECONNRESET: AnswerCode.CONNECTION_REFUSED,
    errno.ENETUNREACH: AnswerCode.NETWORK_UNREACHABLE,
    errno.ENETDOWN: AnswerCode.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: AnswerCode.HOST_UNREACHABLE,
    errno.EADDRNOTAVAIL: AnswerCode.HOST_UNREACHABLE,
    errno.ETIMEDOUT: AnswerCode.TIMED_OUT,
    errno.EACCES: AnswerCode.NOT_ALLOWED,
    errno.EPERM: AnswerCode.NOT_ALLOWED,
    errno.EAFNOSUPPORT: AnswerCode.ADDRESS_NOT_SUPPORTED,
    errno.EMFILE: AnswerCode.BUSY,
    errno.ENFILE: AnswerCode.BUSY,
    errno.ENOBUFS: AnswerCode.BUSY,
}


def refusal_of(error: OSError) -> tuple[AnswerCode, str]:
    """The answer's code and text for what the system said. The text has no address of the far network."""
    if isinstance(error, socket.gaierror):
        return AnswerCode.NAME_NOT_FOUND, str(error.strerror or error)
    if isinstance(error, TimeoutError) and error.errno is None:
        return AnswerCode.TIMED_OUT, ""
    if error.errno is None:
        return AnswerCode.GENERAL_FAILURE, ""
    return _CODES.get(error.errno, AnswerCode.GENERAL_FAILURE), os.strerror(error.errno)


async def dial_tcp(addresses: Addresses, timeout: float = DIAL_TIMEOUT) -> socket.socket:
    """Connect to the first of `addresses` that answers: in their order, a quarter of a second apart.

    The socket is non-blocking and sends small pieces at once. Raises the first address's OSError if all
    fail, TimeoutError after `timeout` seconds, ValueError without addresses.
    """
    if not addresses:
        raise ValueError("there is no address to dial")
    attempts = [partial(_connect, family, address) for family, address in addresses[:MAX_DIAL_ADDRESSES]]
    async with asyncio.timeout(timeout):
        return await first_success(attempts, socket.socket.close)


async def _connect(family: int, address: Address) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        prepare(sock)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def dial_unix(path: str, timeout: float = DIAL_TIMEOUT) -> socket.socket:
    """Connect to a Unix socket. Raises OSError, TimeoutError while its backlog stays full.

    A full backlog is EAGAIN, which is no connection under way (unix(7)): it is tried again.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        prepare(sock)
        async with asyncio.timeout(timeout):
            while True:
                try:
                    sock.connect(path)
                except BlockingIOError:
                    await asyncio.sleep(DIAL_RETRY_DELAY)
                else:
                    return sock
    except BaseException:
        sock.close()
        raise


def dial_udp(addresses: Addresses) -> socket.socket:
    """A UDP socket connected to the first of `addresses` that the system has a route to.

    It takes datagrams of that address only. Raises the first address's OSError, ValueError without addresses.
    """
    failure: OSError | None = None
    for family, address in addresses[:MAX_DIAL_ADDRESSES]:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = failure or error
        else:
            return sock
    if failure is None:
        raise ValueError("there is no address to dial")
    raise failure


async def look_up(host: str, port: int, protocol: str) -> Addresses:
    """The addresses of a host of this end's own configuration, unchecked. Raises OSError."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=kind)
    families = (socket.AF_INET, socket.AF_INET6)
    return [(family, cast(Address, address)) for family, _, _, _, address in found if family in families]
