"""The reference has every public name, setting, field and extra, with the values that the code has."""

from __future__ import annotations

import dataclasses
import importlib
import re
import textwrap
import tomllib

import pytest

import fastmux
from documentation.pages import DOCS, ROOT, blocks, cells_of
from fastmux import exceptions
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds
from fastmux.protocol.setting_ranges import RANGES
from fastmux.protocol.statistics import ConnectionStatistics

API = (DOCS / "reference/api.md").read_text("utf-8") + (DOCS / "reference/errors.md").read_text("utf-8")
MODULES = {"constants", "core", "exceptions", "__version__"}
SIZES = {2**20: "MiB", 2**10: "KiB"}


@pytest.mark.parametrize("name", sorted(set(fastmux.__all__) - MODULES))
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"fastmux\.{name}\b", API)


@pytest.mark.parametrize("room", ["anyio", "dask", "portmux", "prometheus", "trio"])
def test_every_public_name_of_a_room_is_in_the_reference(room: str) -> None:
    module = importlib.import_module(f"fastmux.{room}")
    pages = "".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))
    names = getattr(module, "__all__", ["Collector"])
    assert [name for name in names if not re.search(rf":: fastmux\.{room}\.{name}\n", pages)] == []


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    (tree,) = blocks(DOCS / "reference/errors.md", "text")
    assert textwrap.indent(tree, "    ").rstrip() in (exceptions.__doc__ or "")


def shown(value: object) -> str:
    """A default as the page writes it."""
    if isinstance(value, RandomIds):
        return f"`RandomIds({value.size})`"
    if value is None:
        return "None"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, float):
        return f"{value:g} s" if value >= 1 else f"{value * 1e3:g} ms"
    assert isinstance(value, int)
    return f"{value:,}"


def ways_of(value: object) -> set[str]:
    """How the page may write a default: a size in bytes also in the largest unit that divides it."""
    ways = {shown(value)}
    if isinstance(value, float):
        ways.add(f"{value:g} a second")
    for unit, name in SIZES.items():
        if isinstance(value, int) and value >= unit and value % unit == 0:
            return ways | {f"{value // unit} {name}"}
    return ways


@pytest.mark.parametrize("field", dataclasses.fields(Configuration), ids=lambda field: field.name)
def test_every_setting_is_in_the_reference_with_its_default(field: dataclasses.Field[object]) -> None:
    rows = {row[0]: row[1] for row in cells_of(DOCS / "reference/settings.md", "setting")}
    assert rows[f"`{field.name}`"] in ways_of(field.default)


@pytest.mark.parametrize("name", RANGES)
def test_the_range_of_every_number_is_in_the_reference(name: str) -> None:
    rows = {row[0]: row[2] for row in cells_of(DOCS / "reference/settings.md", "setting")}
    assert rows[f"`{name}`"] == str(RANGES[name])


def test_the_reference_has_no_setting_that_does_not_exist() -> None:
    known = {f"`{field.name}`" for field in dataclasses.fields(Configuration)}
    assert {row[0] for row in cells_of(DOCS / "reference/settings.md", "setting")} == known


@pytest.mark.parametrize("field", dataclasses.fields(ConnectionStatistics), ids=lambda field: field.name)
def test_every_field_of_the_statistics_is_explained(field: dataclasses.Field[object]) -> None:
    assert f"`{field.name}`" in (ConnectionStatistics.__doc__ or "")


def test_the_extras_for_users_are_on_the_page_of_installing() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ours = {"bench", "bench-peers", "dev", "docs", "test"}  # for work on fastmux itself
    rows = cells_of(DOCS / "install.md", "extra")
    named = {extra.strip("`") for row in rows for extra in row[0].split(", ")}
    assert named <= set(project["optional-dependencies"]) - ours
