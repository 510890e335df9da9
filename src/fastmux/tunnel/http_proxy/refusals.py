"""The proxy's own answers: a status and a sentence of plain text that says what happened.

Owns: their bytes, and which status says why a destination could not be reached. May not know: sockets.
"""

from __future__ import annotations

from http import HTTPStatus

from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.security.names import printable
from fastmux.tunnel.http_proxy.errors import RequestRefused, UpstreamFailed
from fastmux.tunnel.http_proxy.request_target import Origin

_STATUS = {AnswerCode.NOT_ALLOWED: 403, AnswerCode.BUSY: 503, AnswerCode.TIMED_OUT: 504}


def refusal_for(error: Exception, origin: Origin) -> RequestRefused:
    """403 for what the exit's rules forbid, 503 for its limits, 504 for no answer in time, else 502."""
    if isinstance(error, OpenRefused):
        return RequestRefused(_STATUS.get(error.code, 502), f"{origin}: {printable(str(error))}")
    if isinstance(error, TimeoutError):
        return RequestRefused(504, f"{origin}: the far end of the tunnel did not answer in time")
    why = printable(str(error))
    return RequestRefused(502, f"{origin}: there is no connection to the far end of the tunnel ({why})")


def bad_gateway(error: UpstreamFailed, origin: Origin) -> RequestRefused:
    """What a client is told when its origin failed before it answered."""
    return RequestRefused(502, f"{origin}: {printable(str(error))}")


def encode_refusal(refusal: RequestRefused, *, is_head: bool = False, is_last: bool = True) -> bytes:
    """The whole response; without its body for a HEAD, with `Connection: close` if it is the last."""
    body = f"fastmux: {refusal.text}.\n".encode()
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in refusal.fields),
        *(["Connection: close"] if is_last else []),
    ]
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode() + (b"" if is_head else body)
