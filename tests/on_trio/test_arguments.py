"""What `connect` and `listen` of trio refuse where it is given, as those of asyncio do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from fastmux import PLAINTEXT
from fastmux.trio import connect, listen


async def nothing(_connection: object) -> None: ...


CALLS: list[Callable[..., Any]] = [
    partial(connect, "127.0.0.1", 1),
    partial(listen, nothing, "127.0.0.1", 0),
]


@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_tls_is_refused_at_once_with_what_to_give(call: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"tls must be fastmux\.TLSConfig.*PLAINTEXT"):
        call(tls=None)


@pytest.mark.parametrize("call", CALLS)
def test_a_name_that_is_no_setting_is_refused_with_the_nearest_that_is(call: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="no setting 'keepalive': did you mean 'keep_alive'"):
        call(tls=PLAINTEXT, keepalive=1)


def test_what_is_no_port_is_refused() -> None:
    with pytest.raises(ValueError, match="a port is 1 to 65535"):
        connect("127.0.0.1", 65536, tls=PLAINTEXT)
    with pytest.raises(ValueError, match="a port is 0 to 65535"):
        listen(nothing, "127.0.0.1", -1, tls=PLAINTEXT)
