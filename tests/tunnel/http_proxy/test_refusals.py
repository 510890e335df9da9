"""The proxy's own answers."""

from __future__ import annotations

import h11
import pytest

from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.exceptions import ConnectionClosed
from fastmux.tunnel.http_proxy.errors import RequestRefused, UpstreamFailed
from fastmux.tunnel.http_proxy.refusals import bad_gateway, encode_refusal, refusal_for
from fastmux.tunnel.http_proxy.request_target import Origin

ORIGIN = Origin("example.org", 80)


@pytest.mark.parametrize("code", [code for code in AnswerCode if code])
def test_every_reason_has_a_status(code: AnswerCode) -> None:
    special = {AnswerCode.NOT_ALLOWED: 403, AnswerCode.BUSY: 503, AnswerCode.TIMED_OUT: 504}
    refusal = refusal_for(OpenRefused(code, "a\x1breason"), ORIGIN)
    assert refusal.status == special.get(code, 502)
    assert "example.org:80" in refusal.text
    assert "\x1b" not in refusal.text


def test_a_tunnel_that_is_down_or_slow_is_told_apart() -> None:
    assert refusal_for(TimeoutError(), ORIGIN).status == 504
    assert refusal_for(ConnectionClosed(), ORIGIN).status == 502
    assert bad_gateway(UpstreamFailed("broken"), ORIGIN).status == 502


@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize("is_head", [True, False])
def test_an_answer_is_whole_and_says_what_happened(is_head: bool, is_last: bool) -> None:
    refusal = RequestRefused(407, "who are yöu", (("Proxy-Authenticate", "Basic"),))
    client = h11.Connection(h11.CLIENT)
    method = "HEAD" if is_head else "GET"
    client.send(h11.Request(method=method, target="http://a/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(encode_refusal(refusal, is_head=is_head, is_last=is_last))
    response = client.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code == 407
    assert (b"proxy-authenticate", b"Basic") in response.headers
    assert ((b"connection", b"close") in response.headers) is is_last
    if not is_head:
        body = client.next_event()
        assert isinstance(body, h11.Data)
        assert bytes(body.data) == "fastmux: who are yöu.\n".encode()
    assert isinstance(client.next_event(), h11.EndOfMessage)
    assert client.trailing_data[0] == b""
