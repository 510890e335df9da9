"""docs/security.md says what is so: each test that it names is there, each number is the code's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from fastmux import constants

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
TEST = re.compile(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`")
LIMIT = re.compile(r"^\| `([A-Z0-9_]+)` \| ([^|]+) \|", re.MULTILINE)
UNITS = {"": 1.0, " s": 1.0, " KiB": 2.0**10, " MiB": 2.0**20}


def value(text: str) -> float:
    """A number as the page writes it: `2^23`, `1,000`, `64 KiB`, `0.1 s`."""
    found = re.fullmatch(r"(?:2\^(\d+)|([\d,.]+))( s| KiB| MiB|)", text)
    assert found, text
    power, number, unit = found.groups()
    return (2.0 ** int(power) if power else float(number.replace(",", ""))) * UNITS[unit]


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_is_named_exists() -> None:
    named = TEST.findall(PAGE)
    assert len(named) >= 40
    for place, function in named:
        path = ROOT / place
        assert path.is_file() if place.endswith(".py") else path.is_dir(), place
        if function:
            assert function in functions_of(path), f"{place}::{function}"


def test_every_promise_names_a_test() -> None:
    table = PAGE.partition("## What each layer promises")[2].partition("## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 25
    for row in rows:
        assert TEST.search(row), row


def test_every_limit_is_the_constant() -> None:
    limits = LIMIT.findall(PAGE)
    assert len(limits) >= 30
    for name, text in limits:
        assert value(text) == getattr(constants, name), name


@pytest.mark.parametrize(
    ("text", "number"), [("2^23", 2**23), ("1,000", 1000), ("64 KiB", 65536), ("0.1 s", 0.1), ("33", 33)]
)
def test_numbers_are_read_as_they_are_written(text: str, number: float) -> None:
    assert value(text) == number


def test_no_name_of_a_constant_on_the_page_is_made_up() -> None:
    own = {"PLAINTEXT", "SSLKEYLOGFILE", "PARAMETERS", "NEW_ID"}
    names = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`", PAGE))
    assert names - own <= set(vars(constants))
