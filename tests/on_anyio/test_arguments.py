"""What `listen` of anyio refuses where it is given, as that of asyncio does."""

from __future__ import annotations

from typing import Any

import pytest

from fastmux.anyio import listen


async def nothing(_connection: object) -> None: ...


def test_what_is_no_tls_is_refused_at_once_with_what_to_give() -> None:
    wrong: Any = None
    with pytest.raises(TypeError, match=r"tls must be fastmux\.TLSConfig.*PLAINTEXT"):
        listen(nothing, "127.0.0.1", 0, tls=wrong)
