"""Every channel is counted while it runs and after, and told of once."""

from __future__ import annotations

import logging

import pytest

from fastmux.tunnel.forwarding.counters import OTHERS, ChannelRegistry, Totals


def test_a_channel_is_one_line_of_info_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    now = 5.0
    registry = ChannelRegistry(clock=lambda: now)
    with caplog.at_level(logging.INFO, "fastmux.tunnel"):
        record = registry.open("laptop", "tcp", "db:5432", "in")
        record.received_size, record.sent_size = 10, 20
        now = 7.5
        registry.close(record, "closed")
        registry.close(record, "again")
    (line,) = caplog.records
    assert line.levelno == logging.INFO
    assert line.getMessage() == "laptop tcp db:5432: 10 bytes received, 20 sent in 2.500 s: closed"
    assert vars(line)["channel"] == {
        "identity": "laptop",
        "kind": "tcp",
        "target": "db:5432",
        "direction": "in",
        "received_size": 10,
        "sent_size": 20,
        "seconds": 2.5,
        "outcome": "closed",
    }


def test_a_peers_text_is_escaped(caplog: pytest.LogCaptureFixture) -> None:
    registry = ChannelRegistry()
    with caplog.at_level(logging.INFO, "fastmux.tunnel"):
        registry.close(registry.open("a\nb", "tcp", "c\x1b[2J", "in"))
    assert "\n" not in caplog.records[0].getMessage()
    assert "\x1b" not in caplog.records[0].getMessage()


def test_totals_move_while_a_transfer_runs_and_stay_after_it() -> None:
    registry = ChannelRegistry()
    record = registry.open("laptop", "tcp", "a", "in")
    record.received_size = 100
    assert registry.totals() == {"laptop": Totals(1, 0, 100, 0)}
    assert registry.records() == [record]
    record.received_size, record.sent_size = 150, 7
    registry.close(record, "reset")
    assert registry.totals() == {"laptop": Totals(1, 1, 150, 7)}
    assert registry.records() == []


def test_the_sockets_of_an_identity_are_counted_over_its_channels() -> None:
    registry = ChannelRegistry()
    records = [registry.open("laptop", "tcp", "a", "in") for _ in range(3)]
    registry.open("laptop", "ping", "", "in", holds_socket=False)
    registry.open("other", "tcp", "a", "in")
    assert registry.sockets_of("laptop") == 3
    registry.close(records[0])
    assert registry.sockets_of("laptop") == 2
    assert registry.sockets_of("nobody") == 0


def test_a_channel_whose_far_end_becomes_known_is_counted_there_and_no_total_falls() -> None:
    registry = ChannelRegistry()
    record = registry.open("not connected", "tcp", "a", "out")
    registry.identify(record, "server")
    registry.identify(record, "server")
    assert (registry.sockets_of("not connected"), registry.sockets_of("server")) == (0, 1)
    record.sent_size = 5
    registry.close(record)
    registry.identify(record, "too late")
    assert registry.totals() == {"not connected": Totals(1), "server": Totals(0, 0, 0, 5)}


def test_identities_are_bounded_and_no_total_is_lost() -> None:
    registry = ChannelRegistry(max_identities=10)
    busy = registry.open("busy", "tcp", "a", "in")
    for number in range(1000):
        record = registry.open(f"peer {number}", "tcp", "a", "in")
        record.sent_size = 5
        registry.close(record)
    totals = registry.totals()
    assert len(totals) == 11
    assert "busy" in totals
    assert "peer 999" in totals
    assert sum(each.sent_size for each in totals.values()) == 5000
    assert totals[OTHERS].opened == 991
    registry.close(busy)


def test_as_many_identities_as_good_use_has_are_all_kept() -> None:
    registry = ChannelRegistry()
    for number in range(1000):
        registry.close(registry.open(f"peer {number}", "tcp", "a", "in"))
    assert OTHERS not in registry.totals()
