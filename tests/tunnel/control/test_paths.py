"""Where control sockets are, and which directories are trusted with one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from fastmux.tunnel.control import paths


def test_the_place_is_the_services_then_the_sessions_then_one_of_the_user() -> None:
    both = {"RUNTIME_DIRECTORY": "/run/fastmux:/run/other", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert paths.runtime_directory(both) == Path("/run/fastmux")
    assert paths.runtime_directory({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/fastmux")
    assert paths.runtime_directory({}) == Path(f"/tmp/fastmux-{os.geteuid()}")
    assert paths.default_path("serve", 42, both) == Path("/run/fastmux/serve-42.sock")


def test_a_directory_is_made_for_its_user_only(tmp_path: Path) -> None:
    paths.prepare(tmp_path / "new" / "a.sock")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    paths.prepare(tmp_path / "new" / "b.sock")


def test_a_directory_that_others_can_write_in_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(PermissionError, match="others can write in"):
        paths.prepare(shared / "a.sock")
    (tmp_path / "link").symlink_to(shared)
    with pytest.raises(NotADirectoryError):
        paths.prepare(tmp_path / "link" / "a.sock")
    with pytest.raises(PermissionError, match="others can write in"):
        paths.check(shared)


def test_a_directory_where_nobody_can_replace_anothers_files_will_do() -> None:
    paths.prepare(Path("/tmp/a.sock"))


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too long"):
        paths.prepare(tmp_path / ("x" * 120))


def test_a_directory_stands_for_the_sockets_in_it(tmp_path: Path) -> None:
    (tmp_path / "file.sock").touch()
    socks = []
    for name in ("b.sock", "a.sock"):
        socks.append(socket.socket(socket.AF_UNIX))
        socks[-1].bind(os.fspath(tmp_path / name))
    assert paths.found(tmp_path) == [tmp_path / "a.sock", tmp_path / "b.sock"]
    assert paths.found(tmp_path / "b.sock") == [tmp_path / "b.sock"]
    assert paths.found(tmp_path / "gone.sock") == [tmp_path / "gone.sock"]
    for sock in socks:
        sock.close()


def test_a_socket_is_alive_while_somebody_listens(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    assert not paths.is_alive(path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.fspath(path))
        sock.listen()
        assert paths.is_alive(path)
    assert not paths.is_alive(path)
