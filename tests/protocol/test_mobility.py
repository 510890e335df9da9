"""Connections that change their paths: NAT rebinding, migration, and those who only pretend (RFC 9000 §9)."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import Address, PathFailed, PathLeft, PathMoved
from network import Conditions, Node, Stuck
from protocol.pairs import Pair, make_pair, transfer

SLOW = Conditions(delay=0.02, rate=2_000_000)


def moves(node: Node, connection: Connection) -> list[PathMoved]:
    return [event for event in node.events[connection] if isinstance(event, PathMoved)]


def events_of(node: Node, connection: Connection, kind: type) -> list[object]:
    return [event for event in node.events[connection] if isinstance(event, kind)]


def download(pair: Pair, size: int, timeout: float = 60.0) -> None:
    """Let the server send `size` bytes on a stream of its own; the client reads them."""
    start_download(pair, size)
    finish_download(pair, size, timeout)


def start_download(pair: Pair, size: int) -> None:
    server = pair.accepted
    channel_id = server.data_path.open(c.KIND_STREAM)
    server.data_path.write(channel_id, bytes(size))
    server.data_path.finish(channel_id)
    server.touch()


class Reader:
    """Reads at the client what the server sends on its first stream."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.received = 0
        self.is_done = False

    def read(self) -> bool:
        """Read what is there; True at the end."""
        while not self.is_done:
            try:
                piece = self.pair.connection.data_path.read(1, 65536)
            except KeyError:
                break
            if piece is None:
                self.is_done = True
            elif not piece:
                break
            else:
                self.received += len(piece)
                self.pair.connection.touch()
        return self.is_done


def finish_download(pair: Pair, size: int, timeout: float = 60.0) -> None:
    reader = Reader(pair)
    pair.network.run(reader.read, timeout)
    assert reader.received == size


# --- a NAT that forgets its binding ------------------------------------------------------------------------


@pytest.mark.parametrize("keeps_old", [False, True])
def test_a_rebinding_in_the_middle_of_an_upload_goes_unnoticed(keeps_old: bool) -> None:
    pair = make_pair(conditions=SLOW).open()
    pair.network.run_for(0.2)
    start_download(pair, 10)
    pair.network.run_for(0.1)
    new = pair.network.rebind(pair.client, keeps_old=keeps_old)
    assert transfer(pair, bytes(500_000)) == bytes(500_000)
    assert pair.accepted.address == new
    statistics = pair.accepted.statistics()
    assert statistics.migrations == 1
    assert statistics.paths_validated >= 1
    assert pair.connection.statistics().migrations == 0


def test_a_rebinding_in_the_middle_of_a_download_costs_little() -> None:
    times = []
    for rebinds in (False, True):
        pair = make_pair(conditions=SLOW).open()
        start_download(pair, 1_000_000)
        pair.network.run_for(0.2)
        if rebinds:
            pair.network.rebind(pair.client)
            pair.connection.ping(pair.network.now)
        finish_download(pair, 1_000_000)
        times.append(pair.network.now)
    assert times[1] < times[0] + 0.5


def test_a_new_port_of_the_same_host_changes_neither_window_nor_path_mtu() -> None:
    pair = make_pair(conditions=SLOW).open()
    start_download(pair, 2_000_000)
    pair.network.run_for(0.5)
    before = pair.accepted.statistics()
    pair.network.rebind(pair.client)
    pair.connection.ping(pair.network.now)
    pair.network.run_for(0.2)
    after = pair.accepted.statistics()
    assert after.migrations == 1
    assert after.mtu == before.mtu > c.BASE_PLPMTU
    assert after.congestion_window >= before.congestion_window * 0.7
    assert after.min_rtt == before.min_rtt
    finish_download(pair, 2_000_000)


def test_on_a_new_host_everything_is_learnt_anew() -> None:
    pair = make_pair(conditions=SLOW).open()
    start_download(pair, 3_000_000)
    pair.network.run_for(0.7)
    before = pair.accepted.statistics()
    pair.network.rebind(pair.client, ("10.9.9.9", 99))
    pair.network.set_conditions(Conditions(delay=0.005, mtu=((0.0, 1300),)))
    pair.connection.ping(pair.network.now)
    pair.network.run_for(0.03)
    after = pair.accepted.statistics()
    assert (after.migrations, after.paths_validated) == (1, 1)
    assert after.mtu == c.BASE_PLPMTU < before.mtu
    assert after.congestion_window < before.congestion_window
    assert after.min_rtt == pytest.approx(0.01, abs=0.002)
    finish_download(pair, 3_000_000)
    assert 1200 < pair.accepted.statistics().mtu <= 1300


def test_what_was_under_way_on_a_path_that_is_dead_is_sent_again_on_the_new_one() -> None:
    """Without a probe nothing would be left that a timer waits for."""
    pair = make_pair().open()
    pair.network.run_for(1.0)
    pair.network.drop = lambda index, data: True
    start_download(pair, 5000)
    pair.network.run_for(0.001)
    pair.network.drop = None
    pair.network.rebind(pair.client, ("10.9.9.9", 99))
    pair.connection.ping(pair.network.now)
    finish_download(pair, 5000, timeout=1.0)


@pytest.mark.parametrize(("moves_host", "seconds"), [(False, 10.0), (True, 11.0)])
def test_a_rebinding_every_second_is_borne(moves_host: bool, seconds: float) -> None:
    """8 s without any: each costs what was on its way, a round trip of validation, and perhaps the window."""
    pair = make_pair(conditions=SLOW).open()
    began_at = pair.network.now
    start_download(pair, 16_000_000)
    reader = Reader(pair)
    while not reader.is_done:
        try:
            pair.network.run(reader.read, 1.0)
        except Stuck:
            host = f"10.1.{int(pair.network.now)}.1"
            pair.network.rebind(pair.client, (host, 99) if moves_host else None)
    assert reader.received == 16_000_000
    assert pair.accepted.statistics().migrations >= 8
    assert pair.network.now - began_at < seconds


def test_a_second_rebinding_before_the_first_is_validated_is_followed() -> None:
    pair = make_pair().open()
    for host in ("10.1.1.1", "10.1.1.2", "10.1.1.3"):
        pair.network.rebind(pair.client, (host, 99))
        pair.connection.ping(pair.network.now)
        pair.network.run_for(0.011)
    assert transfer(pair, bytes(100_000)) == bytes(100_000)
    assert pair.accepted.address == ("10.1.1.3", 99)
    pair.network.run_for(10.0)
    assert len(pair.accepted.local_ids) == c.ISSUED_IDS


def test_an_idle_connection_is_found_again_by_its_keep_alive() -> None:
    pair = make_pair().open()
    pair.network.run_for(5.0)
    pair.network.rebind(pair.client, ("10.9.9.9", 99))
    pair.network.run_for(40.0)
    start_download(pair, 10)
    finish_download(pair, 10)


# --- who only pretends -------------------------------------------------------------------------------------

STRANGER: Address = ("192.0.2.66", 666)


def sent_to_stranger(pair: Pair) -> int:
    return pair.network._link(pair.server.address, STRANGER).sent_size


class Holder:
    """Keeps what is sent from now on; the first `losses` of it, with a fitting id, are lost."""

    def __init__(self, pair: Pair, ids: tuple[bytes, ...], losses: int = 1 << 30) -> None:
        self.held: list[bytes] = []
        self._ids = ids
        self._losses = losses
        pair.network.drop = self._hold

    def _hold(self, index: int, data: bytes) -> bool:
        self.held.append(data)
        return len(self.held) <= self._losses and data[1:9] in self._ids


class Copier:
    """Sees what the client sends, and lets copies of it arrive first, from an address of its own."""

    def __init__(self, pair: Pair, address: Address = STRANGER) -> None:
        self.pair = pair
        self.address = address
        self.copied_size = 0
        self.is_on = True
        pair.network.drop = self._see

    def _see(self, index: int, data: bytes) -> bool:
        if self.is_on and data[1:9] in self.pair.accepted.local_ids:
            self.copied_size += len(data)
            self.pair.server.receive([data], self.address, self.pair.network.now)
        return False


def test_a_copy_that_comes_first_moves_nobody_for_long() -> None:
    pair = make_pair(conditions=SLOW).open()
    client_address = pair.accepted.address
    copier = Copier(pair)
    pair.connection.ping(pair.network.now)
    pair.network.run_for(0.001)
    copier.is_on = False
    assert pair.accepted.address == STRANGER
    pair.network.run_for(0.1)
    assert pair.accepted.address == client_address
    assert 0 < sent_to_stranger(pair) <= 3 * copier.copied_size
    assert transfer(pair, bytes(100_000)) == bytes(100_000)


def test_who_copies_everything_in_both_directions_of_time_slows_a_transfer_but_does_not_stop_it() -> None:
    pair = make_pair(conditions=SLOW).open()
    copier = Copier(pair)
    start_download(pair, 2_000_000)
    finish_download(pair, 2_000_000, timeout=60.0)
    assert transfer(pair, bytes(500_000), timeout=60.0) == bytes(500_000)
    assert sent_to_stranger(pair) <= 3 * copier.copied_size


def test_an_old_packet_that_comes_late_from_elsewhere_moves_nobody() -> None:
    pair = make_pair().open()
    holder = Holder(pair, pair.accepted.local_ids, losses=1)
    pair.connection.ping(pair.network.now)
    pair.network.run_for(1.0)
    pair.network.drop = None
    pair.network.inject(holder.held[0], STRANGER, pair.server)
    assert pair.accepted.address == pair.client.address
    assert pair.accepted.statistics().migrations == 0


def test_what_does_not_open_moves_nobody_and_gets_no_answer() -> None:
    pair = make_pair().open()
    for number in range(100):
        forged = b"\x40" + pair.accepted.ids.local + number.to_bytes(4, "big") + bytes(1000)
        pair.network.inject(forged, STRANGER, pair.server)
    pair.network.run_for(5.0)
    assert sent_to_stranger(pair) == 0
    assert pair.accepted.statistics().migrations == 0


def test_a_path_that_does_not_answer_is_given_up_for_the_old_one() -> None:
    pair = make_pair().open()
    pair.network.run_for(1.0)
    old = pair.client.address
    pair.network.rebind(pair.client, ("10.9.9.9", 99), keeps_old=True)
    pair.connection.ping(pair.network.now)
    pair.network.run_for(0.011)
    assert pair.accepted.address == ("10.9.9.9", 99)
    pair.client.addresses[0] = old
    pair.network.nodes.pop(("10.9.9.9", 99))
    pair.network.drop = lambda index, data: data[1:9] == pair.accepted.ids.local  # and the client is mute
    pair.network.run_for(4.0)
    assert pair.accepted.address == old
    assert [event.address for event in moves(pair.server, pair.accepted)] == [("10.9.9.9", 99), old]
    assert events_of(pair.server, pair.accepted, PathFailed) != []
    pair.network.drop = None
    assert transfer(pair, bytes(10_000)) == bytes(10_000)


def test_while_a_path_is_not_validated_no_more_than_three_times_what_came_goes_there() -> None:
    pair = make_pair().open()
    start_download(pair, 5_000_000)
    pair.network.run_for(0.1)
    link_size = 0
    copier = Copier(pair)
    for _ in range(200):
        pair.connection.ping(pair.network.now)
        pair.network.run_for(0.02)
        assert sent_to_stranger(pair) <= 3 * copier.copied_size
        link_size = max(link_size, sent_to_stranger(pair))
    assert link_size > 0


def test_addresses_that_take_turns_are_followed_at_a_limited_rate() -> None:
    pair = make_pair(conditions=SLOW).open()
    for n in range(300):
        Copier(pair, ("192.0.2.1", 1000 + n))
        pair.connection.ping(pair.network.now)
        pair.network.run_for(0.01)
    assert pair.accepted.statistics().migrations < 40
    pair.network.drop = None
    assert transfer(pair, bytes(100_000)) == bytes(100_000)


def test_during_the_handshake_the_address_is_fixed() -> None:
    pair = make_pair(conditions=SLOW)
    pair.network.rebind(pair.client, keeps_old=True)
    pair.network.run_for(5.0)
    for connection in pair.server.events:
        assert connection.statistics().migrations == 0


def test_a_client_ignores_what_comes_from_another_address_than_its_servers() -> None:
    pair = make_pair().open()
    holder = Holder(pair, pair.connection.local_ids)
    start_download(pair, 100)
    pair.network.run_for(0.001)
    pair.network.drop = None
    before = pair.connection.statistics().packets_received
    for data in holder.held:
        pair.network.inject(data, STRANGER, pair.client)
    assert pair.connection.statistics().packets_received == before
    finish_download(pair, 100)


# --- a client that moves -----------------------------------------------------------------------------------


def migrate(pair: Pair, address: Address | None = None) -> int:
    via = pair.network.add_local_path(pair.client, address)
    pair.connection.migrate(via, pair.network.now)
    return via


def test_a_client_tries_the_new_path_and_then_moves_with_new_ids_both_ways() -> None:
    pair = make_pair(conditions=SLOW).open()
    start_download(pair, 2_000_000)
    pair.network.run_for(0.3)
    first_ids = (pair.connection.local_ids, pair.accepted.local_ids)
    via = migrate(pair, ("10.9.9.9", 99))
    pair.network.run_for(0.039)
    assert moves(pair.client, pair.connection) == []
    pair.network.run_for(0.05)
    assert pair.accepted.address == ("10.9.9.9", 99)
    (moved,) = moves(pair.client, pair.connection)
    assert (moved.via, moved.is_validated) == (via, True)
    (followed,) = moves(pair.server, pair.accepted)
    assert followed.is_validated  # the answer to the probe brought a challenge
    finish_download(pair, 2_000_000)
    pair.network.run_for(5.0)
    assert events_of(pair.client, pair.connection, PathLeft) == [PathLeft(0)]
    for before, connection in zip(first_ids, (pair.connection, pair.accepted), strict=True):
        assert before[0] not in connection.local_ids
        assert len(connection.local_ids) == c.ISSUED_IDS
    assert pair.connection.statistics().migrations == 1


def test_a_client_moves_again_and_again() -> None:
    pair = make_pair().open()
    for n in range(10):
        via = migrate(pair)
        assert transfer(pair, bytes(20_000)) == bytes(20_000)
        pair.network.run_for(1.0)
        assert moves(pair.client, pair.connection)[-1].via == via
        assert pair.accepted.address == pair.client.addresses[via]
        assert len(moves(pair.client, pair.connection)) == n + 1
        assert pair.server.endpoint.connections == 1
    assert len(pair.accepted.local_ids) == len(pair.connection.local_ids) == c.ISSUED_IDS
    assert len(pair.server.endpoint._by_id) == c.ISSUED_IDS


def test_nobody_sees_one_id_on_two_paths_of_a_client_that_moves() -> None:
    pair = make_pair().open()
    seen: dict[str, set[bytes]] = {}

    def see(index: int, data: bytes) -> bool:
        if not data[0] & c.FORM_LONG:
            ids[len(moves(pair.client, pair.connection))].add(data[1:9])
        return False

    ids: list[set[bytes]] = [set(), set()]
    pair.network.run_for(1.0)
    pair.network.drop = see
    transfer(pair, bytes(10_000))
    pair.network.run_for(1.0)
    migrate(pair)
    pair.network.run_for(1.0)
    ids[1].clear()
    transfer(pair, bytes(10_000))
    assert ids[0]
    assert ids[1]
    assert not seen
    assert not ids[1] & {pair.connection.ids.local, pair.accepted.ids.local}


def test_a_path_that_does_not_answer_leaves_the_connection_as_it_was() -> None:
    pair = make_pair().open()
    pair.network.run_for(1.0)
    via = pair.network.add_local_path(pair.client, ("10.9.9.9", 99))
    pair.network._link(("10.9.9.9", 99), pair.server.address).conditions = Conditions(loss=1.0)
    pair.connection.migrate(via, pair.network.now)
    assert transfer(pair, bytes(20_000)) == bytes(20_000)
    pair.network.run_for(5.0)
    assert events_of(pair.client, pair.connection, PathFailed) == [
        PathFailed(pair.server.address, via, "no answer")
    ]
    assert moves(pair.client, pair.connection) == []
    assert pair.accepted.statistics().migrations == 0
    pair.network._link(("10.9.9.9", 99), pair.server.address).conditions = Conditions()
    pair.connection.migrate(via, pair.network.now)  # the id of the vain attempt was replaced
    pair.network.run_for(1.0)
    assert pair.accepted.address == ("10.9.9.9", 99)


def test_a_client_that_was_given_no_further_id_waits_for_one_and_then_gives_up() -> None:
    pair = make_pair().open()
    pair.network.run_for(0.5)
    first, second = migrate(pair), migrate(pair)  # the server gives one id to spare
    pair.network.run_for(5.0)
    moved = [event.via for event in moves(pair.client, pair.connection)]
    assert moved[0] == first
    assert second in moved or events_of(pair.client, pair.connection, PathFailed)


def test_challenges_that_are_lost_go_again() -> None:
    pair = make_pair().open()
    pair.network.run_for(0.5)
    via = pair.network.add_local_path(pair.client, ("10.9.9.9", 99))
    lost = Conditions(loss_mask=0b11)
    for pairing in ((("10.9.9.9", 99), pair.server.address), (pair.server.address, ("10.9.9.9", 99))):
        pair.network._link(*pairing).conditions = lost
    pair.connection.migrate(via, pair.network.now)
    pair.network.run_for(2.0)
    assert pair.accepted.address == ("10.9.9.9", 99)


def test_only_the_open_connection_of_a_client_can_move() -> None:
    pair = make_pair()
    with pytest.raises(ConnectionError):
        pair.connection.migrate(1, pair.network.now)
    pair.open()
    with pytest.raises(ConnectionError):
        pair.accepted.migrate(1, pair.network.now)
    with pytest.raises(ValueError):
        pair.connection.migrate(0, pair.network.now)
    pair.connection.close(0, "", pair.network.now)
    with pytest.raises(ConnectionError):
        pair.connection.migrate(1, pair.network.now)


def test_when_it_is_over_nothing_leads_to_a_connection_that_had_moved() -> None:
    pair = make_pair().open()
    migrate(pair)
    transfer(pair, bytes(10_000))
    pair.network.rebind(pair.client)
    pair.connection.close(0, "", pair.network.now)
    pair.network.run_for(10.0)
    for node in (pair.server, pair.client):
        assert node.endpoint.connections == 0
        assert node.endpoint._by_id == {}
        assert node.endpoint._by_first_id == {}
        assert node.endpoint.deadline() is None


def test_large_datagrams_wait_until_the_path_is_validated() -> None:
    """Where a datagram of 1,200 bytes may go, but none of the size in use, no timer may fire for it."""
    pair = make_pair(conditions=Conditions(delay=0.02, rate=20_000_000)).open()
    start_download(pair, 6_000_000)
    reader = Reader(pair)
    pair.network.run(lambda: reader.read() or reader.received > 3_000_000)
    assert pair.accepted.statistics().mtu == 8952
    pair.network.rebind(pair.client)
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    pair.connection.data_path.write(channel_id, bytes(1300))
    pair.accepted.ping(pair.network.now)
    pair.connection.touch()
    pair.network.run(reader.read)
    assert reader.received == 6_000_000
    assert pair.accepted.statistics().mtu == 8952
