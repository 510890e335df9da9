"""$SSLKEYLOGFILE: the secrets of connections, for whoever has to look into captured packets.

Owns: the file, the form of its lines (NSS key log format; docs/observability.md), and the warning. May not
know: TLS, when keys change. Whoever reads the file reads the connections: nothing is written unless the
variable is set.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "SSLKEYLOGFILE"
_NO_WAIT: Final[int] = getattr(os, "O_NONBLOCK", 0)  # a FIFO without a reader, or one that lags, is an error
_LABELS: Final = ("FASTMUX_CLIENT_TRAFFIC", "FASTMUX_SERVER_TRAFFIC")

logger = logging.getLogger("fastmux.security")


class KeyLog:
    """One file that lines are appended to, also by other programs and threads.

    A new file gets mode 0600. An error is one line in the log and the end of writing; no connection fails.
    Invariant: `_descriptor` is None before the first line, and after an error for ever.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._has_failed = False
        self._lock = threading.Lock()

    def write(self, line: bytes) -> None:
        """Append one line, given without its end; whole lines only, as O_APPEND writes them."""
        with self._lock:
            try:
                self._append(line + b"\n")
            except OSError as error:
                if not self._has_failed:
                    logger.warning("no secrets are written to %s=%s: %s", VARIABLE, self._path, error)
                self.close()
                self._has_failed = True

    def _append(self, data: bytes) -> None:
        if self._has_failed:
            return
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_WAIT, 0o600)
            self._warn(os.fstat(self._descriptor))
        os.write(self._descriptor, data)

    def _warn(self, status: os.stat_result) -> None:
        others = ""
        if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            others = ", which is not its owner's alone to read"
        logger.warning(
            "%s is set: the secrets of all connections are written to %s%s; whoever reads them can read what"
            " is sent",
            VARIABLE,
            self._path,
            others,
        )

    def traffic(self, generation: int, client_random: bytes, secrets: tuple[bytes, bytes]) -> None:
        """Write the packet secrets, the client's then the server's, after so many key updates."""
        for label, secret in zip(_LABELS, secrets, strict=True):
            self.write(f"{label}_{generation} {client_random.hex()} {secret.hex()}".encode("ascii"))

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_logs: dict[str, KeyLog] = {}


def key_log(environment: Mapping[str, str] = os.environ) -> KeyLog | None:
    """The key log that $SSLKEYLOGFILE names, one object for each path; None if it is not set.

    Python's `ssl` ignores the variable under -E and -I, and so does this.
    """
    path = environment.get(VARIABLE)
    if not path or sys.flags.ignore_environment:
        return None
    return _logs.setdefault(path, KeyLog(path))
