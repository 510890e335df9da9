"""What a proxy is asked for: an authority (CONNECT) or an absolute URI (RFC 9112 §3.2).

Owns: their grammar. May not know: who may reach what; that is decided at the exit, ports included (H48: which
ports CONNECT may have is said by the exit's rules, and there is no second list here).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastmux.security.names import printable
from fastmux.tunnel import constants as c
from fastmux.tunnel.http_proxy.errors import RequestRefused
from fastmux.tunnel.notation.hosts import canonical_host, host_and_port

HTTP_PORT: Final = 80


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request goes: a host, as an address without brackets or a name in lower case, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """`host:port`, with an IPv6 address in brackets."""
        return host_and_port(self.host, self.port)

    @property
    def host_field(self) -> str:
        """The value of the Host field: without the port that http has anyway (RFC 9110 §7.2)."""
        return str(self).removesuffix(f":{HTTP_PORT}") if self.port == HTTP_PORT else str(self)


def parse_connect_target(target: bytes) -> Origin:
    """The `host:port` of a CONNECT. Raises RequestRefused."""
    return _parse_authority(target.decode("ascii"), default_port=None)


def parse_absolute_target(method: bytes, target: bytes) -> tuple[Origin, bytes]:
    """The origin of an absolute URI, and the target that it is asked for. Raises RequestRefused."""
    text = target.decode("ascii")
    scheme, separator, rest = text.partition("://")
    if text.startswith("/") or text == "*" or not separator:
        raise RequestRefused(
            400,
            "this is an HTTP proxy and not a web server: set it as the proxy of your client "
            "(http_proxy=..., curl --proxy ...), which then asks it for whole URLs",
        )
    if scheme.lower() != "http":
        raise RequestRefused(
            400, f"{printable(scheme)}:// is not for a plain request: http:// is, and CONNECT serves https"
        )
    if "#" in rest:
        raise RequestRefused(400, "the URL of a request has no fragment (#)")
    end = next((at for at, character in enumerate(rest) if character in "/?"), len(rest))
    path = rest[end:]
    if not path.startswith("/"):
        # RFC 9112 §3.2.4: the server itself, for OPTIONS without a path
        path = "*" if method == b"OPTIONS" and not path else "/" + path
    return _parse_authority(rest[:end], default_port=HTTP_PORT), path.encode("ascii")


def _parse_authority(text: str, default_port: int | None) -> Origin:
    if "@" in text:
        raise RequestRefused(400, "a user name in the target of a request is not allowed")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        is_well_formed = bool(bracket) and ":" in host and rest[:1] in ("", ":")
        port = rest[1:]
    else:
        host, colon, port = text.partition(":")
        is_well_formed = ":" not in port and not (colon and not port)
    if not is_well_formed or "%" in host:
        raise _no_authority(text)
    if not port and default_port is None:
        raise RequestRefused(400, f"{printable(text)!r} lacks its port: a CONNECT is for host:port")
    try:
        parsed = str(canonical_host(host))
    except ValueError:
        raise _no_authority(text) from None
    if len(parsed) > c.MAX_PROXY_HOST_SIZE:
        raise RequestRefused(400, f"the host is longer than {c.MAX_PROXY_HOST_SIZE} bytes")
    return Origin(parsed, _parse_port(port) if port else default_port or 0)


def _parse_port(text: str) -> int:
    if text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535:
        return int(text)
    raise RequestRefused(400, f"{printable(text)!r} is not a port of 1 to 65535")


def _no_authority(text: str) -> RequestRefused:
    return RequestRefused(400, f"{printable(text)!r} is not host:port (an IPv6 address goes in brackets)")
