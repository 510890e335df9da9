"""How a command ends when it cannot go on: a sentence on standard error, and the exit code for it.

Owns: that. May not know: commands; which error means which code (`exits` does).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from fastmux.security.names import printable
from fastmux.tunnel import exits
from fastmux.tunnel.operation.journal import escaped

logger = logging.getLogger("fastmux.tunnel")


@contextmanager
def reported() -> Iterator[None]:
    """End the process as an outside error says: one sentence on standard error and the exit code for it.

    An interrupt ends it with 130. Errors of the program itself pass.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(exits.INTERRUPTED)
    except Exception as error:
        outside = exits.command_error(error)
        if outside is None:
            raise
        logger.debug("the error behind the message", exc_info=error)
        for line in str(outside).splitlines():  # a configuration file may have several faults
            click.echo(f"fastmux: {escaped(line)}", err=True)
        sys.exit(outside.code)


@contextmanager
def configuration_failures() -> Iterator[None]:
    """As `reported`, for what works on files: OSError and ValueError say what is wrong with one of them."""
    with reported():
        try:
            yield
        except OSError as error:
            named = error.filename is not None and error.strerror
            text = f"{printable(str(error.filename))}: {error.strerror}" if named else str(error)
            raise exits.ConfigurationError(text) from error
        except ValueError as error:
            raise exits.ConfigurationError(str(error)) from error
