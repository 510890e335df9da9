"""`Proxy-Authorization: Basic` (RFC 9110 §11.7, RFC 7617).

Owns: reading the field. May not know: who the users are.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from fastmux.tunnel.http_proxy.errors import RequestRefused

CHALLENGE: Final = ("Proxy-Authenticate", 'Basic realm="fastmux", charset="UTF-8"')


def parse_basic(value: bytes) -> tuple[bytes, bytes] | None:
    """The name and the password; None if the field is of another scheme or not readable."""
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = base64.b64decode(token.strip(b" "), validate=True)
    except binascii.Error:
        return None
    name, colon, password = decoded.partition(b":")
    return (name, password) if colon else None


def login_required(text: str) -> RequestRefused:
    """What a client without the right name and password is told."""
    return RequestRefused(407, text, (CHALLENGE,))
