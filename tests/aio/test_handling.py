"""A handler's end is the end of what it handled, and its errors are logged unless they are that end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from aio.virtual_loop import virtual
from fastmux import BrokenResourceError, ChannelReset, ClosedResourceError
from fastmux import constants as c
from fastmux.aio.handling import handle_channel, handle_connection
from fastmux.aio.logs import ConnectionLog

LOG = ConnectionLog("id")
CLOSED = ("closed", None)


class Subject:
    """A connection or a channel: it remembers how it was ended."""

    def __init__(self, is_closed: bool = False) -> None:
        self.is_closed = self.is_lost = is_closed
        self.end: tuple[str, int | None] | None = None

    def abort(self, code: int = c.CANCELLED, reason: str = "") -> None:
        self.end = (reason, code)

    def reset(self, code: int = c.CANCELLED) -> None:
        self.end = ("reset", code)

    async def aclose(self) -> None:
        self.end = CLOSED


def raising(error: BaseException | None) -> Callable[[Subject], asyncio.Future[None]]:
    """A handler that ends like this."""

    async def handler(subject: Subject) -> None:
        if error is not None:
            raise error

    return lambda subject: asyncio.ensure_future(handler(subject))


@pytest.mark.parametrize(
    ("error", "is_closed", "end", "is_logged"),
    [
        (None, False, CLOSED, False),
        (KeyError("mine"), False, ("the handler failed", c.INTERNAL), True),
        (KeyError("mine"), True, ("the handler failed", c.INTERNAL), True),
        (ConnectionResetError("over"), True, ("the handler failed", c.INTERNAL), False),
        (ConnectionResetError("of another"), False, ("the handler failed", c.INTERNAL), True),
    ],
)
def test_a_connection_ends_as_its_handler(
    error: BaseException | None,
    is_closed: bool,
    end: tuple[str, int | None],
    is_logged: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @virtual
    async def main() -> None:
        subject = Subject(is_closed)
        await handle_connection(raising(error), subject, LOG)
        assert subject.end == end

    main()
    assert any(record.levelno == logging.ERROR for record in caplog.records) == is_logged


@pytest.mark.parametrize(
    ("error", "is_lost", "end", "is_logged"),
    [
        (None, False, CLOSED, False),
        (KeyError("mine"), False, ("reset", c.INTERNAL), True),
        (KeyError("mine"), True, ("reset", c.INTERNAL), True),
        (ConnectionResetError("over"), True, ("reset", c.CANCELLED), False),
        (ConnectionRefusedError("of a database"), False, ("reset", c.INTERNAL), True),
        (BrokenResourceError("over"), True, ("reset", c.CANCELLED), False),
        (ClosedResourceError("the connection is being closed"), True, ("reset", c.CANCELLED), False),
        (ClosedResourceError("by the handler itself"), False, ("reset", c.INTERNAL), True),
        (ExceptionGroup("", [ChannelReset(3), BrokenResourceError()]), True, ("reset", c.CANCELLED), False),
        (ExceptionGroup("", [ChannelReset(3), KeyError("mine")]), True, ("reset", c.INTERNAL), True),
    ],
)
def test_a_channel_ends_as_its_handler(
    error: BaseException | None,
    is_lost: bool,
    end: tuple[str, int | None],
    is_logged: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @virtual
    async def main() -> None:
        subject = Subject(is_lost)
        await handle_channel(raising(error), subject, LOG)
        assert subject.end == end

    main()
    assert any(record.levelno == logging.ERROR for record in caplog.records) == is_logged


@virtual
async def test_a_handler_that_is_cancelled_gives_up_what_it_handled() -> None:
    for handle, end in (
        (handle_connection, ("the server stopped", c.CANCELLED)),
        (handle_channel, ("reset", c.CANCELLED)),
    ):
        subject = Subject()
        with pytest.raises(asyncio.CancelledError):
            await handle(raising(asyncio.CancelledError()), subject, LOG)
        assert subject.end == end


@virtual
async def test_what_a_peer_said_cannot_steer_the_terminal_of_who_reads_the_log() -> None:
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr(LOG, "debug", lambda text, *words: said.append(text % words))
        await handle_connection(raising(ConnectionResetError("\x1b[2J")), Subject(is_closed=True), LOG)
    assert said[0].isprintable()
