"""Private files: keys are read only if nobody else can read them, and written the same way.

Owns: the checks of key files and of the directory that they are made in. May not know: what is in
a key.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

# A certificate's name of 64 characters at most, then `.pem` or `.key`, `.old`, `.new`.
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,75}", re.ASCII)
_MAX_FILE_SIZE: Final = 2**20  # a PEM file beyond it is a mistake
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
# Windows has neither, and no permission bits either: its files inherit the access list of their
# directory.
_NO_FOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: Final[int] = getattr(os, "O_NONBLOCK", 0)  # for the writer of a FIFO, which is refused anyway
_HAS_MODES: Final = os.name == "posix"


def read_key_file(path: str) -> bytes:
    """Read a private key file, checked as OpenSSH checks its own.

    Raises PermissionError if it is a symbolic link, belongs to another user, or can be read or
    written by group or others; ValueError if it is no plain file or too large; any other OSError
    from opening it.
    """
    if _HAS_MODES and os.path.islink(path):
        raise PermissionError(f"key file {path} is a symbolic link: name the file itself")
    with open(_open_to_read(path, _NO_FOLLOW), "rb") as file:
        status = os.fstat(file.fileno())
        _check_plain(path, status)
        _check_private(path, status)
        return file.read(_MAX_FILE_SIZE)


def read_certificate_file(path: str) -> bytes:
    """Read a file of certificates, which are no secret.

    Raises ValueError if it is no plain file or too large; OSError from opening it.
    """
    with open(_open_to_read(path), "rb") as file:
        _check_plain(path, os.fstat(file.fileno()))
        return file.read(_MAX_FILE_SIZE)


def _open_to_read(path: str, flags: int = 0) -> int:
    return os.open(path, os.O_RDONLY | _NO_WAIT | flags | getattr(os, "O_BINARY", 0))


def _check_plain(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a plain file")
    if status.st_size > _MAX_FILE_SIZE:
        raise ValueError(f"{path} is larger than {_MAX_FILE_SIZE} bytes: not a certificate or key file")


def _check_private(path: str, status: os.stat_result) -> None:
    if not _HAS_MODES:
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        raise PermissionError(
            f"permissions {mode:04o} of key file {path} are too open: others can use it; "
            f"run: chmod 600 {path}"
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise PermissionError(f"key file {path} belongs to another user (uid {status.st_uid})")


def make_private_directory(path: Path) -> None:
    """Make `path` with mode 0700, or accept it as it is if only this user can write in it.

    Raises NotADirectoryError, or PermissionError if it is another user's or others can write in it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(f"{path} is not a directory") from None
        if _HAS_MODES and (status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE):
            raise PermissionError(
                f"others can write in the directory {path}: keys are not made there"
            ) from None


def write_private_file(directory: Path, name: str, data: bytes) -> Path:
    """Write a new file of mode 0600 and return its path.

    Raises FileExistsError rather than overwrite or follow anything; ValueError for a name that is
    not 1 to 76 letters, digits, dots, underscores and hyphens without a leading dot.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a file name for a certificate or key")
    path = directory / name
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
    return path


def replace_private_file(directory: Path, name: str, data: bytes) -> Path:
    """Replace a file at once, with its owner and mode, and keep what it was as `name.old`.

    Whoever opens it finds the old or the new content whole. Returns the path of the old one. Raises
    PermissionError for a symbolic link, ValueError for a name as `write_private_file` does, and OSError: a
    `.new` file that an interrupted call left is not used.
    """
    path = directory / name
    if path.is_symlink():
        raise PermissionError(f"{path} is a symbolic link: name the file itself")
    status = path.stat()
    old = path.read_bytes()
    backup = _put_in_place(directory, f"{name}.old", old, status)
    _put_in_place(directory, name, data, status)
    return backup


def _put_in_place(directory: Path, name: str, data: bytes, like: os.stat_result) -> Path:
    new = write_private_file(directory, f"{name}.new", data)
    try:
        if _HAS_MODES:
            if like.st_uid != os.geteuid():
                os.chown(new, like.st_uid, like.st_gid)
            new.chmod(stat.S_IMODE(like.st_mode) & 0o644)
        with open(new, "rb") as file:
            os.fsync(file.fileno())
        return new.replace(directory / name)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
