"""`fastmux ctl`: which process is asked, what is printed, and what is said where there is none."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from fastmux.tunnel.cli import main
from fastmux.tunnel.control.lines import encode_error, encode_result

STATUS: dict[str, Any] = {
    "role": "serve",
    "version": "0.1.0",
    "pid": 7,
    "uptime": 1,
    "state": "serving",
    "connections": [],
    "channels": [],
    "channels_left_out": 0,
    "identities": [],
}


def ctl(place: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["ctl", "--control", str(place), *arguments])


@contextmanager
def process(path: Path, *answers: bytes) -> Iterator[list[dict[str, Any]]]:
    """A process that answers so many requests, and remembers them."""
    asked: list[dict[str, Any]] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(path))
        listening.listen()
        listening.settimeout(20)  # a request that never comes fails the test

        def serve() -> None:
            waiting = list(answers)
            while waiting:
                sock, _ = listening.accept()
                with sock:
                    request = sock.recv(65536)
                    if request:  # else somebody looked whether anybody listens
                        asked.append(json.loads(request))
                        sock.sendall(waiting.pop(0))

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def test_a_status_is_shown_for_people_and_for_programs(tmp_path: Path) -> None:
    line = encode_result(STATUS)
    with process(tmp_path / "a.sock", line, line) as asked:
        assert "serve 0.1.0, pid 7" in ctl(tmp_path, "status").stdout
        assert json.loads(ctl(tmp_path / "a.sock", "status", "--json").stdout) == STATUS
    assert asked == [{"op": "status"}] * 2


def test_the_status_of_every_process_is_shown(tmp_path: Path) -> None:
    line = encode_result(STATUS)
    with process(tmp_path / "a.sock", line), process(tmp_path / "b.sock", line):
        assert ctl(tmp_path, "status").stdout.count("pid 7") == 2


def test_forwards_are_added_and_cancelled_one_by_one(tmp_path: Path) -> None:
    lines = [encode_result("added"), encode_result("added too"), encode_result("gone")]
    with process(tmp_path / "a.sock", *lines) as asked:
        assert ctl(tmp_path, "forward", "-L", "1:a:2", "-D", "1080").stdout == "added\nadded too\n"
        assert ctl(tmp_path, "cancel", "-R", "3:b:4").stdout == "gone\n"
    assert asked == [
        {"op": "forward", "kind": "local", "spec": "1:a:2"},
        {"op": "forward", "kind": "socks5", "spec": "1080"},
        {"op": "cancel", "kind": "remote", "spec": "3:b:4"},
    ]


def test_steering_is_one_word(tmp_path: Path) -> None:
    lines = [encode_result(word) for word in ("reloaded", "draining", "exiting")]
    with process(tmp_path / "a.sock", *lines) as asked:
        for op in ("reload", "drain", "exit"):
            assert ctl(tmp_path, op).exit_code == 0
    assert [request["op"] for request in asked] == ["reload", "drain", "exit"]


def test_a_refusal_is_shown(tmp_path: Path) -> None:
    with process(tmp_path / "a.sock", encode_error("this is a server")):
        result = ctl(tmp_path, "forward", "-L", "1:a:2")
    assert result.exit_code == 3
    assert "this is a server" in result.stderr


def test_nobody_there_is_said_with_the_place(tmp_path: Path) -> None:
    result = ctl(tmp_path, "status")
    assert result.exit_code == 5
    assert "no serve or tunnel of this user runs" in result.stderr
    result = ctl(tmp_path / "gone.sock", "reload")
    assert result.exit_code == 5
    assert "nobody listens on" in result.stderr


def test_what_would_steer_several_wants_one_named(tmp_path: Path) -> None:
    with process(tmp_path / "a.sock"), process(tmp_path / "b.sock"):
        result = ctl(tmp_path, "exit")
    assert result.exit_code == 3
    assert "--control" in result.stderr


def leave_behind(path: Path) -> None:
    """The socket of a process that was killed."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.fspath(path))


def test_the_socket_of_a_killed_process_hides_no_other(tmp_path: Path) -> None:
    leave_behind(tmp_path / "a.sock")
    with process(tmp_path / "b.sock", encode_result(STATUS), encode_result("draining")) as asked:
        assert "pid 7" in ctl(tmp_path, "status").stdout
        assert ctl(tmp_path, "drain").stdout == "draining\n"
    assert [request["op"] for request in asked] == ["status", "drain"]


def test_where_only_killed_processes_were_nobody_runs(tmp_path: Path) -> None:
    for name in ("a.sock", "b.sock"):
        leave_behind(tmp_path / name)
    result = ctl(tmp_path, "status")
    assert result.exit_code == 5
    assert "no serve or tunnel of this user runs" in result.stderr


def test_a_directory_that_others_can_write_in_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "fastmux").mkdir()
    (tmp_path / "fastmux").chmod(0o777)
    result = CliRunner().invoke(main, ["ctl", "status"], env={"XDG_RUNTIME_DIR": str(tmp_path)})
    assert result.exit_code == 3
    assert "others can write in" in result.stderr


def test_a_forward_without_any_is_a_usage_error(tmp_path: Path) -> None:
    assert ctl(tmp_path, "forward").exit_code == 2
