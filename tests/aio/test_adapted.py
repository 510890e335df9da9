"""The connection of another library has every method of the library's own, or says why not."""

from __future__ import annotations

import inspect

import pytest

from fastmux.aio.adapted import AdaptedConnection
from fastmux.aio.connection import Connection

# What belongs to asyncio, to a room's own file, or to the protocol's calls.
OTHERWISE = {
    "create_connection": "asyncio's transports",
    "create_server": "asyncio's transports",
    "handle_event": "the protocol calls it",
    "serve": "a task for each channel is the library's affair: trio has it, anyio has listeners",
    "wait_opened": "for `connect`",
}
PUBLIC = sorted(name for name in dir(Connection) if not name.startswith("_"))


@pytest.mark.parametrize("name", PUBLIC)
def test_no_method_is_missing(name: str) -> None:
    assert hasattr(AdaptedConnection, name) != (name in OTHERWISE)


@pytest.mark.parametrize("name", [name for name in PUBLIC if callable(getattr(Connection, name))])
def test_arguments_are_the_same(name: str) -> None:
    if name not in OTHERWISE:
        mine, theirs = (inspect.signature(getattr(kind, name)) for kind in (AdaptedConnection, Connection))
        assert str(mine.replace(return_annotation=None)) == str(theirs.replace(return_annotation=None))
