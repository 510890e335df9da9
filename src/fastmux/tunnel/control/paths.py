"""Where control sockets are: in a directory that only their user can enter.

Owns: names, the directory and its checks, which sockets are alive. May not know: what goes over them.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

IS_POSSIBLE: Final = hasattr(socket, "AF_UNIX") and hasattr(os, "geteuid")
NO_CONTROL: Final = "none"  # what --control says for no socket at all
_SUFFIX: Final = ".sock"
_MAX_PATH_SIZE: Final = 107  # bytes: sun_path has 108 on Linux, one of them for the end


def runtime_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """The directory of this user's sockets: below $RUNTIME_DIRECTORY (systemd), $XDG_RUNTIME_DIR, or /tmp."""
    service = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if service:
        return Path(service)
    session = environment.get("XDG_RUNTIME_DIR")
    if session:
        return Path(session) / "fastmux"
    return Path("/tmp") / f"fastmux-{os.geteuid()}"


def default_path(role: str, pid: int, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the "serve" or "tunnel" of a process has its socket if nothing is said."""
    return runtime_directory(environment) / f"{role}-{pid}{_SUFFIX}"


def prepare(path: Path) -> None:
    """Make the directory of a socket, with mode 0700, and check that nobody else can write in it.

    Raises PermissionError, NotADirectoryError, ValueError for a path that is too long for a socket.
    """
    if len(os.fsencode(path)) > _MAX_PATH_SIZE:
        raise ValueError(f"{path} is too long for a socket: at most {_MAX_PATH_SIZE} bytes")
    try:
        path.parent.mkdir(mode=0o700)
    except FileExistsError:
        check(path.parent)


def check(directory: Path) -> None:
    """Pass a directory in which nobody else can put or exchange a socket.

    Raises PermissionError, NotADirectoryError, FileNotFoundError.
    """
    status = directory.stat() if directory == Path(".") else directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{directory} is not a directory")
    if status.st_uid not in (os.geteuid(), 0) or (status.st_mode & 0o022 and not status.st_mode & 0o1000):
        raise PermissionError(
            f"others can write in {directory}: no control socket there is to be trusted; give --control a "
            "path in a directory of your own"
        )


def found(place: Path) -> list[Path]:
    """The sockets at a place: itself if it is one, else those in that directory, by name."""
    if place.is_dir():
        return sorted(path for path in place.glob(f"*{_SUFFIX}") if path.is_socket())
    return [place]


def is_alive(path: Path) -> bool:
    """Whether a process listens there; the socket of one that was killed stays behind and refuses."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
