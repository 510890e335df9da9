"""Exit codes: from an error to a number for scripts and a sentence for people.

Owns: which error means which code, and what the sentence says to do. May not know: commands, click.
"""

from __future__ import annotations

import socket
from typing import Final

from fastmux.exceptions import AuthenticationError, ChannelReset, ConnectionClosed, HandshakeError
from fastmux.security.names import printable
from fastmux.tunnel.constants import ACCESS_DENIED

DONE: Final = 0
USAGE: Final = 2  # click's own
CONFIGURATION: Final = 3
AUTHENTICATION: Final = 4
UNREACHABLE: Final = 5
LOST: Final = 255
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells say it

_EXTRAS: Final = {"h11": "tunnel", "msgspec": "tunnel", "rich": "rich"}


class CommandError(Exception):
    """What ends a command: an exit code and one sentence that says what is wrong and what to do."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConfigurationError(CommandError):
    """An option or a file that the command cannot work with."""

    def __init__(self, message: str) -> None:
        super().__init__(CONFIGURATION, message)


def command_error(error: BaseException) -> CommandError | None:
    """The `CommandError` that says the same as `error`; None for an error that is a bug."""
    match error:
        case CommandError():
            return error
        case AuthenticationError():
            return CommandError(AUTHENTICATION, f"{error}{_authentication_hint(str(error))}")
        case ConnectionClosed(code=code, remote=True) if code == ACCESS_DENIED:
            reason = printable(error.reason)
            return CommandError(AUTHENTICATION, f"the server refuses this identity: {reason}")
        case ConnectionClosed() | ChannelReset():
            return CommandError(LOST, printable(str(error)))
        case HandshakeError():
            return CommandError(UNREACHABLE, str(error))
        case TimeoutError():
            hint = "is `fastmux serve` running there, and does UDP reach it?"
            return CommandError(UNREACHABLE, f"{str(error) or 'no answer in time'}: {hint}")
        case ModuleNotFoundError(name=name) if name in _EXTRAS:
            extra = _EXTRAS[name]
            return ConfigurationError(f"{name} is not installed; run: pip install 'fastmux[{extra}]'")
        case socket.gaierror():
            return CommandError(UNREACHABLE, f"the name cannot be resolved: {error.strerror}")
        case OSError():
            return CommandError(UNREACHABLE, str(error))
    return None


def _authentication_hint(text: str) -> str:
    """What a user can do about a failed proof of identity."""
    if "certificate is for" in text:
        return "; if that is the server you mean, name it by --server-name"
    if "none of the configured pins" in text:
        return "; `fastmux cert pin FILE` shows the pin of a certificate"
    return ""
