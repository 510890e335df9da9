"""The count of instructions a packet: what is counted, what a figure is compared with, when it fails."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fastmux import core
from tools import instructions, instructions_load
from tools.instructions import CountingFailed, compare, count_instructions, key_of, report, side_figures
from tools.stages import stages

# callgrind's format: `calls=` is followed by the cost of what was called, which its own block has too.
PROFILE = """\
version: 1
events: Ir
ob=/x/_core.cpython-311-x86_64-linux-gnu.so
fn=fill
12 100
+3 20
cob=/lib/libcrypto.so.3
cfn=EVP_EncryptUpdate
calls=2 0
* 7000
15 5
ob=/lib/libcrypto.so.3
fn=EVP_EncryptUpdate
0 6000
cob=/lib/libc.so.6
cfn=strcmp
calls=1 0
0 1000
ob=/lib/libc.so.6
fn=strcmp
0 1000
totals: 7125
"""


def test_everything_is_counted_once_whoever_executed_it() -> None:
    assert count_instructions(PROFILE, instructions.OBJECTS["null"]) == 7125


def test_with_a_cipher_only_the_extensions_own_instructions_count() -> None:
    assert count_instructions(PROFILE, instructions.OBJECTS["aes-128-gcm"]) == 125


def test_a_figure_is_the_difference_of_two_lengths_and_leaves_the_first_run_out() -> None:
    totals = [9_999, 2_000, 5_000, 9_999, 1_000, 1_600]
    packets = {"null": [10, 10, 20], "aes-128-gcm": [10, 10, 20]}
    assert side_figures("sending", totals, packets) == {"null sending": 300.0, "aes-128-gcm sending": 60.0}


@pytest.mark.parametrize(("value", "is_worse"), [(98.0, False), (101.9, False), (102.1, True)], ids=str)
def test_a_figure_fails_beyond_two_per_cent_above_the_committed_one(value: float, is_worse: bool) -> None:
    lines, failed = compare({"null sending": value}, {"null sending": 100.0})
    assert failed is is_worse
    assert ("TOO MANY" in lines[0]) is is_worse


def test_one_figure_that_is_better_does_not_make_up_for_one_that_is_worse() -> None:
    _, failed = compare({"a": 50.0, "b": 110.0, "c": 50.0}, {"a": 100.0, "b": 100.0, "c": 100.0})
    assert failed


def test_a_build_with_nothing_committed_is_only_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert report("gcc 99", {"null sending": 1e9}, {"gcc 12": {"null sending": 1.0}}) == 0
    assert "only reported: committed are gcc 12" in capsys.readouterr().out


def test_better_and_worse_figures_say_how_to_commit_them(capsys: pytest.CaptureFixture[str]) -> None:
    committed = {"gcc 12": {"null sending": 100.0}}
    assert report("gcc 12", {"null sending": 90.0}, committed) == 0
    assert "--update" in capsys.readouterr().out
    assert report("gcc 12", {"null sending": 110.0}, committed) == 1
    assert "--update" in capsys.readouterr().out


def test_the_key_names_compiler_and_cython_as_the_extension_does() -> None:
    extension = b"..\0GCC: (Debian 12.2.0-14) 12.2.0\0..\0_cython_3_3_1\0.."
    assert key_of(extension, "CPython 3.11.7") == "gcc 12.2.0 / Cython 3.3.1 / CPython 3.11.7"
    assert key_of(b"Ubuntu clang version 18.1.3 (1)\0", "x").startswith("clang 18.1.3 / Cython unknown")


def test_a_name_without_a_symbol_is_a_failure_and_not_a_count_of_nothing() -> None:
    with pytest.raises(CountingFailed, match="no symbol"):
        instructions.symbol_of(b"__pyx_pw_7fastmux_5_core_8DataPath_13filler\0", "DataPath.fill")


@pytest.mark.skipif(core.IMPLEMENTATION != "cython", reason="reads the compiled core")
def test_every_counted_function_and_the_mark_are_symbols_of_the_compiled_core() -> None:
    extension = instructions.extension_bytes()
    names = [name for side in instructions.COUNTED.values() for name in side]
    for name in [*names, instructions.MARK]:
        assert instructions.symbol_of(extension, name).endswith(name.rpartition(".")[2])


@pytest.mark.skipif(core.IMPLEMENTATION != "cython", reason="the load runs on the compiled core")
@pytest.mark.parametrize("suite", instructions_load.SUITES.values(), ids=instructions_load.SUITES)
def test_the_load_carries_whole_trains_and_leaves_nothing_behind(suite: int) -> None:
    before = core.live()
    assert instructions_load.carry(suite, 100) == 132
    assert core.live() == before


def test_every_suite_of_the_load_says_whose_instructions_count() -> None:
    assert set(instructions.OBJECTS) == set(instructions_load.SUITES)


def test_the_committed_figures_are_of_every_suite_and_side() -> None:
    committed = json.loads(Path(instructions.FIGURES).read_text("utf-8"))
    names = {f"{suite} {side}" for suite in instructions.OBJECTS for side in instructions.COUNTED}
    assert committed and all(set(figures) == names for figures in committed.values())
    assert all(re.match(r"(gcc|clang) \S+ / Cython \S+ / CPython \S+ / ", key) for key in committed)


def test_it_is_a_stage_of_make_check() -> None:
    assert "instructions" in [stage.name for stage in stages()]
