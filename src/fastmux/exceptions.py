"""Every error, once; both cores and every layer raise these.

    Exception
    ├── ConnectionError
    │   ├── ConnectionClosed        the connection is over (code, reason, remote)
    │   ├── HandshakeError          it never came to be
    │   │   └── AuthenticationError     because one end could not prove who it is
    │   └── ChannelReset            the peer gave this channel up (code)
    ├── EndOfStream                 the peer finished; everything was read
    ├── ClosedResourceError         you closed it
    ├── BrokenResourceError         the other side no longer takes what you send
    ├── BusyResourceError           somebody else is already receiving
    ├── WouldBlock                  nothing there, or no room, just now
    ├── ValueError
    │   └── MessageTooBig
    └── ProtocolError               the peer broke a rule of the wire (code, reason)

Owns: the error types. May not know: who raises them.
"""

from __future__ import annotations


class ConnectionClosed(ConnectionError):
    """The connection is over.

    `code` is one of the error codes of `fastmux.constants` or the application's own; `reason` is text;
    `remote` is True if the peer closed it, False if this end did (or gave the peer up).
    """

    def __init__(self, code: int = 0, reason: str = "", remote: bool = False) -> None:
        super().__init__(code, reason, remote)
        self.code = code
        self.reason = reason
        self.remote = remote

    def __str__(self) -> str:
        who = "by the peer" if self.remote else "by this end"
        why = f": {self.reason}" if self.reason else ""
        return f"connection closed {who} (code {self.code:#x}){why}"


class HandshakeError(ConnectionError):
    """The connection never came to be; the text says why and what to do."""


class AuthenticationError(HandshakeError):
    """One end could not prove who it is to the other."""


class ChannelReset(ConnectionError):
    """The peer reset its direction of this channel; what had not been read is gone. `code` says why."""

    def __init__(self, code: int = 0) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"channel reset by the peer (code {self.code:#x})"


class EndOfStream(Exception):
    """The peer finished this channel and everything it sent has been read."""


class ClosedResourceError(Exception):
    """This end has closed the channel or connection."""


class BrokenResourceError(Exception):
    """The peer no longer takes what is sent here (it asked to stop, or the connection broke)."""


class BusyResourceError(Exception):
    """Another task is already receiving here."""


class WouldBlock(Exception):
    """Nothing to take, or no room to send, just now."""


class MessageTooBig(ValueError):
    """The message or datagram is larger than the peer takes."""


class ProtocolError(Exception):
    """The peer broke a rule of the wire. `code` goes into CONNECTION_CLOSE, `reason` says which rule."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason} (code {self.code:#x})"
