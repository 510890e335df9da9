"""The one error that leaves the parsers of SOCKS5.

Owns: the error. May not know: what was parsed.
"""

from __future__ import annotations


class SocksError(Exception):
    """The client said what is not SOCKS5, or nothing that is served here; str() is a sentence for the log.

    `reply` is what the client is to be told before its connection is closed; b"" if there is nothing to say.
    """

    def __init__(self, text: str, reply: bytes = b"") -> None:
        super().__init__(text)
        self.reply = reply
