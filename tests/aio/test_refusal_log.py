"""Refusals are told, but nobody can fill the log with them."""

from __future__ import annotations

import logging

import pytest

from fastmux.aio.refusal_log import LINE_INTERVAL, RefusalLog
from fastmux.exceptions import AuthenticationError, HandshakeError

ADDRESS = ("127.0.0.1", 4433)


def test_a_failed_proof_is_a_warning_that_says_why(caplog: pytest.LogCaptureFixture) -> None:
    RefusalLog(lambda: 0.0).add(ADDRESS, AuthenticationError("the peer sent no certificate"))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "127.0.0.1 port 4433: the peer sent no certificate" in caplog.text


def test_garbage_is_no_more_than_an_info(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "fastmux.server"):
        RefusalLog(lambda: 0.0).add(ADDRESS, HandshakeError("did not arrive whole"))
    assert [record.levelno for record in caplog.records] == [logging.INFO]


def test_a_flood_is_one_line_a_second_that_counts_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = RefusalLog(lambda: now)
    for _ in range(1000):
        log.add(ADDRESS, AuthenticationError("no"))
    assert len(caplog.records) == 1
    now = LINE_INTERVAL
    log.add(ADDRESS, AuthenticationError("no"))
    assert len(caplog.records) == 2
    assert "999 more refusals" in caplog.text
