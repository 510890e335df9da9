"""How a command that works on files ends when it cannot: one sentence, and exit code 3.

Owns: that. May not know: commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from fastmux.security.names import printable


class ConfigurationFailure(click.ClickException):
    """Ends a command with exit code 3 and what is wrong with a file or setting."""

    exit_code = 3

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence on standard error."""
        lines = self.message.splitlines() or [""]
        for line in lines:
            text = "".join(character if character.isprintable() else "?" for character in line)
            click.echo(f"fastmux: {text}", file=file, err=file is None)


@contextmanager
def configuration_failures() -> Iterator[None]:
    """Turn OSError and ValueError into `ConfigurationFailure`."""
    try:
        yield
    except OSError as error:
        named = error.filename is not None and error.strerror
        text = f"{printable(str(error.filename))}: {error.strerror}" if named else str(error)
        raise ConfigurationFailure(text) from error
    except ValueError as error:
        raise ConfigurationFailure(str(error)) from error
