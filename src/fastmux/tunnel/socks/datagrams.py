"""The header before each datagram between a client and its UDP association (RFC 1928 §7).

Owns: its bytes, both ways. May not know: who sends, or where it goes.
"""

from __future__ import annotations

from fastmux.tunnel.socks.addresses import SocksAddress, decode_address, encode_address
from fastmux.tunnel.socks.errors import SocksError


def decode_datagram(data: bytes) -> tuple[SocksAddress, bytes]:
    """The destination and the payload. Raises SocksError for a header that is none, a fragment, or port 0."""
    if len(data) < 4 or data[0] or data[1]:
        raise SocksError("the datagram does not begin with two bytes of 0")
    if data[2]:
        raise SocksError("the datagram is a fragment, and fragments are not put together here")
    decoded = decode_address(data, 3)
    if decoded is None:
        raise SocksError("the datagram ends inside its header")
    address, end = decoded
    if not address.port:
        raise SocksError("the datagram goes to port 0")
    return address, data[end:]


def datagram_header(source: SocksAddress) -> bytes:
    """What stands before each payload that came from `source`."""
    return b"\0\0\0" + encode_address(source)
