"""Lines that clients can cause do not fill a log."""

from __future__ import annotations

import logging

import pytest

from fastmux.tunnel.forwarding.occasional import OccasionalLog


def test_lines_come_once_a_second_and_tell_how_many_were_left_out(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    log = OccasionalLog(logging.getLogger("fastmux.tunnel.test"), logging.WARNING, lambda: now[0])
    for _ in range(1000):
        log.add("%s was refused", "somebody")
    now[0] += 1
    log.add("%s was refused", "somebody else")
    now[0] += 1
    log.add("again")
    assert [record.getMessage() for record in caplog.records] == [
        "somebody was refused",
        "somebody else was refused (and 999 more since the last line)",
        "again",
    ]
