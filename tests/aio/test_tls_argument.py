"""What makes no handshakes is refused where it is given, by every way of asyncio."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

import fastmux
import fastmux.portmux
from fastmux.aio.tls_argument import check_tls


async def nothing(_connection: object) -> None: ...


CALLS: dict[str, Callable[[Any], object]] = {
    "connect": lambda tls: fastmux.connect("127.0.0.1", 1, tls=tls),
    "listen": lambda tls: fastmux.listen(nothing, "127.0.0.1", 0, tls=tls),
    "portmux.connect": lambda tls: fastmux.portmux.connect("127.0.0.1", 1, tls=tls),
    "portmux.listen": lambda tls: fastmux.portmux.listen(nothing, "127.0.0.1", 0, tls=tls),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wrong", [None, True, "keys/ca.pem", ssl.SSLContext, fastmux.TLSConfig], ids=str)
def test_what_is_no_tls_is_refused_at_once_with_what_to_give(call: str, wrong: object) -> None:
    """Guards against a server that listens, and then fails with each packet."""
    with pytest.raises(TypeError, match=r"tls must be fastmux\.TLSConfig.*PLAINTEXT"):
        CALLS[call](wrong)


def test_plaintext_and_whatever_makes_handshakes_are_taken() -> None:
    check_tls(fastmux.PLAINTEXT)
