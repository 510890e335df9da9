"""A proxy that anybody may use is said to be one."""

from __future__ import annotations

import pytest

from fastmux.tunnel.settings.open_proxies import open_proxy_warning
from fastmux.tunnel.settings.settings import forward_of


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.parametrize(
    "listen", ["*:1080", "0.0.0.0:1080", "[::]:1080", "192.0.2.1:1080", "gw.example:1080"]
)
def test_a_proxy_off_loopback_without_users_is_open(kind: str, listen: str) -> None:
    assert f"proxy at {listen} is open" in open_proxy_warning(forward_of(kind, listen))
    assert open_proxy_warning(forward_of(kind, listen, {"ann": "secret"})) == ""


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("socks5", "1080"),
        ("http", "127.0.0.1:8080"),
        ("http", "localhost:8080"),
        ("socks5", "[::1]:1080"),
        ("local", "*:22:a:22"),
        ("remote", "*:22:a:22"),
    ],
)
def test_every_other_forward_is_none(kind: str, spec: str) -> None:
    assert open_proxy_warning(forward_of(kind, spec)) == ""
