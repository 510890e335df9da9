"""Connections over the network in memory: life, closing, timers, and what the user hears."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import (
    AuthenticationError,
    ConnectionClosed,
    HandshakeError,
)
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import (
    ChannelsAvailable,
    ChannelsReady,
    Closed,
    DatagramsReceived,
    Event,
    Opened,
    PingAcknowledged,
)
from fastmux.protocol.handshake import PeerIdentity
from network import Conditions
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import NINE_CERTIFICATES, SMALL, Fail, Script

SUITES = [c.SUITE_NULL, c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305]
DATA = bytes(range(256)) * 1000


@pytest.fixture
def pair() -> Pair:
    return make_pair().open()


def error_of(pair: Pair, connection: Connection) -> ConnectionError | None:
    node = pair.client if connection is pair.connection else pair.server
    return node.closed(connection)


# --- opening ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("flights", [SMALL, NINE_CERTIFICATES])
def test_two_ends_connect_and_carry_a_stream(suite: int, flights: Script) -> None:
    script = Script(
        suite=suite,
        hello_size=flights.hello_size,
        server_size=flights.server_size,
        finish_size=flights.finish_size,
    )
    assert transfer(make_pair(script=script).open(), DATA) == DATA


def test_opened_is_the_first_event_and_names_the_peer(pair: Pair) -> None:
    assert pair.client.events[pair.connection][0] == Opened(PeerIdentity(common_name="server"))
    assert pair.server.events[pair.accepted][0] == Opened(PeerIdentity(common_name="client"))
    assert pair.connection.peer == PeerIdentity(common_name="server")
    assert pair.connection.is_open
    assert pair.accepted.is_open


def test_a_small_handshake_takes_two_round_trips() -> None:
    pair = make_pair(conditions=Conditions(delay=0.05))
    start = pair.network.now
    pair.open()
    assert pair.network.now - start == pytest.approx(0.2)


def test_after_opening_nothing_goes_on_but_the_mtu_search_and_keep_alive(pair: Pair) -> None:
    pair.network.run_for(5.0)
    before = pair.network.datagrams
    pair.network.run_for(5.0)
    assert pair.network.datagrams == before


def test_data_that_overtakes_the_end_of_the_handshake_is_kept_for_the_user() -> None:
    """The server's first application packet, HANDSHAKE_DONE, is lost; what follows it arrives."""
    dropped: list[int] = []

    def drop_the_first_short(index: int, data: bytes) -> bool:
        if not data[0] & c.FORM_LONG and not dropped:
            dropped.append(index)
            return True
        return False

    pair = make_pair(drop=drop_the_first_short)
    pair.network.run(lambda: bool(pair.server.accepted))
    channel_id = pair.accepted.data_path.open(c.KIND_STREAM)
    pair.accepted.data_path.write(channel_id, b"early")
    pair.accepted.touch()
    pair.network.run(lambda: pair.connection.has_opened)
    kinds = [type(event) for event in pair.client.events[pair.connection]]
    assert kinds[0] is Opened
    pair.network.run(lambda: pair.connection.data_path.channel_count > 0)
    assert pair.connection.data_path.read(channel_id, 100) == b"early"
    assert dropped


def test_packets_from_another_address_are_ignored_until_the_handshake_is_done() -> None:
    held: list[bytes] = []

    def hold_what_the_server_says(index: int, data: bytes) -> bool:
        if index > 0:
            held.append(data)
        return index > 0

    pair = make_pair(drop=hold_what_the_server_says)
    pair.network.run(lambda: bool(held))
    pair.network.inject(held[0], ("10.9.9.9", 1), pair.client)
    assert pair.connection.address == pair.server.address
    assert not pair.connection._data.has_keys
    pair.network.inject(held[0], pair.server.address, pair.client)
    assert pair.connection._data.has_keys


# --- failing to open ----------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_named_after_the_timeout() -> None:
    pair = make_pair(conditions=Conditions(dark=((0.0, 1e9),)))
    start = pair.network.now
    pair.network.run(lambda: pair.connection.is_closed)
    assert pair.network.now - start == pytest.approx(c.HANDSHAKE_TIMEOUT)
    error = error_of(pair, pair.connection)
    assert type(error) is HandshakeError
    assert str(error) == "no answer from ('10.0.0.1', 4433) within 10 s"


@pytest.mark.parametrize(
    ("fail", "who_refuses"),
    [
        (Fail.CLIENT_REJECTS, "client"),
        (Fail.SERVER_REJECTS, "server"),
        (Fail.SERVER_HELLO, "server"),
    ],
)
@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_a_refusal_reaches_the_other_end_with_its_reason(fail: Fail, who_refuses: str, loss: float) -> None:
    pair = make_pair(script=Script(fail=fail), conditions=Conditions(loss=loss), seed=3)
    pair.network.run(lambda: pair.connection.is_closed)
    pair.network.run_for(10.0)
    error = error_of(pair, pair.connection)
    assert isinstance(error, AuthenticationError)
    assert fail.value in str(error)
    assert ("the peer's alert" in str(error)) == (who_refuses == "server")
    assert not pair.server.accepted
    assert pair.server.endpoint.connections == pair.client.endpoint.connections == 0


def test_ends_that_disagree_on_the_context_both_say_so() -> None:
    pair = make_pair(script=Script(fail=Fail.CONTEXT))
    pair.network.run(lambda: pair.connection.is_closed)
    assert "do not agree" in str(error_of(pair, pair.connection))


def test_a_server_of_another_version_is_reported_at_once() -> None:
    pair = make_pair(client_script=Script(version=c.VERSION_PLAINTEXT))
    start = pair.network.now
    pair.network.run(lambda: pair.connection.is_closed)
    assert pair.network.now - start < 1
    error = error_of(pair, pair.connection)
    assert type(error) is HandshakeError
    assert "PLAINTEXT" in str(error)


def test_giving_up_while_connecting_tells_the_server() -> None:
    pair = make_pair(script=NINE_CERTIFICATES)
    pair.network.run(lambda: pair.server.endpoint.connections == 1)
    pair.connection.close(0, "changed my mind", pair.network.now)
    error = error_of(pair, pair.connection) or pair.connection.next_event()
    assert isinstance(error, Closed)
    assert isinstance(error.error, ConnectionClosed)
    start = pair.network.now
    pair.network.run(lambda: pair.server.endpoint.connections == 0)
    assert pair.network.now - start < 6.5  # three PTO before it believes it, three after


# --- limits -------------------------------------------------------------------------------------------


def test_useless_work_without_end_closes_the_connection(pair: Pair) -> None:
    pair.network.run_for(1.0)
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    frame = core.encode_frame((c.FRAME_MAX_CHANNEL_DATA, channel_id, 0))
    for _ in range(c.GLITCH_BURST + 200):  # a packet each: the glitches of one packet count once
        pair.connection.data_path.queue_control(0, frame)
        pair.connection.touch()
        pair.network.run_for(0.002)
    error = error_of(pair, pair.accepted)
    assert isinstance(error, ConnectionClosed)
    assert error.code == c.GLITCH_LIMIT


# --- liveness -----------------------------------------------------------------------------------------


def test_a_peer_that_falls_silent_is_given_up_after_the_idle_timeout(pair: Pair) -> None:
    pair.network.run_for(5.0)
    pair.network.set_conditions(Conditions(dark=((0.0, 1e9),)))
    silent_since = pair.connection.last_seen
    pair.network.run(lambda: pair.connection.is_closed)
    error = error_of(pair, pair.connection)
    assert isinstance(error, ConnectionClosed)
    assert error.code == c.IDLE_TIMEOUT
    assert "silent for 30 s" in error.reason
    assert 30 <= pair.network.now - silent_since < 30.1
    assert pair.client.endpoint.connections == 0


def test_keep_alive_holds_an_idle_connection(pair: Pair) -> None:
    pair.network.run_for(600.0)
    assert pair.connection.is_open
    assert pair.accepted.is_open
    assert pair.network.now - pair.connection.last_seen < 16


def test_a_keep_alive_that_is_lost_does_not_end_a_connection_that_is_alive() -> None:
    """Its probes have half of the timeout: what is lost for most of that is survived."""
    pair = make_pair(configuration=Configuration(idle_timeout=4.0, keep_alive=2.0)).open()
    for _ in range(20):
        start = max(pair.connection.last_seen, pair.accepted.last_seen) + 1.9
        pair.network.set_conditions(Conditions(dark=((start, start + 1.5),)))
        pair.network.run_for(4.5)
        assert pair.connection.is_open
        assert pair.accepted.is_open


def test_what_is_said_of_a_silence_is_how_long_it_was() -> None:
    """Without keep-alives the timeout begins anew with what this end sends."""
    pair = make_pair(configuration=Configuration(idle_timeout=30.0, keep_alive=None)).open()
    pair.network.run_for(5.0)
    pair.network.set_conditions(Conditions(dark=((0.0, 1e9),)))
    pair.network.run_for(20.0)
    silent_since = pair.connection.last_seen
    pair.connection.ping(pair.network.now)
    pair.network.run(lambda: pair.connection.is_closed)
    assert 50.0 < pair.network.now - silent_since < 56.0
    error = error_of(pair, pair.connection)
    assert error is not None
    assert f"silent for {pair.network.now - silent_since:.3g}" in str(error)


def test_without_keep_alive_an_idle_connection_ends_at_both_ends() -> None:
    configuration = Configuration(keep_alive=None, idle_timeout=5.0)
    pair = make_pair(configuration=configuration).open()
    pair.network.run_for(7.0)
    assert pair.connection.is_closed
    assert pair.accepted.is_closed


def test_the_shorter_idle_timeout_of_both_counts() -> None:
    pair = make_pair(
        configuration=Configuration(idle_timeout=60.0, keep_alive=None),
        client_configuration=Configuration(idle_timeout=4.0, keep_alive=None),
    ).open()
    pair.network.run_for(6.0)
    assert pair.accepted.is_closed


def test_no_timeout_on_either_side_waits_for_ever() -> None:
    configuration = Configuration(idle_timeout=None, keep_alive=None)
    pair = make_pair(configuration=configuration).open()
    pair.network.run_for(100_000.0)
    assert pair.connection.is_open


@pytest.mark.parametrize("dark", [0.5, 2.0, 5.0, 20.0])
def test_a_dark_period_shorter_than_the_idle_timeout_is_survived(dark: float) -> None:
    pair = make_pair(conditions=Conditions(rate=1_250_000)).open()
    start = pair.network.now + 0.1
    pair.network.set_conditions(Conditions(rate=1_250_000, dark=((start, start + dark),)))
    assert transfer(pair, DATA * 4, timeout=dark + 30) == DATA * 4


def test_a_ping_measures_the_round_trip_not_the_delay_of_acknowledgements() -> None:
    pair = make_pair(conditions=Conditions(delay=0.02)).open()
    pair.network.run_for(2.0)
    token = pair.connection.ping(pair.network.now)
    pair.network.run_for(1.0)
    (event,) = [e for e in pair.client.events[pair.connection] if isinstance(e, PingAcknowledged)]
    assert event.token == token
    assert event.round_trip == pytest.approx(0.04, abs=0.001)


def test_a_lost_ping_goes_again() -> None:
    pair = make_pair().open()
    pair.network.run_for(2.0)
    link = pair.network.link(pair.client, pair.server)
    link.conditions = Conditions(loss_mask=0b11 << link.sent)
    tokens = {pair.connection.ping(pair.network.now) for _ in range(3)}
    pair.network.run_for(5.0)
    events = pair.client.events[pair.connection]
    assert {event.token for event in events if isinstance(event, PingAcknowledged)} == tokens


# --- what the user hears ------------------------------------------------------------------------------


def events_of(pair: Pair, kind: type[Event]) -> list[Event]:
    return [event for event in pair.server.events[pair.accepted] if isinstance(event, kind)]


def test_a_new_channel_is_announced_with_its_flags(pair: Pair) -> None:
    channel_id = pair.connection.data_path.open(c.KIND_STREAM, b"label")
    pair.connection.data_path.write(channel_id, b"hello")
    pair.connection.touch()
    pair.network.run(lambda: bool(events_of(pair, ChannelsReady)))
    event = events_of(pair, ChannelsReady)[0]
    assert isinstance(event, ChannelsReady)
    assert event.ready == [(channel_id, c.READY_OPENED | c.READY_READABLE)]
    assert pair.accepted.data_path.open_fields(channel_id).label == b"label"


def test_datagrams_arrive_oldest_first(pair: Pair) -> None:
    for n in range(3):
        assert pair.connection.data_path.send_datagram(bytes((n,)))
    pair.connection.touch()
    pair.network.run(lambda: bool(events_of(pair, DatagramsReceived)))
    event = events_of(pair, DatagramsReceived)[0]
    assert isinstance(event, DatagramsReceived)
    assert event.datagrams == [b"\0", b"\1", b"\2"]


def test_openers_hear_when_they_may_try_again() -> None:
    pair = make_pair(configuration=Configuration(max_streams=1)).open()
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    for end in (pair.connection, pair.accepted):
        if end is pair.accepted:
            pair.network.run(lambda: pair.accepted.data_path.channel_count == 1)
        end.data_path.finish(channel_id)
        end.touch()
    pair.network.run_for(1.0)
    assert pair.accepted.data_path.read(channel_id, 10) is None
    pair.accepted.data_path.release(channel_id)
    pair.accepted.touch()
    pair.network.run_for(1.0)
    assert ChannelsAvailable() in pair.client.events[pair.connection]


def test_statistics_tell_of_the_path_and_outlive_the_connection(pair: Pair) -> None:
    transfer(pair, DATA)
    figures = pair.connection.statistics()
    assert figures.bytes_sent > len(DATA)
    assert figures.rtt == pytest.approx(0.02, abs=0.02)
    assert figures.mtu == c.DEFAULT_MAX_DATAGRAM_SIZE
    assert figures.channels_opened == 1
    pair.connection.close(0, "", pair.network.now)
    assert pair.connection.statistics().bytes_sent >= figures.bytes_sent


def test_the_path_mtu_is_found_and_no_datagram_is_larger() -> None:
    pair = make_pair(conditions=Conditions(mtu=((0.0, 1337),))).open()
    assert transfer(pair, DATA) == DATA
    pair.network.run_for(60.0)
    assert pair.connection.statistics().mtu == 1337
    assert pair.network.link(pair.client, pair.server).largest == c.MAX_PLPMTU


def test_a_path_that_shrinks_in_mid_stream_is_noticed() -> None:
    pair = make_pair().open()
    pair.network.run_for(5.0)
    start = pair.network.now + 0.03
    pair.network.set_conditions(Conditions(rate=1_250_000, mtu=((0.0, 1500), (start, 1250))))
    assert transfer(pair, DATA * 4, timeout=30) == DATA * 4
    assert pair.connection.statistics().mtu <= 1250
