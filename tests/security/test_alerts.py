"""OpenSSL's errors in words."""

from __future__ import annotations

import pytest
from OpenSSL import SSL

from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.security.alerts import explain


def error(reason: str) -> SSL.Error:
    return SSL.Error([("SSL routines", "", reason)])


@pytest.mark.parametrize(
    ("reason", "kind", "message"),
    [
        ("tlsv1 alert unknown ca", AuthenticationError, "our certificate: unknown CA"),
        ("sslv3 alert certificate expired", AuthenticationError, "certificate expired"),
        ("tls alert certificate revoked", AuthenticationError, "certificate revoked"),
        ("tlsv13 alert certificate required", AuthenticationError, "this end sent none"),
        ("tlsv1 alert internal error", AuthenticationError, "name, role or pin"),
        ("tlsv1 alert access denied", AuthenticationError, "access denied"),
        ("tlsv1 alert protocol version", HandshakeError, "it does not speak TLS 1.3"),
        ("tlsv1 alert decode error", HandshakeError, "refused the handshake: decode error"),
        ("peer did not return a certificate", AuthenticationError, "sent no certificate"),
        ("certificate verify failed", AuthenticationError, "does not verify"),
        ("no shared cipher", HandshakeError, "no cipher suite in common"),
        ("something new", HandshakeError, "TLS failed: something new"),
    ],
)
def test_an_error_becomes_words_of_the_right_kind(
    reason: str, kind: type[HandshakeError], message: str
) -> None:
    explained = explain(error(reason), certificate_sent=True)
    assert type(explained) is kind
    assert message in str(explained)


def test_an_internal_error_before_our_certificate_went_out_is_not_about_it() -> None:
    explained = explain(error("tlsv1 alert internal error"), certificate_sent=False)
    assert type(explained) is HandshakeError
    assert str(explained) == "the peer refused the handshake: internal error"


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (SSL.SysCallError(-1, "Unexpected EOF"), "Unexpected EOF"),
        (SSL.Error(), "Error"),
        (SSL.Error([]), "[]"),
    ],
)
def test_an_error_of_another_shape_is_named_too(raised: SSL.Error, message: str) -> None:
    assert message in str(explain(raised, certificate_sent=True))
