"""Every reason has a reply of SOCKS5."""

from __future__ import annotations

import pytest

from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.exceptions import ConnectionClosed
from fastmux.tunnel.socks.negotiation import Reply
from fastmux.tunnel.socks.refusals import reply_for


@pytest.mark.parametrize("code", [code for code in AnswerCode if 1 <= code <= 8])
def test_codes_up_to_8_are_those_of_socks(code: AnswerCode) -> None:
    assert reply_for(OpenRefused(code)) == int(code)


def test_the_others_are_the_nearest() -> None:
    assert reply_for(OpenRefused(AnswerCode.NAME_NOT_FOUND)) is Reply.HOST_UNREACHABLE
    assert reply_for(OpenRefused(AnswerCode.BUSY)) is Reply.GENERAL_FAILURE
    assert reply_for(TimeoutError()) is Reply.TTL_EXPIRED
    assert reply_for(ConnectionClosed()) is Reply.NETWORK_UNREACHABLE
