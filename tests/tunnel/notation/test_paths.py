"""Paths of Unix sockets have one spelling, so that the path that was checked is the path that is opened."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.constants import MAX_SOCKET_PATH_SIZE
from fastmux.tunnel.notation.paths import parse_path_pattern, socket_path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "./a",
        "/",
        "//a",
        "/a//b",
        "/a/",
        "/a/./b",
        "/a/../b",
        "/..",
        "/a\0b",
        "/a\n",
        "/a\x1b[2J",
        "~/a",
    ],
)
def test_a_path_with_a_second_spelling_is_refused(path: str) -> None:
    with pytest.raises(ValueError):
        socket_path(path)


def test_a_path_is_as_long_as_the_system_takes() -> None:
    longest = "/" + "x" * (MAX_SOCKET_PATH_SIZE - 1)
    assert socket_path(longest) == longest
    with pytest.raises(ValueError, match="longer than the 107 bytes"):
        socket_path(longest + "x")
    with pytest.raises(ValueError, match="longer"):
        socket_path("/" + "é" * (MAX_SOCKET_PATH_SIZE // 2 + 1))


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("/run/a.sock", "/run/a.sock", True),
        ("/run/a.sock", "/run/a.sock2", False),
        ("/run/*", "/run/a", True),
        ("/run/*", "/run/a/b", False),
        ("/run/*", "/runa", False),
        ("/run/app-*.sock", "/run/app-7.sock", True),
        ("/run/app-*.sock", "/run/app-.sock", False),
        ("/run/ab*ba", "/run/aba", False),
        ("*", "/anything/at/all", True),
    ],
)
def test_a_star_stands_for_one_name(pattern: str, path: str, covered: bool) -> None:
    assert parse_path_pattern(pattern).covers(path) is covered


@pytest.mark.parametrize("pattern", ["", "run/a", "/run/*/a", "/run/**", "/run/*a*", "/../*", "**"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        parse_path_pattern(pattern)


@given(st.text(alphabet="ab*/.\0é\ud800"), st.text(alphabet="ab/"))
def test_a_pattern_covers_what_a_regular_expression_would(text: str, end: str) -> None:
    try:
        pattern = parse_path_pattern(text)
        path = socket_path("/" + end)
    except ValueError:
        return
    model = ".*" if text == "*" else re.escape(text).replace(r"\*", "[^/]+")
    assert pattern.covers(path) is (re.fullmatch(model, path) is not None)
    assert str(pattern) == text
