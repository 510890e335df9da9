"""Exit codes: from an error to a number for scripts and a sentence for people.

Owns: which error means which code, and what the sentence says to do. May not know: commands, click.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

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
    if isinstance(error, CommandError):
        return error
    for kind, explain in _EXPLANATIONS:
        if isinstance(error, kind):
            return explain(error)
    return None


@contextmanager
def naming(host: str) -> Iterator[None]:
    """Have an error of a look-up inside name the host, which the system does not."""
    try:
        yield
    except socket.gaierror as error:
        raise socket.gaierror(error.errno, error.strerror, host) from error


def _explain_closed(error: ConnectionClosed) -> CommandError:
    if error.remote and error.code == ACCESS_DENIED:
        reason = printable(error.reason)
        return CommandError(AUTHENTICATION, f"the server refuses this identity: {reason}")
    return CommandError(LOST, printable(str(error)))


def _explain_authentication(error: AuthenticationError) -> CommandError:
    return CommandError(AUTHENTICATION, f"{error}{_authentication_hint(str(error))}")


def _explain_timeout(error: TimeoutError) -> CommandError:
    hint = "is `fastmux serve` running there, and does UDP reach it?"
    return CommandError(UNREACHABLE, f"{str(error) or 'no answer in time'}: {hint}")


def _quoted(name: str | None) -> str:
    return f"{printable(name)!r} " if name else ""


def _explain_system(error: OSError) -> CommandError:
    """What has no number is not the system's word but ours, of an end that came too soon."""
    is_loss = isinstance(error, ConnectionError) and error.errno is None
    return CommandError(LOST if is_loss else UNREACHABLE, str(error))


def _explain_missing(error: ModuleNotFoundError) -> CommandError | None:
    extra = _EXTRAS.get(error.name or "")
    if extra is None:
        return None
    return ConfigurationError(f"{error.name} is not installed; run: pip install 'fastmux[{extra}]'")


# The first that fits counts.
_EXPLANATIONS: Final[tuple[tuple[type[BaseException], Callable[[Any], CommandError | None]], ...]] = (
    (AuthenticationError, _explain_authentication),
    (ConnectionClosed, _explain_closed),
    (ChannelReset, lambda error: CommandError(LOST, str(error))),
    (HandshakeError, lambda error: CommandError(UNREACHABLE, str(error))),
    (TimeoutError, _explain_timeout),
    (ModuleNotFoundError, _explain_missing),
    (
        socket.gaierror,
        lambda error: CommandError(
            UNREACHABLE, f"the name {_quoted(error.filename)}cannot be resolved: {error.strerror}"
        ),
    ),
    (OSError, _explain_system),
)


def _authentication_hint(text: str) -> str:
    """What a user can do about a failed proof of identity."""
    if "certificate is for" in text:
        return "; if that is the server you mean, name it by --server-name"
    if "none of the configured pins" in text:
        return "; `fastmux cert pin FILE` shows the pin of a certificate"
    return ""
