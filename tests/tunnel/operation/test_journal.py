"""Logs: one printable line a message, as text, as JSON or with the journal's priorities."""

from __future__ import annotations

import io
import json
import logging
import os
import re
from pathlib import Path

import pytest

from fastmux.tunnel.constants import MAX_LOG_LINE_SIZE
from fastmux.tunnel.operation.journal import escaped, level_of, set_up

LOGGER = logging.getLogger("fastmux.tunnel.test_journal")


def test_a_line_has_time_level_logger_and_message() -> None:
    stream = io.StringIO()
    set_up(stream=stream)
    LOGGER.info("hello %s", "you")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO tunnel.test_journal: hello you\n", stream.getvalue()
    )


def test_what_a_peer_says_cannot_make_a_second_line_or_colour_one() -> None:
    stream = io.StringIO()
    set_up(stream=stream)
    LOGGER.warning("label %s", "a\nERROR forged\x1b[31m\u202e")
    assert stream.getvalue().count("\n") == 1
    assert r"a\nERROR forged\x1b[31m\u202e" in stream.getvalue()


def test_a_message_has_a_limit_that_no_ordinary_one_meets() -> None:
    assert len(escaped("x" * 10 * MAX_LOG_LINE_SIZE)) == MAX_LOG_LINE_SIZE + 3
    assert escaped("x" * 2550) == "x" * 2550


def test_a_traceback_is_indented_below_its_message() -> None:
    stream = io.StringIO()
    set_up(stream=stream)
    try:
        raise KeyError("a\x1b")
    except KeyError:
        LOGGER.exception("failed")
    lines = stream.getvalue().splitlines()
    assert lines[1].startswith("  Traceback")
    assert "\x1b" not in stream.getvalue()


def test_json_has_what_extra_gave_and_utc() -> None:
    stream = io.StringIO()
    set_up(log_format="json", stream=stream)
    LOGGER.info("ended", extra={"channel": {"identity": "a\nb"}})
    fields = json.loads(stream.getvalue())
    assert fields["message"] == "ended"
    assert fields["level"] == "info"
    assert fields["logger"] == "fastmux.tunnel.test_journal"
    assert fields["channel"] == {"identity": "a\nb"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["time"])
    assert stream.getvalue().count("\n") == 1


def test_json_holds_a_traceback_in_its_line() -> None:
    stream = io.StringIO()
    set_up(log_format="json", stream=stream)
    try:
        raise KeyError("key")
    except KeyError:
        LOGGER.exception("failed")
    assert "KeyError" in json.loads(stream.getvalue())["traceback"]


@pytest.mark.parametrize(
    ("verbosity", "level"),
    [(-3, "ERROR"), (-2, "ERROR"), (-1, "WARNING"), (0, "INFO"), (1, "DEBUG"), (9, "DEBUG")],
)
def test_each_q_and_v_is_a_level(verbosity: int, level: str) -> None:
    assert logging.getLevelName(level_of(verbosity)) == level


def test_quiet_keeps_info_out() -> None:
    stream = io.StringIO()
    set_up(-1, stream=stream)
    LOGGER.info("not this")
    LOGGER.warning("this")
    assert "not this" not in stream.getvalue()
    assert "this" in stream.getvalue()


def test_under_systemd_a_line_begins_with_its_priority_and_has_no_time(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        set_up(1, stream=stream, environment={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            LOGGER.log(level, "text")
        stream.seek(0)
        marks = [line[:3] for line in stream]
    assert marks == ["<7>", "<6>", "<4>", "<3>"]


def test_another_stream_than_the_journal_keeps_the_time(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as stream:
        set_up(stream=stream, environment={"JOURNAL_STREAM": "1:2"})
        LOGGER.info("text")
        stream.seek(0)
        assert stream.read(1) == "2"
    set_up(stream=io.StringIO(), environment={"JOURNAL_STREAM": "1:2"})


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="text, json"):
        set_up(log_format="xml")
