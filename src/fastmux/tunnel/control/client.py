"""Asking a running process over its control socket.

Owns: one request and its answer. May not know: what a request means. It blocks: `ctl` has nothing else to do.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Final

from fastmux.tunnel.constants import CONTROL_TIMEOUT, MAX_CONTROL_ANSWER_SIZE
from fastmux.tunnel.control import lines

_CHUNK_SIZE: Final = 65536


def ask(path: Path, op: str, *, timeout: float = CONTROL_TIMEOUT, **fields: object) -> Any:
    """Send a request and return the result of its answer.

    Raises `ControlError` if it is refused, OSError if nobody listens there, TimeoutError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(os.fspath(path))
        sock.sendall(lines.encode_request(op, **fields))
        return lines.parse_answer(_read_line(sock))


def _read_line(sock: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        chunk = sock.recv(_CHUNK_SIZE)
        if not chunk:
            raise lines.ControlError("the process ended before it answered")
        data += chunk
        if len(data) > MAX_CONTROL_ANSWER_SIZE:
            raise lines.ControlError("the answer is too large")
    return bytes(data)
