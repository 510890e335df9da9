"""fastmux's errors as anyio's.

Owns: which becomes which. May not know: where they come from. The original is the `__cause__`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from fastmux.exceptions import BrokenResourceError, BusyResourceError, ClosedResourceError, EndOfStream


@contextmanager
def of_channel() -> Iterator[None]:
    """What a stream of anyio raises: a channel whose peer or connection is gone is broken."""
    try:
        yield
    except (BrokenResourceError, ConnectionError) as error:
        raise anyio.BrokenResourceError(str(error)) from error
    except EndOfStream as error:
        raise anyio.EndOfStream from error
    except (ClosedResourceError, BusyResourceError) as error:
        raise _own(error) from error


@contextmanager
def of_connection() -> Iterator[None]:
    """What a connection raises: `ConnectionClosed` stays as it is, with its code and reason."""
    try:
        yield
    except (ClosedResourceError, BusyResourceError) as error:
        raise _own(error) from error


def is_end(error: BaseException) -> bool:
    """True for what a handler raises because its connection, or its channel, was over; also for a group."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_end(one) for one in error.exceptions)
    return isinstance(error, (ConnectionError, anyio.BrokenResourceError, anyio.ClosedResourceError))


def _own(error: ClosedResourceError | BusyResourceError) -> Exception:
    if isinstance(error, BusyResourceError):
        return anyio.BusyResourceError("using")
    return anyio.ClosedResourceError(str(error))
