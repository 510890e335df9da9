"""Which header fields go on to the next hop (RFC 9110 §7.6.1): messages are built anew, never copied.

Owns: what is dropped and what is added. May not know: sockets, h11's states.

Via is not added, although RFC 9110 §7.6.3 asks for it: the tunnel is not to be seen from the origin, and some
servers (nginx, by its default for gzip_proxied) do not compress for requests that have it. One that is there
is passed on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastmux.tunnel.http_proxy.errors import UpstreamFailed
from fastmux.tunnel.http_proxy.request_target import Origin

Fields = list[tuple[bytes, bytes]]

# Of one hop only, named in Connection or not. Trailers are not passed on, so nothing announces them.
_HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
    + (b"proxy-authorization", b"proxy-authenticate", b"proxy-authentication-info")
)


def connection_options(fields: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """What the Connection fields name, in lower case."""
    values = b",".join(value for name, value in fields if name.lower() == b"connection")
    return frozenset(option.strip(b" \t").lower() for option in values.split(b","))


def upgrade_of(fields: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The protocols of the Upgrade fields, None unless Connection names Upgrade (RFC 9110 §7.8)."""
    listed = list(fields)
    values = [value for name, value in listed if name.lower() == b"upgrade"]
    if not values or b"upgrade" not in connection_options(listed):
        return None
    return b", ".join(values)


def request_fields(fields: Fields, origin: Origin, upgrade: bytes | None) -> Fields:
    """The fields of a request for its origin: Host is of the target, and the body is framed as it was."""
    length = [(name, value) for name, value in fields if name.lower() == b"content-length"]
    coding = [(name, value) for name, value in fields if name.lower() == b"transfer-encoding"]
    kept = _end_to_end(fields, also=(b"host", b"content-length"))
    connection = (
        [(b"Connection", b"close")]
        if upgrade is None
        else [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade)]
    )
    return [(b"Host", origin.host_field.encode()), *kept, *length, *coding, *connection]


def response_fields(fields: Fields, status: int, upgrade: bytes | None = None) -> Fields:
    """The fields of a response for the client; h11 adds how the body is framed. Raises UpstreamFailed."""
    names = [name.lower() for name, _ in fields]
    if b"content-length" in names and b"transfer-encoding" in names:
        raise UpstreamFailed("its answer has both Content-Length and Transfer-Encoding")
    has_no_length = status < 200 or status == 204  # RFC 9110 §8.6
    length = [pair for name, pair in zip(names, fields, strict=True) if name == b"content-length"]
    kept = _end_to_end(fields, also=(b"content-length",))
    switched = [] if upgrade is None else [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade)]
    return [*kept, *([] if has_no_length else length), *switched]


def _end_to_end(fields: Fields, also: tuple[bytes, ...]) -> Fields:
    dropped = _HOP_BY_HOP | connection_options(fields) | frozenset(also)
    return [(name, value) for name, value in fields if name.lower() not in dropped]
