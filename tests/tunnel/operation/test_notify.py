"""What the service manager is told, on a socket that stands in for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.support import LogWatch, linux_only
from fastmux.tunnel.operation.notify import Notifier

pytestmark = linux_only


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(os.fspath(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def notifier(manager: socket.socket, **environment: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.getsockname(), **environment})


def test_each_state_is_a_datagram_of_assignments(manager: socket.socket) -> None:
    told = notifier(manager)
    told.ready("serving on port 4433")
    told.status("2 connections")
    told.watchdog()
    told.stopping()
    assert [manager.recv(999).decode() for _ in range(4)] == [
        "READY=1\nSTATUS=serving on port 4433",
        "STATUS=2 connections",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_a_reload_is_told_with_the_time(manager: socket.socket) -> None:
    notifier(manager).reloading()
    first, second = manager.recv(999).decode().splitlines()
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert int(value) > 0


def test_an_abstract_address_begins_with_an_at_sign() -> None:
    name = f"fastmux-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(5)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert sock.recv(999) == b"READY=1"


def test_without_a_manager_nothing_is_sent_and_nobody_watches() -> None:
    alone = Notifier({"WATCHDOG_USEC": "30000000"})
    alone.ready()
    assert alone.watchdog_interval is None


def test_the_watchdog_is_fed_twice_as_often_as_it_must_be(manager: socket.socket) -> None:
    assert notifier(manager, WATCHDOG_USEC="30000000").watchdog_interval == 15
    assert notifier(manager, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid())).watchdog_interval == 15


def test_a_watchdog_that_is_for_another_process_is_left_alone(manager: socket.socket) -> None:
    assert notifier(manager, WATCHDOG_USEC="30000000", WATCHDOG_PID="1").watchdog_interval is None
    assert notifier(manager).watchdog_interval is None


def test_a_manager_that_is_gone_is_logged_only(tmp_path: Path) -> None:
    with LogWatch() as log:
        Notifier({"NOTIFY_SOCKET": os.fspath(tmp_path / "gone")}).ready()
    assert "cannot be told 'READY=1'" in log.lines[0]
