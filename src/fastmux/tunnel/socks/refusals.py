"""Which reply of SOCKS5 says why a destination could not be reached.

Owns: the mapping. May not know: sockets.
"""

from __future__ import annotations

from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.tunnel.socks.negotiation import Reply

# The codes of an answer up to 8 are those of RFC 1928 §6; these are fastmux's own.
_OWN = {AnswerCode.NAME_NOT_FOUND: Reply.HOST_UNREACHABLE, AnswerCode.BUSY: Reply.GENERAL_FAILURE}


def reply_for(error: Exception) -> Reply:
    """What a client is told: the far end's answer, TTL expired for none in time, no network for no tunnel."""
    if isinstance(error, OpenRefused):
        return _OWN[error.code] if error.code in _OWN else Reply(error.code)
    if isinstance(error, TimeoutError):
        return Reply.TTL_EXPIRED
    return Reply.NETWORK_UNREACHABLE
