"""Proxies that everybody who can reach them may use.

Owns: which are that open, and the words for it, the same before a start (`check-config`) and at it. May not
know: who says them.
"""

from __future__ import annotations

import ipaddress

from fastmux.tunnel.settings.configuration import ClientForward

_LOCALHOST = "localhost"  # is no name to look up (RFC 6761 §6.3)


def open_proxy_warning(forward: ClientForward) -> str:
    """What is to be said of a proxy off loopback that asks for no password, "" of every other forward."""
    if forward.kind not in ("socks5", "http") or forward.users or _is_loopback(forward.listen.host):
        return ""
    name = "SOCKS5" if forward.kind == "socks5" else "HTTP"
    return (
        f"the {name} proxy at {forward.listen} is open: everybody who can reach that address may use the "
        "tunnel; let it listen on 127.0.0.1, or give it users"
    )


def _is_loopback(host: str) -> bool:
    if host == _LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # every interface, or a name that may be any
