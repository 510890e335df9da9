"""The one error of the parsers says what to answer."""

from __future__ import annotations

from fastmux.tunnel.socks.errors import SocksError


def test_an_error_is_a_sentence_and_an_answer() -> None:
    error = SocksError("no", b"\x05\xff")
    assert str(error) == "no"
    assert error.reply == b"\x05\xff"
    assert SocksError("silence").reply == b""
