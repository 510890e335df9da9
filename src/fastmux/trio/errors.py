"""fastmux's errors as trio's.

Owns: which becomes which. May not know: where they come from. The original is the `__cause__`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from fastmux.exceptions import BrokenResourceError, BusyResourceError, ClosedResourceError


@contextmanager
def of_channel() -> Iterator[None]:
    """What a stream of trio raises: a channel whose peer or connection is gone is broken."""
    try:
        yield
    except ClosedResourceError as error:
        raise trio.ClosedResourceError(str(error)) from error
    except BusyResourceError as error:
        raise trio.BusyResourceError(str(error)) from error
    except (BrokenResourceError, ConnectionError) as error:
        raise trio.BrokenResourceError(str(error)) from error


@contextmanager
def of_connection() -> Iterator[None]:
    """What a connection raises: `ConnectionClosed` stays as it is, with its code and reason."""
    try:
        yield
    except ClosedResourceError as error:
        raise trio.ClosedResourceError(str(error)) from error
    except BusyResourceError as error:
        raise trio.BusyResourceError(str(error)) from error


def is_end(error: BaseException) -> bool:
    """True for what a handler raises because its connection, or its channel, was over; also for a group."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_end(one) for one in error.exceptions)
    return isinstance(error, (ConnectionError, trio.BrokenResourceError, trio.ClosedResourceError))
