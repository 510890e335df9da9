"""Asking over a control socket."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastmux.tunnel.control import client
from fastmux.tunnel.control.lines import ControlError, encode_error, encode_result


@contextmanager
def answering(path: Path, *pieces: bytes) -> Iterator[list[bytes]]:
    """A process that answers one request with these bytes."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(path))
        listening.listen()

        def serve() -> None:
            sock, _ = listening.accept()
            with sock:
                heard.append(sock.recv(65536))
                for piece in pieces:
                    sock.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join()


def test_a_request_is_sent_and_its_result_returned(tmp_path: Path) -> None:
    line = encode_result({"channels": ["x" * 100_000]})
    with answering(tmp_path / "s", line[:10], line[10:]) as heard:
        assert client.ask(tmp_path / "s", "forward", kind="local") == {"channels": ["x" * 100_000]}
    assert heard == [b'{"op":"forward","kind":"local"}\n']


def test_a_refusal_is_raised(tmp_path: Path) -> None:
    with answering(tmp_path / "s", encode_error("no")), pytest.raises(ControlError, match="no"):
        client.ask(tmp_path / "s", "status")


def test_an_end_without_an_answer_is_an_error(tmp_path: Path) -> None:
    with answering(tmp_path / "s", b'{"ok":'), pytest.raises(ControlError, match="ended before it answered"):
        client.ask(tmp_path / "s", "status")


def test_nobody_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        client.ask(tmp_path / "gone", "status")


def test_an_answer_without_end_is_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_CONTROL_ANSWER_SIZE", 1000)
    with answering(tmp_path / "s", b"x" * 2000), pytest.raises(ControlError, match="too large"):
        client.ask(tmp_path / "s", "status")
