"""Leaves out of the site what docstrings say to those who work on fastmux: invariants of containers.

Owns: which paragraphs of a docstring are not for users. May not know: what the others say.
"""

from __future__ import annotations

from typing import Any

HIDDEN = ("Invariant:", "`owns_driver`:")


def without_hidden(lines: list[str]) -> list[str]:
    """The lines of a docstring without the paragraphs that begin with one of HIDDEN."""
    paragraphs = "\n".join(lines).split("\n\n")
    return "\n\n".join(text for text in paragraphs if not text.lstrip().startswith(HIDDEN)).splitlines()


def process(app: Any, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """What Sphinx calls for each docstring."""
    lines[:] = without_hidden(lines)


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls once."""
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
