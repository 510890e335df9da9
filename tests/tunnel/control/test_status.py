"""What a status holds, of one process and of several."""

from __future__ import annotations

import json

from aio.pair import pair
from aio.virtual_loop import virtual
from fastmux.tunnel.constants import MAX_STATUS_CHANNELS, MAX_STATUS_CONNECTIONS
from fastmux.tunnel.control import status
from fastmux.tunnel.forwarding.counters import ChannelRegistry


def registry(count: int) -> ChannelRegistry:
    counted = ChannelRegistry(clock=lambda: 100.0)
    for number in range(count):
        record = counted.open("laptop", "tcp", f"host:{number}", "in")
        record.received_size, record.sent_size = 10, 1
    return counted


def test_a_channel_has_its_facts_and_an_age() -> None:
    fields = status.channel_fields(registry(2))
    assert fields["channels"][1] == {
        "id": 2,
        "identity": "laptop",
        "kind": "tcp",
        "target": "host:1",
        "direction": "in",
        "age": 0.0,
        "received": 10,
        "sent": 1,
    }
    assert fields["identities"] == [
        {"identity": "laptop", "opened": 2, "failed": 0, "received": 20, "sent": 2}
    ]
    assert fields["channels_left_out"] == 0


def test_more_channels_than_a_status_lists_are_counted() -> None:
    fields = status.channel_fields(registry(MAX_STATUS_CHANNELS + 5))
    assert len(fields["channels"]) == MAX_STATUS_CHANNELS
    assert fields["channels_left_out"] == 5


def test_more_connections_than_a_status_lists_are_counted() -> None:
    fields = status.limited({"identity": str(number)} for number in range(MAX_STATUS_CONNECTIONS + 3))
    assert len(fields["connections"]) == MAX_STATUS_CONNECTIONS
    assert fields["connections_left_out"] == 3


@virtual
async def test_a_connection_has_round_trip_loss_bytes_and_window() -> None:
    async with pair() as ends:
        await ends.client.ping()
        fields = status.connection_fields("server", ends.client, 5.0)
        assert fields["peer"] == "server:4433"
        assert 0 < fields["rtt"] < 1
        assert fields["packets_sent"] > 0
        assert fields["packets_lost"] == 0
        assert fields["congestion_window"] > 0
        assert json.loads(json.dumps(fields)) == fields


def test_addresses_are_shown_as_they_are_written() -> None:
    assert status.address_text(("127.0.0.1", 1)) == "127.0.0.1:1"
    assert status.address_text(("::1", 1, 0, 0)) == "[::1]:1"
    assert status.address_text(None) == ""


def test_workers_are_shown_as_one() -> None:
    workers = [
        status.limited([{"identity": "a"}]) | status.channel_fields(registry(2)),
        status.limited([{"identity": "b"}]) | status.channel_fields(registry(1)),
    ]
    whole = status.merged({"pid": 1}, workers)
    assert whole["pid"] == 1
    assert [each["worker"] for each in whole["connections"]] == [0, 1]
    assert [each["worker"] for each in whole["channels"]] == [0, 0, 1]
    assert whole["identities"] == [
        {"identity": "laptop", "opened": 3, "failed": 0, "received": 30, "sent": 3}
    ]


def test_workers_together_list_no_more_than_one_may() -> None:
    full = status.limited([]) | status.channel_fields(registry(MAX_STATUS_CHANNELS))
    whole = status.merged({}, [full, full])
    assert len(whole["channels"]) == MAX_STATUS_CHANNELS
    assert whole["channels_left_out"] == MAX_STATUS_CHANNELS
