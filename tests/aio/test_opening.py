"""What `connect` and `listen` return opens by `await` and by `async with`, and the second closes."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import pytest

from aio.virtual_loop import virtual
from fastmux.aio.opening import Opening


class Thing:
    """Knows with which error its block ended."""

    def __init__(self) -> None:
        self.ended_with: list[type[BaseException] | None] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ended_with.append(exc_type)


class Door(Opening[Thing]):
    async def _open(self) -> Thing:
        await asyncio.sleep(1)
        return Thing()


class Wall(Opening[Thing]):
    async def _open(self) -> Thing:
        raise OSError("no way in")


@virtual
async def test_what_was_awaited_stays_open() -> None:
    assert (await Door()).ended_with == []


@virtual
async def test_what_was_entered_is_closed_as_its_block_ended() -> None:
    async with Door() as thing:
        assert thing.ended_with == []
    assert thing.ended_with == [None]
    with pytest.raises(KeyError):
        async with Door() as thing:
            raise KeyError
    assert thing.ended_with == [KeyError]


@virtual
async def test_what_cannot_be_opened_raises_and_has_nothing_to_close() -> None:
    with pytest.raises(OSError, match="no way in"):
        await Wall()
    with pytest.raises(OSError, match="no way in"):
        async with Wall():
            pass
