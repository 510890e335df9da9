"""The reference shows every public member of the classes that users meet."""

from __future__ import annotations

import asyncio
import inspect
import re

import pytest

import fastmux
from documentation.pages import DOCS

API = (DOCS / "reference/api.md").read_text("utf-8")
CLASSES = ("Server", "Connection", "Stream", "MessageChannel", "WorkerPlace", "RandomIds", "RoutableIds")


def options_of(name: str) -> dict[str, set[str]]:
    """The options of a class's directive, each with the names after it."""
    found = re.search(rf"^\.\. autoclass:: fastmux\.{name}\n((?:   :.*\n)*)", API, re.MULTILINE)
    assert found is not None
    lines = re.findall(r"^   :([a-z-]+): ?(.*)$", found.group(1), re.MULTILINE)
    return {option: set(re.findall(r"\w+", names)) for option, names in lines}


def members_of(kind: type, *, inherited: bool) -> set[str]:
    """Its public methods and properties that have a docstring of their own."""
    homes = [home for home in kind.__mro__ if home.__module__.startswith("fastmux")] if inherited else [kind]
    return {
        name
        for home in homes
        for name, value in vars(home).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    }


@pytest.mark.parametrize("name", CLASSES)
def test_no_public_member_is_missing_from_the_reference(name: str) -> None:
    kind, options = getattr(fastmux, name), options_of(name)
    shown = members_of(kind, inherited="inherited-members" in options)
    assert members_of(kind, inherited=True) - shown == set()
    assert all(inspect.getdoc(getattr(kind, member)) for member in shown)


@pytest.mark.parametrize("name", CLASSES)
def test_what_the_reference_leaves_out_exists(name: str) -> None:
    kind, left_out = getattr(fastmux, name), options_of(name).get("exclude-members", set())
    assert left_out <= members_of(kind, inherited=True) | {"__init__"}


def test_every_counter_of_a_server_is_explained() -> None:
    async def main() -> dict[str, int]:
        async def handler(conn: fastmux.Connection) -> None: ...

        async with fastmux.listen(handler, "127.0.0.1", 0, tls=fastmux.PLAINTEXT) as server:
            return server.counters()

    text = (DOCS / "reference/statistics.md").read_text("utf-8")
    assert [name for name in asyncio.run(main()) if f"`{name}`" not in text] == []
