"""The plots of the site come from the tables of its pages."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from documentation.pages import DOCS, extension


@pytest.fixture(scope="module")
def plots() -> ModuleType:
    """docs/plots.py, which Sphinx loads as an extension."""
    pytest.importorskip("matplotlib")
    return extension("plots")


def test_a_column_of_a_table_is_read_by_its_headings(plots: ModuleType) -> None:
    text = "| a | MB/s |\n| - | - |\n| x | 1,586 |\n| y | 0.5 |\n\n| b | MB/s |\n| - | - |\n| z | 2 |\n"
    assert plots.table(text, "a", "MB/s") == {"x": 1586.0, "y": 0.5}
    with pytest.raises(ValueError, match="no table 'c'"):
        plots.table(text, "c", "MB/s")


def test_every_plot_is_drawn_and_shown(plots: ModuleType, tmp_path: Path) -> None:
    drawn = {path.name for path in plots.draw_all(tmp_path)}
    assert all((tmp_path / name).read_text("utf-8").startswith("<?xml") for name in drawn)
    page = (DOCS / "performance.md").read_text("utf-8")
    assert {name for name in drawn if f"generated/{name}" not in page} == set()
