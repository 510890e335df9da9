"""Key files that only their owner can use."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fastmux.security.files import (
    make_private_directory,
    read_certificate_file,
    read_key_file,
    replace_private_file,
    write_private_file,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no permission bits")


def key_file(directory: Path, mode: int) -> Path:
    path = directory / "a.key"
    path.write_bytes(b"key")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_key_file_is_read(tmp_path: Path, mode: int) -> None:
    assert read_key_file(str(key_file(tmp_path, mode))) == b"key"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_key_file_that_others_can_use_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, mode)
    with pytest.raises(PermissionError, match=rf"permissions {mode:04o} .* chmod 600 {path}"):
        read_key_file(str(path))


def test_a_key_file_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.key").symlink_to(key_file(tmp_path, 0o600))
    with pytest.raises(PermissionError, match="is a symbolic link"):
        read_key_file(str(tmp_path / "link.key"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root for chown")
def test_a_key_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path, 0o600)
    os.chown(path, 12345, 12345)
    with pytest.raises(PermissionError, match=r"another user \(uid 12345\)"):
        read_key_file(str(path))


@pytest.mark.parametrize("read", [read_key_file, read_certificate_file])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises((ValueError, IsADirectoryError)):
        read(str(tmp_path))
    with pytest.raises(ValueError, match="is not a plain file"):
        read("/dev/null")
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "none"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
@pytest.mark.parametrize("read", [read_key_file, read_certificate_file])
def test_a_fifo_is_refused_without_waiting_for_its_writer(tmp_path: Path, read: object) -> None:
    """Guards against an open that hangs for ever."""
    assert callable(read)
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    with pytest.raises(ValueError, match="is not a plain file"):
        read(str(path))


def test_a_file_too_large_to_be_a_certificate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.pem"
    path.write_bytes(bytes(2**20 + 1))
    with pytest.raises(ValueError, match="is larger than 1048576 bytes"):
        read_certificate_file(str(path))


def test_a_written_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path = write_private_file(tmp_path, "a.key", b"key")
        make_private_directory(tmp_path / "deep" / "d")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "deep" / "d").stat().st_mode) == 0o700
    assert read_key_file(str(path)) == b"key"


def test_writing_never_replaces_nor_follows(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "link.key").symlink_to(target)
    write_private_file(tmp_path, "a.key", b"first")
    for name in ("a.key", "link.key"):
        with pytest.raises(FileExistsError):
            write_private_file(tmp_path, name, b"second")
    assert (tmp_path / "a.key").read_bytes() == b"first"
    assert not target.exists()


@pytest.mark.parametrize("name", ["", ".key", "../a", "a/b", "a\0", "a b", "x" * 77, "é", "a\n"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not a file name"):
        write_private_file(tmp_path, name, b"")
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_file_keeps_what_it_was_beside_it(tmp_path: Path) -> None:
    write_private_file(tmp_path, "a.key", b"first")
    for old, new in ((b"first", b"second"), (b"second", b"third")):
        assert replace_private_file(tmp_path, "a.key", new) == tmp_path / "a.key.old"
        assert (tmp_path / "a.key").read_bytes() == new
        assert (tmp_path / "a.key.old").read_bytes() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.key", "a.key.old"]


def test_a_replaced_file_is_the_old_or_the_new_one_to_whoever_has_it_open(tmp_path: Path) -> None:
    path = write_private_file(tmp_path, "a.key", b"first")
    with open(path, "rb") as opened:
        replace_private_file(tmp_path, "a.key", b"second")
        assert opened.read() == b"first"


def test_replacing_follows_nothing_and_uses_nothing_that_is_left_over(tmp_path: Path) -> None:
    path = write_private_file(tmp_path, "a.key", b"first")
    (tmp_path / "link.key").symlink_to(path)
    with pytest.raises(PermissionError, match="name the file itself"):
        replace_private_file(tmp_path, "link.key", b"second")
    target = tmp_path / "target"
    (tmp_path / "a.key.old.new").symlink_to(target)
    with pytest.raises(FileExistsError):
        replace_private_file(tmp_path, "a.key", b"second")
    assert path.read_bytes() == b"first" and not target.exists()
    with pytest.raises(FileNotFoundError):
        replace_private_file(tmp_path, "none.key", b"second")


def test_a_replacement_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = write_private_file(tmp_path, "a.key", b"first")
    (tmp_path / "a.key.old").mkdir()
    with pytest.raises(OSError):
        replace_private_file(tmp_path, "a.key", b"second")
    assert path.read_bytes() == b"first"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.key", "a.key.old"]


def test_an_existing_directory_is_taken_if_only_we_can_write_in_it(tmp_path: Path) -> None:
    for mode in (0o700, 0o755):
        tmp_path.chmod(mode)
        make_private_directory(tmp_path)
        assert stat.S_IMODE(tmp_path.stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777])
def test_a_directory_that_others_can_write_in_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(PermissionError, match="others can write in the directory"):
        make_private_directory(tmp_path)


def test_a_file_or_link_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(NotADirectoryError):
            make_private_directory(tmp_path / name)
