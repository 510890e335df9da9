"""The application packet-number space."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.data_space import DataSpace
from fastmux.protocol.events import ChannelsReady, DatagramsReceived
from fastmux.protocol.parameters import parameters_of
from fastmux.protocol.rtt import RttEstimator
from protocol.joined import keys_of, local_id

PARAMETERS = parameters_of(Configuration())


def space(is_client: bool) -> DataSpace:
    return DataSpace(is_client, local_id(is_client), RttEstimator(), Configuration(), bytes)


def installed(is_client: bool) -> DataSpace:
    end = space(is_client)
    end.install(keys_of(is_client), local_id(not is_client), PARAMETERS)
    return end


def carry(source: DataSpace, target: DataSpace, now: float) -> None:
    buffer = bytearray(65536)
    while True:
        size, segment_size = source.fill(buffer, now)
        if not size:
            return
        assert target.receive(buffer, 0, size, segment_size, now) == size


def settle(client: DataSpace, server: DataSpace) -> None:
    """Let both talk until, at 2.0, nothing is owed (the MTU search is over)."""
    for n in range(20):
        now = 1.0 + n / 20
        for source, target in ((client, server), (server, client)):
            source.handle_timeout(now)
            carry(source, target, now)
            target.take_batch(now)


@pytest.fixture
def ends() -> tuple[DataSpace, DataSpace]:
    client, server = installed(True), installed(False)
    client.confirm(1.0)
    server.confirm(1.0)
    return client, server


def test_without_keys_nothing_is_sent() -> None:
    end = space(True)
    end.control.keep_alive()
    assert not end.has_keys
    assert end.fill(bytearray(65536), 1.0) == (0, 0)


def test_without_keys_nothing_is_confirmed() -> None:
    with pytest.raises(ProtocolError):
        space(True).confirm(1.0)


def test_handshake_done_confirms_a_client_once() -> None:
    client, server = installed(True), installed(False)
    server.confirm(1.0)
    server.control.send_handshake_done()
    carry(server, client, 1.0)
    assert not client.is_confirmed
    assert client.take_batch(1.0).is_handshake_done
    assert client.is_confirmed


def test_handshake_done_from_a_client_is_an_error(ends: tuple[DataSpace, DataSpace]) -> None:
    client, server = ends
    client.control.send_handshake_done()
    with pytest.raises(ProtocolError) as caught:
        carry(client, server, 1.0)
    assert caught.value.code == c.PROTOCOL_VIOLATION


def test_a_client_that_is_not_confirmed_acknowledges_but_tells_the_user_nothing() -> None:
    client, server = installed(True), installed(False)
    server.confirm(1.0)
    server.data_path.open(c.KIND_STREAM)
    # A server without manners: no channel was opened yet, let alone too many.
    server.data_path.set_channel_limit(c.KIND_STREAM, 2 * c.DEFAULT_MAX_STREAMS)
    carry(server, client, 1.0)
    assert client.take_batch(1.0).events == []
    carry(client, server, 1.1)
    server.take_batch(1.1)
    assert server.data_path.counters()["packets_acked"] > 0
    client.confirm(1.2)
    assert client.take_batch(1.2).events == [ChannelsReady([(1, c.READY_OPENED)])]


def test_a_batch_tells_of_channels_and_datagrams(ends: tuple[DataSpace, DataSpace]) -> None:
    client, server = ends
    channel_id = client.data_path.open(c.KIND_STREAM)
    client.data_path.write(channel_id, b"data")
    client.data_path.send_datagram(b"gram")
    carry(client, server, 1.0)
    assert server.take_batch(1.0).events == [
        ChannelsReady([(channel_id, c.READY_OPENED | c.READY_READABLE)]),
        DatagramsReceived([b"gram"]),
    ]
    assert server.take_batch(1.0).events == []


def test_the_last_packet_is_a_close_that_the_peer_opens(ends: tuple[DataSpace, DataSpace]) -> None:
    client, server = ends
    close = core.encode_frame((c.FRAME_APPLICATION_CLOSE, 9, b"bye"))
    packet = client.last_packet(close, 1.0)
    server.receive(packet, 0, len(packet), len(packet), 1.0)
    assert server.take_batch(1.0).close == (9, "bye")


def test_an_acknowledgement_is_owed_until_it_is_sent(ends: tuple[DataSpace, DataSpace]) -> None:
    client, server = ends
    settle(client, server)
    client.control.keep_alive()
    carry(client, server, 5.0)
    server.take_batch(5.0)
    deadline = server.deadline()
    assert deadline == pytest.approx(5.0 + c.MAX_ACK_DELAY)
    assert deadline is not None
    server.handle_timeout(deadline)
    carry(server, client, deadline)
    later = server.deadline()
    assert later is not None
    assert later > deadline + 1


def test_a_keep_alive_is_sent_when_its_time_comes(ends: tuple[DataSpace, DataSpace]) -> None:
    client, server = ends
    settle(client, server)
    sent = client.data_path.counters()["packets_sent"]
    deadline = client.deadline()
    assert deadline is not None
    assert 1.0 + c.DEFAULT_KEEP_ALIVE <= deadline <= 2.0 + c.DEFAULT_KEEP_ALIVE
    client.handle_timeout(deadline)
    carry(client, server, deadline)
    assert client.data_path.counters()["packets_sent"] == sent + 1
