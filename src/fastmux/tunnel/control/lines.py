"""The form of control requests and answers: one JSON object a line.

Owns: their size and shape. May not know: sockets, what a request means.

A request is `{"op": NAME, …}`; an answer `{"ok": true, "result": …}` or `{"ok": false, "error": TEXT}`.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from fastmux.tunnel.constants import MAX_CONTROL_ANSWER_SIZE, MAX_CONTROL_REQUEST_SIZE

Request: TypeAlias = dict[str, Any]


class ControlError(Exception):
    """A request was refused, or what came is none; the text is for the one who asked."""


def encode_request(op: str, **fields: object) -> bytes:
    """One line. Raises ValueError if it is larger than a request may be."""
    line = _line({"op": op, **fields})
    if len(line) > MAX_CONTROL_REQUEST_SIZE:
        raise ValueError(f"a control request of {len(line)} bytes is too large")
    return line


def parse_request(line: bytes) -> Request:
    """The fields of a request, with its "op". Raises `ControlError`."""
    request = _object(line)
    if not isinstance(request.get("op"), str):
        raise ControlError('a request names its operation as "op"')
    return request


def encode_result(result: object) -> bytes:
    """The line of a success, or of an error if it would be too large."""
    line = _line({"ok": True, "result": result})
    return line if len(line) <= MAX_CONTROL_ANSWER_SIZE else encode_error("the answer is too large")


def encode_error(text: str) -> bytes:
    """The line of a refusal."""
    return _line({"ok": False, "error": text})


def parse_answer(line: bytes) -> Any:
    """The result of an answer. Raises `ControlError` with the text of a refusal."""
    answer = _object(line)
    if answer.get("ok") is True:
        return answer.get("result")
    error = answer.get("error")
    raise ControlError(error if isinstance(error, str) else "the answer is neither a result nor an error")


def _line(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ControlError("this is not one line of JSON") from None
    if not isinstance(value, dict):
        raise ControlError("this is not a JSON object")
    return value
