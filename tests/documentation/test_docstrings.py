"""What is not for users is left out of the reference."""

from __future__ import annotations

from documentation.pages import extension


def test_an_invariant_is_left_out_and_the_rest_stays() -> None:
    lines = ["A queue.", "", "Invariant: it is", "bounded.", "", "Raises nothing."]
    assert extension("docstrings").without_hidden(lines) == ["A queue.", "", "Raises nothing."]


def test_a_docstring_without_one_stays_as_it_is() -> None:
    lines = ["A queue.", "", "What it holds is bytes."]
    assert extension("docstrings").without_hidden(lines) == lines
