"""What becomes of a connection, or a channel, when its handler ends.

Owns: which end of a handler is which end of what it handled, and what the log says. May not know: tasks;
which loop runs, so that every library's tasks can run it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from fastmux import constants as c
from fastmux.aio.logs import ConnectionLog
from fastmux.exceptions import BrokenResourceError, ClosedResourceError
from fastmux.security.names import printable


class Handled(Protocol):
    """A connection as its handler's end sees it."""

    @property
    def is_closed(self) -> bool:
        """True once it is over for this end."""
        ...

    def abort(self, code: int = c.CANCELLED, reason: str = "") -> None:
        """Close at once."""
        ...

    def aclose(self) -> Awaitable[None]:
        """Close gracefully."""
        ...


class HandledChannel(Protocol):
    """A channel as its handler's end sees it."""

    @property
    def is_lost(self) -> bool:
        """True once the peer gave it up, or its connection is over."""
        ...

    def reset(self, code: int = c.CANCELLED) -> None:
        """Give it up."""
        ...

    def aclose(self) -> Awaitable[None]:
        """Close it."""
        ...


C = TypeVar("C", bound=Handled)
H = TypeVar("H", bound=HandledChannel)


def is_end(error: BaseException) -> bool:
    """True for what a handler raises because its connection, or its channel, was over; also for a group."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_end(one) for one in error.exceptions)
    return isinstance(error, (ConnectionError, BrokenResourceError, ClosedResourceError))


async def handle_connection(
    handler: Callable[[C], Awaitable[Any]],
    connection: C,
    log: ConnectionLog,
    is_end: Callable[[BaseException], bool] = is_end,
) -> None:
    """Run the handler of a connection, then close: gracefully if it returned, with INTERNAL if it raised.

    An error is logged, unless it says no more than that the connection was over (`is_end`). Cancelled, the
    connection is aborted.
    """
    try:
        await handler(connection)
    except Exception as error:
        if connection.is_closed and is_end(error):
            log.debug("the handler of %r ended with its connection: %s", connection, printable(str(error)))
        else:
            log.exception("the handler of %r failed; the connection is closed", connection)
        connection.abort(c.INTERNAL, "the handler failed")
    except BaseException:
        connection.abort(c.CANCELLED, "the server stopped")
        raise
    else:
        await connection.aclose()


async def handle_channel(
    handler: Callable[[H], Awaitable[Any]],
    channel: H,
    log: ConnectionLog,
    is_end: Callable[[BaseException], bool] = is_end,
) -> None:
    """Run the handler of a channel, then close it: in good order if it returned, else by a reset.

    An error is logged, and the code then INTERNAL, unless the channel was lost and the error says no more
    than that (`is_end`): a `ConnectionError` may as well be that of a database that is down.
    """
    try:
        await handler(channel)
    except Exception as error:
        if channel.is_lost and is_end(error):  # its handler did no wrong
            log.debug("the handler of %r ended with %r", channel, error)
            channel.reset(c.CANCELLED)
        else:
            log.exception("the handler of %r failed; the channel is reset", channel)
            channel.reset(c.INTERNAL)
    except BaseException:
        channel.reset(c.CANCELLED)
        raise
    else:
        await channel.aclose()
