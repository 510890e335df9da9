"""Paths of Unix sockets: one spelling, and patterns of a rule.

Owns: which paths are taken and which a pattern covers. May not know: the file system; identities.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from fastmux.security.names import printable
from fastmux.tunnel.constants import MAX_SOCKET_PATH_SIZE


def socket_path(text: str) -> str:
    """Return the path if it has one spelling only: absolute, without `.`, `..`, `//` or a final slash.

    What is compared with a rule is what is opened. Raises ValueError.
    """
    shown = printable(text)
    if not text.startswith("/"):
        raise ValueError(f"{shown!r} is not the path of a Unix socket: it starts with a slash")
    if not text.isprintable():
        raise ValueError(f"{shown!r} has characters that no path of a socket needs")
    if any(part in ("", ".", "..") for part in text[1:].split("/")):
        raise ValueError(f"{shown!r} is not a plain path: write it without '.', '..', '//' and a final slash")
    if len(os.fsencode(text)) > MAX_SOCKET_PATH_SIZE:
        raise ValueError(f"{shown!r} is longer than the {MAX_SOCKET_PATH_SIZE} bytes of a socket's path")
    return text


@dataclass(frozen=True, slots=True)
class PathPattern:
    """Covers one path, or with one `*` in its last part any name in that place; `*` alone covers all.

    Made by `parse_path_pattern`; a path is given as `socket_path` returned it.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def covers(self, path: str) -> bool:
        """Tell whether a path (of `socket_path`) is meant."""
        if self.text == "*":
            return True
        start, star, end = self.text.partition("*")
        if not star:
            return path == self.text
        middle = path[len(start) : len(path) - len(end)]
        return (
            len(path) > len(start) + len(end)
            and path.startswith(start)
            and path.endswith(end)
            and "/" not in middle
        )


def parse_path_pattern(text: str) -> PathPattern:
    """Parse `/run/app.sock`, `/run/app/*`, `/run/app-*.sock` or `*`. Raises ValueError."""
    if text != "*":
        socket_path(text)
        directory, _, name = text.rpartition("/")
        if "*" in directory or name.count("*") > 1:
            raise ValueError(
                f"{printable(text)!r} is no pattern of a path: one '*' may stand in its last part, "
                "as in /run/app/* or /run/app-*.sock"
            )
    return PathPattern(text)
