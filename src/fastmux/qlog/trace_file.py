"""The records of one connection on their way into a file of bounded size.

Owns: what waits to be handed over, the limit of the file and what its last records say. May not know: what a
record is about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastmux import constants as c
from fastmux.qlog import lines
from fastmux.qlog.directory import QlogDirectory

_WARNING: Final = "loglevel:warning"


class TraceFile:
    """Invariant: `_waiting` holds less than a chunk, or, before `begin`, at most `early_size` bytes; what was
    accepted is never more than `max_size`, the last QLOG_FILE_RESERVE bytes only for `end`. Given up is
    a file that the directory does not take, or of which it did not take the beginning.
    """

    def __init__(
        self,
        directory: QlogDirectory,
        name: str,
        first_record: bytes,
        *,
        max_size: int = c.QLOG_FILE_SIZE,
        early_size: int = c.QLOG_EARLY_SIZE,
    ) -> None:
        self._directory = directory
        self._name = name
        self._waiting: list[bytes] = [first_record]
        self._waiting_size = len(first_record)
        self._size = 0
        self._max_size = max_size - c.QLOG_FILE_RESERVE
        self._early_size = early_size
        self._left_out = 0
        self._has_begun = False
        self._is_full = False
        self._is_given_up = False
        self._flush_at = 0.0

    @property
    def is_full(self) -> bool:
        """True if nothing but the end is taken any more."""
        return self._is_full

    def begin(self) -> None:
        """The connection is worth a file: what waited goes into it."""
        if not self._has_begun:
            self._has_begun = True
            if not self._directory.admits_file():
                self._give_up()

    def add(self, record: bytes, milliseconds: float) -> None:
        """Add a record of the time `milliseconds`; when the file is full, one that says so, and no more."""
        if self._is_full:
            return
        limit = self._max_size if self._has_begun else self._early_size
        if self._size + self._waiting_size + len(record) > limit:
            if self._has_begun:
                self._is_full = True
                self._append(self._warning(milliseconds, "the file is full: no more events but the end"))
            else:
                self._left_out += 1
            return
        self._append(record)
        if not self._has_begun:
            return
        if self._waiting_size >= c.QLOG_CHUNK_SIZE or milliseconds >= self._flush_at:
            self._flush_at = milliseconds + c.QLOG_FLUSH_INTERVAL * 1000
            self._hand_over(milliseconds)

    def end(self, make_last: Callable[[], bytes], milliseconds: float) -> None:
        """Add the last record, full or not, and hand over everything."""
        if self._has_begun and not self._is_given_up:
            self._append(make_last())
            self._hand_over(milliseconds)
        self._give_up()

    def _give_up(self) -> None:
        self._is_full = self._is_given_up = True
        self._waiting.clear()

    def _append(self, record: bytes) -> None:
        self._waiting.append(record)
        self._waiting_size += len(record)

    def _hand_over(self, milliseconds: float) -> None:
        is_first = not self._size
        events = len(self._waiting)
        if self._left_out:
            text = f"{self._left_out} events are missing here: they came faster than they can be kept"
            self._waiting.insert(int(is_first), self._warning(milliseconds, text))
        data = b"".join(self._waiting)
        if self._directory.write(self._name, data, is_first=is_first):
            self._size += len(data)
            self._left_out = 0
        elif self._directory.is_open and not is_first:
            self._left_out += events
        else:
            self._give_up()
        self._waiting.clear()
        self._waiting_size = 0

    @staticmethod
    def _warning(milliseconds: float, message: str) -> bytes:
        return lines.event(milliseconds, _WARNING, {"message": message})
