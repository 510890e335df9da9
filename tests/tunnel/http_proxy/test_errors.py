"""What a client is told, and what went wrong behind."""

from __future__ import annotations

from fastmux.tunnel.http_proxy.errors import RequestRefused, UpstreamFailed


def test_a_refusal_has_a_status_a_sentence_and_fields() -> None:
    refusal = RequestRefused(407, "who are you", (("Proxy-Authenticate", "Basic"),))
    assert (refusal.status, refusal.text) == (407, "who are you")
    assert refusal.fields == (("Proxy-Authenticate", "Basic"),)
    assert str(refusal) == "407: who are you"
    assert str(UpstreamFailed("broken")) == "broken"
