"""The form of control requests and answers."""

from __future__ import annotations

import pytest

from fastmux.tunnel.constants import MAX_CONTROL_ANSWER_SIZE
from fastmux.tunnel.control import lines


def test_a_request_is_one_line_and_is_read_back() -> None:
    line = lines.encode_request("forward", kind="local", spec="8080:a\nb:80")
    assert line.count(b"\n") == 1
    assert lines.parse_request(line) == {"op": "forward", "kind": "local", "spec": "8080:a\nb:80"}


def test_a_request_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(ValueError, match="too large"):
        lines.encode_request("forward", spec="x" * 20_000)


@pytest.mark.parametrize(
    "line", [b"", b"status\n", b"[]\n", b"1\n", b'{"op": 1}\n', b"{}\n", b"\xff\n", b"[" * 9999]
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(lines.ControlError):
        lines.parse_request(line)


def test_a_result_comes_back_and_an_error_is_raised_with_its_text() -> None:
    assert lines.parse_answer(lines.encode_result({"a": [1, None]})) == {"a": [1, None]}
    with pytest.raises(lines.ControlError, match="not allowed"):
        lines.parse_answer(lines.encode_error("not allowed"))


def test_an_answer_that_would_be_too_large_is_an_error_instead() -> None:
    with pytest.raises(lines.ControlError, match="too large"):
        lines.parse_answer(lines.encode_result("x" * MAX_CONTROL_ANSWER_SIZE))


@pytest.mark.parametrize("line", [b"{}\n", b'{"ok": false}\n', b'{"ok": 1}\n', b"?\n"])
def test_what_is_no_answer_is_an_error(line: bytes) -> None:
    with pytest.raises(lines.ControlError):
        lines.parse_answer(line)
