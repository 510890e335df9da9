"""What OpenSSL's errors and the peer's alerts mean, in words that a user can act on.

Owns: the translation into `HandshakeError` and `AuthenticationError`. May not know: connections,
certificates.
"""

from __future__ import annotations

import re
from typing import Final

from OpenSSL import SSL

from fastmux.exceptions import AuthenticationError, HandshakeError

# OpenSSL writes "sslv3", "tlsv1", "tlsv13" or "tls" before "alert", by its version.
_ALERT: Final = re.compile(r"\balert ([a-z][a-z ]*)$")

# Alerts about our certificate (RFC 8446 §6.2)
_CERTIFICATE_ALERTS: Final = {
    "unknown ca": "unknown CA: the peer trusts no CA that signed it",
    "certificate expired": "certificate expired, or one of its CAs did",
    "certificate revoked": "certificate revoked",
    "certificate required": "certificate required: this end sent none",
    "certificate unknown": "certificate unknown",
    "bad certificate": "bad certificate",
    "unsupported certificate": "unsupported certificate: it may not act in this role",
    "access denied": "access denied",
    # All that OpenSSL says when the refusal was our own: it has no alert for a check in the
    # callback.
    "internal error": "internal error: its name, role or pin did not pass, or the peer "
    "failed by itself; the peer's own message says which",
}
_OTHER_ALERTS: Final = {
    "no application protocol": "it speaks another protocol (no application protocol in common)",
    "protocol version": "it does not speak TLS 1.3 (protocol version)",
    "handshake failure": "no cipher suite or key exchange in common (handshake failure)",
    "unrecognized name": "it does not know the server name asked for (unrecognized name)",
}
_REASONS: Final = {
    "unsupported protocol": "the peer does not offer TLS 1.3",
    "wrong ssl version": "the peer does not offer TLS 1.3",
    "no protocols available": "the peer does not offer TLS 1.3",
    "wrong version number": "the peer does not speak TLS",
    "http request": "the peer does not speak TLS (it sent an HTTP request)",
    "no shared cipher": "no cipher suite in common with the peer",
    "no suitable key share": "no key exchange group in common with the peer",
    "no suitable groups": "no key exchange group in common with the peer",
    "no application protocol": "the peer speaks another protocol (no application protocol)",
    "excessive message size": "the peer's certificate chain is too large",
}
_CERTIFICATE_REASONS: Final = {
    "peer did not return a certificate": "the peer sent no certificate",
    "certificate verify failed": "the peer's certificate does not verify",
    "bad signature": "the peer does not have the key of its certificate (bad signature)",
}


def explain(error: SSL.Error, certificate_sent: bool) -> HandshakeError:
    """Translate an error of OpenSSL.

    `certificate_sent`: the peer had our certificate when it happened, so that an alert may be
    about it.
    """
    reason = _reason(error)
    alert = _ALERT.search(reason)
    if alert:
        return _explain_alert(alert[1], certificate_sent)
    if reason in _CERTIFICATE_REASONS:
        return AuthenticationError(_CERTIFICATE_REASONS[reason])
    return HandshakeError(_REASONS.get(reason, f"TLS failed: {reason}"))


def _explain_alert(alert: str, certificate_sent: bool) -> HandshakeError:
    if alert in _CERTIFICATE_ALERTS and (certificate_sent or alert != "internal error"):
        return AuthenticationError(f"the peer refused our certificate: {_CERTIFICATE_ALERTS[alert]}")
    return HandshakeError(f"the peer refused the handshake: {_OTHER_ALERTS.get(alert, alert)}")


def _reason(error: SSL.Error) -> str:
    # OpenSSL.SSL.Error has one argument, a list of (library, function, reason); its subclasses
    # have others.
    queue = error.args[0] if error.args else None
    if isinstance(queue, list) and queue:
        return str(queue[0][-1]).strip()
    return str(error) or type(error).__name__
