"""What a client is told, and what went wrong behind."""

from __future__ import annotations

import h11
import pytest

from fastmux.tunnel.http_proxy.errors import RequestRefused, UpstreamFailed, reason_of


def test_a_refusal_has_a_status_a_sentence_and_fields() -> None:
    refusal = RequestRefused(407, "who are you", (("Proxy-Authenticate", "Basic"),))
    assert (refusal.status, refusal.text) == (407, "who are you")
    assert refusal.fields == (("Proxy-Authenticate", "Basic"),)
    assert str(refusal) == "407: who are you"
    assert str(UpstreamFailed("broken")) == "broken"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("illegal header line: bytearray(b'A b')", "illegal header line: 'A b'"),
        (
            "malformed chunk footer: bytearray(b'x') (expected b'\\r\\n')",
            "malformed chunk footer: 'x' (expected '\\r\\n')",
        ),
        ('illegal request line: bytearray(b"it\'s (b\\\\")', 'illegal request line: "it\'s (b\\\\"'),
        ("peer unexpectedly closed connection", "peer unexpectedly closed connection"),
    ],
)
def test_what_h11_quotes_is_shown_without_the_notation_of_python(reason: str, shown: str) -> None:
    assert reason_of(h11.RemoteProtocolError(reason)) == shown


def test_h11_still_quotes_as_is_expected_here() -> None:
    http = h11.Connection(h11.SERVER)
    http.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\nA b\r\n\r\n")
    with pytest.raises(h11.RemoteProtocolError) as caught:
        http.next_event()
    assert reason_of(caught.value) == "illegal header line: 'A b'"
