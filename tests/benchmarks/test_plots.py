"""The plots are PNG files of what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.goals import Goal
from bench.verdicts import judge
from benchmarks.samples import series_of

pytest.importorskip("matplotlib")

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_scenario_and_the_goals_are_drawn(tmp_path: Path) -> None:
    from bench.plots import plot_goals, plot_scenario

    every = [series_of("fastmux", 900.0, 1000.0), series_of("slow", 1.0, 2.0), series_of("failed")]
    plot_scenario("title", "MB/s", every, tmp_path / "scenario.png")
    goal = Goal("bulk", "fast", "fastmux", 2.0, to="slow")
    plot_goals(judge({"bulk": every}, [goal]), tmp_path / "goals.png")
    assert all((tmp_path / name).read_bytes().startswith(PNG) for name in ("scenario.png", "goals.png"))


def test_nothing_measured_is_nothing_drawn(tmp_path: Path) -> None:
    from bench.plots import plot_goals, plot_scenario

    plot_scenario("title", "MB/s", [series_of("failed")], tmp_path / "scenario.png")
    plot_goals([], tmp_path / "goals.png")
    assert list(tmp_path.iterdir()) == []
