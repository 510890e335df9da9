"""How a status looks."""

from __future__ import annotations

from typing import Any

from fastmux.tunnel.control.render import age_text, size_text, status_lines

STATUS: dict[str, Any] = {
    "role": "tunnel",
    "version": "0.1.0",
    "pid": 7,
    "uptime": 3725,
    "state": "open",
    "reconnects": 2,
    "forwards": ["-L 127.0.0.1:2022 -> 127.0.0.1:22"],
    "connections": [
        {
            "identity": "server",
            "peer": "192.0.2.1:4433",
            "age": 61,
            "rtt": 0.01234,
            "congestion_window": 17904,
            "packets_sent": 200,
            "packets_lost": 1,
            "bytes_sent": 1500000,
            "bytes_received": 999,
        }
    ],
    "connections_left_out": 0,
    "channels": [
        {
            "id": 1,
            "identity": "evil\x1b[31m",
            "kind": "tcp",
            "target": "127.0.0.1:22",
            "age": 5,
            "received": 1,
            "sent": 2,
        }
    ],
    "channels_left_out": 9,
    "identities": [],
}


def test_a_status_is_a_head_and_tables() -> None:
    lines = status_lines(STATUS)
    assert lines[0] == "tunnel 0.1.0, pid 7, up 1h2m; state open; 2 reconnects"
    assert lines[1] == "  -L 127.0.0.1:2022 -> 127.0.0.1:22"
    assert lines[2] == "1 connections"
    assert lines[4].split() == [
        "server",
        "192.0.2.1:4433",
        "1m1s",
        "12.34",
        "ms",
        "0.50%",
        "17.9",
        "kB",
        "999",
        "B",
        "1.5",
        "MB",
    ]
    assert lines[5] == "10 channels"
    assert "  and 9 more" in lines
    assert lines[-1] == "no identities"


def test_what_a_peer_named_cannot_move_the_cursor() -> None:
    assert "\x1b" not in "\n".join(status_lines(STATUS))


def test_the_last_error_is_shown_while_there_is_no_connection() -> None:
    assert (
        "last error: nobody there"
        in status_lines(STATUS | {"state": "waiting", "last_error": "nobody there"})[0]
    )
    assert "nobody" not in status_lines(STATUS | {"last_error": "nobody there"})[0]


def test_units() -> None:
    assert [size_text(size) for size in (0, 999, 1000, 25_000_000, 3e18)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "25.0 MB",
        "3000.0 PB",
    ]
    assert [age_text(age) for age in (0.9, 59, 61, 7260, 90000)] == ["0s", "59s", "1m1s", "2h1m", "1d1h"]
