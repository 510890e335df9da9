"""Which addresses are this host's own: what listens there may be closed to everybody outside.

Owns: asking the system. May not know: rules, which addresses are special to everybody.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

from fastmux.security.names import IPAddress

# For documentation only (RFC 5737, RFC 3849): nobody has them, unless the system lets everything be bound.
_NOBODYS: Final = {4: "192.0.2.213", 6: "2001:db8::d5"}
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_NO_SOCKET: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_DISCARD_PORT: Final = 9  # nothing is sent


def is_own(address: IPAddress) -> bool:
    """Tell whether an address is one of this host, asked anew each time: they come and go.

    It is what can be bound; where everything can be (net.ipv4.ip_nonlocal_bind), what is its own source.
    Raises OSError if there is no socket to ask with: then it is not known.
    """
    version, text = address.version, str(address)
    if not _can_be_bound(version, text):
        return False
    return not _can_be_bound(version, _NOBODYS[version]) or _is_its_own_source(version, text)


def _can_be_bound(version: int, text: str) -> bool:
    try:
        with _udp_socket(version) as sock:
            sock.bind((text, 0))
    except OSError as error:
        if error.errno in _NO_SOCKET:
            raise
        return error.errno == errno.EADDRINUSE  # every port of it is taken
    return True


def _is_its_own_source(version: int, text: str) -> bool:
    try:
        with _udp_socket(version) as sock:
            sock.connect((text, _DISCARD_PORT))
            return bool(sock.getsockname()[0] == text)
    except OSError as error:
        if error.errno in _NO_SOCKET:
            raise
        return False


def _udp_socket(version: int) -> socket.socket:
    return socket.socket(_FAMILIES[version], socket.SOCK_DGRAM)
