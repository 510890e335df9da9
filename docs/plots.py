"""Draws the plots of the site from the tables of benchmarks.md, when the site is built.

Owns: which tables, and how a bar is drawn. May not know: a figure of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "fastmux"  # the same figures give the same file

HERE = Path(__file__).parent
FOLDER = HERE / "generated"
OURS, THEIRS = "#0b6e99", "#9aa5b1"
# By name of the picture: the first column's heading in benchmarks.md, the column that is drawn, the title.
PLOTS = {
    "bulk": ("one stream, one way", "MB/s", "One stream, one way: MB/s (more is better)"),
    "bulk-cpu": ("one stream, one way", "CPU s/GB", "The same: CPU seconds a GB, both ends (less is better)"),
    "streams": ("100 streams, one way", "MB/s", "100 streams, one way: MB/s (more is better)"),
    "round-trips": ("64 B there and back", "p50 µs", "64 bytes there and back: median µs (less is better)"),
    "messages": ("16 KiB messages, one way", "/s", "Messages of 16 KiB a second (more is better)"),
    "small-messages": ("64 B messages, one way", "/s", "Messages of 64 bytes a second (more is better)"),
    "handshakes": (
        "mutual handshakes, one after another",
        "/s",
        "Handshakes a second, both ends authenticated (more is better)",
    ),
}


def cells(line: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table(text: str, first_heading: str, column: str) -> dict[str, float]:
    """A column of the table with this first heading, by the rows' names. Raises ValueError without one."""
    lines = iter(text.splitlines())
    for line in lines:
        headings = cells(line)
        if line.startswith("|") and headings[0] == first_heading:
            place = headings.index(column)
            next(lines)
            rows: dict[str, float] = {}
            for row in lines:
                if not row.startswith("|"):
                    break
                values = cells(row)
                rows[values[0]] = float(values[place].replace(",", ""))
            return rows
    raise ValueError(f"benchmarks.md has no table {first_heading!r}")


def draw(title: str, rows: dict[str, float], path: Path) -> None:
    """Bars, in the order of the table."""
    figure = Figure(figsize=(8.4, 0.9 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    colours = [OURS if name.startswith("fastmux") else THEIRS for name in rows]
    axes.barh(list(rows), list(rows.values()), color=colours)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_title(title, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    for name, value in rows.items():
        text = f"{value:,.0f}" if value >= 100 else f"{value:g}"
        axes.annotate(f" {text}", (value, name), va="center", fontsize=8)
    figure.savefig(path, format="svg", metadata={"Date": None})


def draw_all(folder: Path = FOLDER) -> list[Path]:
    """Every plot, into a folder; gives their paths."""
    folder.mkdir(exist_ok=True)
    text = (HERE / "benchmarks.md").read_text("utf-8")
    paths = []
    for name, (heading, column, title) in PLOTS.items():
        paths.append(folder / f"{name}.svg")
        draw(title, table(text, heading, column), paths[-1])
    return paths


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls: draw before anything is read."""
    app.connect("builder-inited", lambda _: draw_all())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
