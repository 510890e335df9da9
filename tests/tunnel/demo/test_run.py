"""The parent of the demo: which core its processes run, and what it says when one of them fails."""

from __future__ import annotations

import asyncio

import pytest

from fastmux.tunnel.demo import run
from fastmux.tunnel.demo.display import Display
from fastmux.tunnel.demo.workload import MIB


def test_a_core_that_is_asked_for_is_required_and_the_other_one_switched_off() -> None:
    pure, compiled = run.processes_environment("python"), run.processes_environment("cython")
    assert pure["FASTMUX_NO_EXTENSIONS"] == "1"
    assert "FASTMUX_REQUIRE_EXTENSIONS" not in pure
    assert compiled["FASTMUX_REQUIRE_EXTENSIONS"] == "1"
    assert "FASTMUX_NO_EXTENSIONS" not in compiled


def test_the_pure_core_carries_a_smaller_file_unless_told_otherwise() -> None:
    assert run.make_workload(run.DemoOptions(), "cython").file_size == 64 * MIB
    assert run.make_workload(run.DemoOptions(), "python").file_size == 16 * MIB
    assert run.make_workload(run.DemoOptions(size=3), "python").file_size == 3 * MIB


def test_a_process_that_ends_before_it_is_ready_is_named() -> None:
    async def start() -> None:
        async with run.child_process("relay", [], run.processes_environment("auto")):
            pytest.fail("the relay needs arguments")

    with pytest.raises(run.DemoError, match="the relay ended before it was ready"):
        asyncio.run(start())


def test_a_client_without_a_result_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(run.DemoError, match="the client ended without a result"):
        asyncio.run(run.follow_client({}, run.processes_environment("auto"), Display()))
    assert "Traceback" in capfd.readouterr().err
