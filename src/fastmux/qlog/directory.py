"""A directory that takes the records of connections, and the thread that writes them.

Owns: files and their names, how much may be written, what waits for the disk. May not know: what is in a
record. The event loop never waits for the disk: it hands over chunks, and those that a slow disk cannot take
are left out, counted.
"""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from fastmux import constants as c

logger = logging.getLogger("fastmux.qlog")


class QlogDirectory:
    """Files of one process in one directory; all methods but `_append` are called in the event loop's thread.

    Invariant: `_backlog` is the size of the chunks that were handed over and not written yet, at most
    QLOG_BACKLOG_SIZE; `_size` that of all that was accepted, at most `max_size`. The first error, and the
    first limit, is a line in the log; after it `is_open` is False and nothing is accepted.
    """

    def __init__(
        self,
        path: str,
        *,
        max_size: int = c.QLOG_DIRECTORY_SIZE,
        max_files: int = c.QLOG_MAX_FILES,
        max_backlog: int = c.QLOG_BACKLOG_SIZE,
    ) -> None:
        self.path = path
        self._limits = (max_size, max_files, max_backlog)
        self._size = 0
        self._files = 0
        self._backlog = 0
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self.is_open = True

    def admits_file(self) -> bool:
        """True if one more file may be begun; it counts from now on."""
        if self.is_open and self._files >= self._limits[1]:
            self._stop(f"{self._files} files of this process are there already")
        self._files += self.is_open
        return self.is_open

    def write(self, name: str, data: bytes, *, is_first: bool = False) -> bool:
        """Append `data` to the file `name`, later. False if it is left out: too much waits, or was written.

        With `is_first` the file is made, mode 0600 (the directory 0700); an older one is an error.
        """
        max_size, _, max_backlog = self._limits
        if self.is_open and self._size + len(data) > max_size:
            self._stop(f"this process has written {self._size} bytes there")
        if not self.is_open:
            return False
        with self._lock:
            if self._backlog + len(data) > max_backlog:
                return False
            self._backlog += len(data)
        self._size += len(data)
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="fastmux-qlog")
        self._executor.submit(self._append, name, data, is_first)
        return True

    def wait_written(self) -> None:
        """Wait until all that was accepted is in its files. For the end of a program, and for tests."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True)

    def _append(self, name: str, data: bytes, is_first: bool) -> None:
        """In the writing thread."""
        try:
            flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            if is_first:
                os.makedirs(self.path, mode=0o700, exist_ok=True)
                flags |= os.O_CREAT | os.O_EXCL
            descriptor = os.open(os.path.join(self.path, name), flags, 0o600)
            with open(descriptor, "ab", buffering=0) as file:
                file.write(data)
        except OSError as error:
            if self.is_open:
                self._stop(str(error))
        finally:
            with self._lock:
                self._backlog -= len(data)

    def _stop(self, reason: str) -> None:
        self.is_open = False
        logger.warning("no more qlog records in %s: %s", self.path, reason)


_directories: dict[tuple[str, int], QlogDirectory] = {}


def directory_for(path: str | os.PathLike[str]) -> QlogDirectory:
    """The directory at `path`: one object a process, so that its limits hold for all connections together."""
    key = (os.path.abspath(path), os.getpid())  # a child of fork has neither the thread nor the files
    if key not in _directories:
        _directories[key] = QlogDirectory(key[0])
    return _directories[key]
