"""Every row has its attacks, tests and limits, and docs/hostile-inputs.md says of them what is so."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from fastmux import constants
from hostile.document import PAGE, ROWS, figures_of, load, render, value_of
from hostile.row import Row
from hostile.runs import LEAST_SHARE
from hostile.table_of_attacks import ATTACKS, attacks_of

TESTS = Path(__file__).parents[1]
CODES = {
    name: value
    for name, value in vars(constants).items()
    if name.endswith(("_ERROR", "_LIMIT", "_VIOLATION", "_EXCEEDED", "_REACHED", "_PATH", "_FAILED"))
}


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the tests of a file."""
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


def test_there_are_thirty_nine_rows_each_once_in_order() -> None:
    assert [row.id for row in ROWS] == [f"H{number}" for number in range(1, 40)]


def test_every_attack_is_of_a_row_and_has_a_name_of_its_own() -> None:
    assert {attack.row for attack in ATTACKS} == {row.id for row in ROWS}
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_names_tests_and_limits_that_exist_and_the_codes_of_its_attacks(row: Row) -> None:
    assert row.shown
    assert row.good
    for name in (*row.shown, *row.good):
        path, function = name.split("::")
        assert function in names_in(path), name
    for limit in row.limits:
        assert value_of(limit), limit
    named = {CODES[name] for name in re.findall(r"CLOSE\((\w+)\)", row.reaction)}
    assert {attack.code for attack in attacks_of(row.id) if attack.code is not None} <= named


def test_the_page_is_what_the_tables_and_the_constants_say() -> None:
    """`python -m hostile.document` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == render(load())


def test_what_was_measured_is_within_the_limits() -> None:
    kept = load()
    assert set(kept["attacks"]) == {attack.name for attack in ATTACKS}
    for attack in ATTACKS:
        figures = figures_of(kept, attack)
        assert 0 <= figures.growth <= attack.growth
        assert figures.beside >= LEAST_SHARE
        assert figures.kept is None or figures.kept >= LEAST_SHARE


def test_a_value_is_written_as_people_do() -> None:
    assert value_of("MAX_CONNECTIONS") == "65,536"
    assert value_of("AES_GCM_FAILURE_LIMIT") == "2^52"
    assert value_of("GLITCH_RATE") == "33"
    assert value_of("MAX_WAKEUP_TIME") == "0.002"
