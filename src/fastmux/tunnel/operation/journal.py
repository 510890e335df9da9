"""How the command logs: lines of text or of JSON, on standard error.

Owns: level, form and escaping. May not know: what is logged. Whatever a message holds, it stays one line of
printable characters: text of peers ends up in it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Final, TextIO

from fastmux.tunnel.constants import MAX_LOG_LINE_SIZE

FORMATS: Final = ("text", "json")
# What a line of a systemd unit begins with, so that the journal knows its priority (sd-daemon(3)).
_PRIORITIES: Final = ((logging.ERROR, "<3>"), (logging.WARNING, "<4>"), (logging.INFO, "<6>"))
_DEBUG_PRIORITY: Final = "<7>"
_ORDINARY: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def escaped(text: str, limit: int = MAX_LOG_LINE_SIZE) -> str:
    r"""Make text safe for a line of a log: what cannot be printed as \x.. and the like, and not too long."""
    if len(text) > limit:
        text = text[:limit] + "..."
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def level_of(verbosity: int) -> int:
    """The level for so many -v (positive) or -q (negative): INFO without any."""
    levels = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
    return levels[max(0, min(len(levels) - 1, verbosity + 2))]


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00.123 INFO tunnel.service: message`; under systemd the priority in place of time."""

    def __init__(self, for_journal: bool = False) -> None:
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback makes more of them."""
        name = record.name.removeprefix("fastmux.")
        line = f"{name}: {escaped(record.getMessage())}"
        if record.exc_info:
            line += "\n" + _traceback(self, record)
        if self._for_journal:
            mark = next((mark for level, mark in _PRIORITIES if record.levelno >= level), _DEBUG_PRIORITY)
            return mark + line.replace("\n", f"\n{mark}")
        return f"{_local_time(record)} {record.levelname} {line}"


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339, UTC), level, logger, message, and what `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON, ASCII only."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": escaped(record.getMessage()),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _ORDINARY}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    lines = formatter.formatException(record.exc_info).splitlines()
    return "\n".join("  " + escaped(line) for line in lines)


def _local_time(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}"


def set_up(
    verbosity: int = 0,
    log_format: str = "text",
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
) -> logging.StreamHandler[TextIO]:
    """Log what fastmux says to `stream` (standard error); returns the handler that was added.

    `verbosity` counts -v less -q. Raises ValueError for a `log_format` that is none of `FORMATS`.
    """
    if log_format not in FORMATS:
        raise ValueError(f"the log format is one of {', '.join(FORMATS)}, not {log_format!r}")
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(TextFormatter(_is_journal(stream, environment)))
    logger = logging.getLogger("fastmux")
    logger.addHandler(handler)
    logger.setLevel(level_of(verbosity))
    logger.propagate = False
    return handler


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether `stream` is the one that $JOURNAL_STREAM names by device and inode (systemd.exec(5))."""
    named = environment.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file behind it
        return False
    return named == f"{status.st_dev}:{status.st_ino}"
