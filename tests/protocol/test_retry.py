"""Retry: its packets, its tokens, and handshakes that go through one (docs/wire-format.md §3.5)."""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import HandshakeError, ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds, SteeredIds, worker_of
from fastmux.protocol.handshake_packets import HandshakePackets
from fastmux.protocol.initial_keys import initial_protection
from fastmux.protocol.retry import NO_RETRY, Retry, RetryTokens, decode_retry, encode_retry
from fastmux.records import LongHeader
from network import Conditions
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import NINE_CERTIFICATES, SMALL, Script

HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.2", 4000)
FIRST, SOURCE = b"first-id", b"retry-id"
ALWAYS = Configuration(retry="always")
KNOCK = LongHeader(c.LONG_HANDSHAKE, c.VERSION_1, FIRST, b"client-i", b"", 0, 30)


def tokens(seed: int = 1) -> RetryTokens:
    return RetryTokens(Random(seed).randbytes)


# --- tokens -------------------------------------------------------------------------------------------


def test_a_good_token_gives_back_the_clients_first_id() -> None:
    made = tokens()
    token = made.issue(HERE, FIRST, SOURCE, 100.0)
    assert len(token) < 64
    assert made.check(token, HERE, SOURCE, 101.0) == FIRST


@pytest.mark.parametrize(
    ("address", "source_id", "at"),
    [
        (THERE, SOURCE, 101.0),
        ((HERE[0], HERE[1] + 1), SOURCE, 101.0),
        (HERE, b"other-id", 101.0),
        (HERE, SOURCE, 100.1 + c.RETRY_TOKEN_LIFETIME),
    ],
)
def test_a_token_of_another_address_port_id_or_time_is_none(
    address: tuple[str, int], source_id: bytes, at: float
) -> None:
    made = tokens()
    assert made.check(made.issue(HERE, FIRST, SOURCE, 100.0), address, source_id, at) is None


def test_a_token_that_was_changed_anywhere_is_none() -> None:
    made = tokens()
    token = made.issue(HERE, FIRST, SOURCE, 100.0)
    for place in range(len(token)):
        changed = bytearray(token)
        changed[place] ^= 1
        assert made.check(bytes(changed), HERE, SOURCE, 100.0) is None
        assert made.check(token[:place], HERE, SOURCE, 100.0) is None
    assert made.check(token + b"x", HERE, SOURCE, 100.0) is None
    assert made.check(token, HERE, SOURCE, 100.0) is not None


def test_a_token_of_another_endpoint_is_none() -> None:
    token = tokens(1).issue(HERE, FIRST, SOURCE, 100.0)
    other = tokens(2)
    other.issue(HERE, FIRST, SOURCE, 100.0)
    assert other.check(token, HERE, SOURCE, 100.0) is None
    assert tokens(1).check(token, HERE, SOURCE, 100.0) is None  # it has no key yet


def test_keys_change_and_the_last_tokens_of_the_old_one_are_still_good() -> None:
    made = tokens()
    start = 100.0
    first = made.issue(HERE, FIRST, SOURCE, start)
    late = made.issue(HERE, FIRST, SOURCE, start + c.RETRY_KEY_LIFETIME - 0.5)
    now = start + c.RETRY_KEY_LIFETIME + 0.5
    new = made.issue(HERE, FIRST, SOURCE, now)
    assert new[0] != late[0] == first[0]
    assert made.check(late, HERE, SOURCE, now) == FIRST
    assert made.check(new, HERE, SOURCE, now) == FIRST
    assert made.check(first, HERE, SOURCE, now) is None
    for number in range(1, 600):  # the number of the key is one byte
        at = start + number * c.RETRY_KEY_LIFETIME
        assert made.check(made.issue(HERE, FIRST, SOURCE, at), HERE, SOURCE, at) == FIRST
    assert len(made._keys) == 2


def test_a_token_is_taken_once() -> None:
    made = tokens()
    token = made.issue(HERE, FIRST, SOURCE, 100.0)
    assert made.spend(token, 100.0)
    assert made.check(token, HERE, SOURCE, 100.0) is None


def test_tokens_that_were_spent_are_forgotten_when_they_are_too_old_anyway() -> None:
    made = tokens()
    for number in range(200):
        now = 100.0 + number
        assert made.spend(made.issue(HERE, FIRST, b"id%06d" % number, now), now)
    assert len(made._spent) <= c.RETRY_TOKEN_LIFETIME + 1


def test_no_more_are_taken_than_can_be_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c, "MAX_SPENT_TOKENS", 10)
    made = tokens()
    names = [made.issue(HERE, FIRST, b"id%06d" % number, 100.0) for number in range(11)]
    assert [made.spend(name, 100.0) for name in names] == [True] * 10 + [False]
    assert made.spend(names[10], 101.0 + c.RETRY_TOKEN_LIFETIME)


def test_ten_times_the_usual_rate_of_handshakes_never_fills_the_memory_of_spent_tokens() -> None:
    most = Configuration().max_half_open + c.RETRY_TOKEN_LIFETIME * c.MAX_HANDSHAKE_RATE
    assert most < c.MAX_SPENT_TOKENS


# --- packets ------------------------------------------------------------------------------------------


def receiving(first_id: bytes = FIRST) -> core.PacketProtection:
    return initial_protection(first_id, is_client=True)[1]


def parse(packet: bytes) -> LongHeader:
    return core.parse_long_header(packet, 0, len(packet))


def test_a_retry_is_read_by_the_client_that_it_answers() -> None:
    packet = encode_retry(KNOCK, Retry(SOURCE, b"token"))
    header = parse(packet)
    assert (header.type, header.destination_id, header.source_id) == (c.LONG_RETRY, b"client-i", SOURCE)
    assert packet[0] == 0xF0
    assert decode_retry(header, packet, FIRST, receiving()) == Retry(SOURCE, b"token")


def test_a_retry_that_was_changed_or_answers_another_is_none() -> None:
    packet = encode_retry(KNOCK, Retry(SOURCE, b"token"))
    for place in range(len(packet)):
        changed = bytearray(packet)
        changed[place] ^= 1
        try:
            header = parse(bytes(changed))
        except ProtocolError:
            continue
        assert decode_retry(header, bytes(changed), FIRST, receiving()) is None, place
    for size in range(len(packet) - 1):
        assert decode_retry(parse(packet), packet[:size], FIRST, receiving()) is None
    assert decode_retry(parse(packet), packet, b"another-", receiving(b"another-")) is None


@pytest.mark.parametrize("retry", [Retry(SOURCE, b""), Retry(FIRST, b"token"), Retry(SOURCE, bytes(513))])
def test_a_retry_without_a_token_with_a_long_one_or_with_the_old_id_is_none(retry: Retry) -> None:
    packet = encode_retry(KNOCK, retry)
    assert decode_retry(parse(packet), packet, FIRST, receiving()) is None


# --- handshakes -----------------------------------------------------------------------------------------


def counters(pair: Pair) -> dict[str, int]:
    return pair.server.endpoint.counters()


@pytest.mark.parametrize("script", [SMALL, NINE_CERTIFICATES])
@pytest.mark.parametrize("suite", [c.SUITE_NULL, c.SUITE_AES_128_GCM])
def test_a_handshake_goes_through_a_retry(script: Script, suite: int) -> None:
    script = Script(
        hello_size=script.hello_size,
        server_size=script.server_size,
        finish_size=script.finish_size,
        suite=suite,
    )
    pair = make_pair(configuration=ALWAYS, script=script).open()
    assert transfer(pair, bytes(50_000)) == bytes(50_000)
    assert counters(pair)["retried"] >= 1
    assert counters(pair)["accepted"] == 1
    assert pair.server.endpoint.connections == 1


def test_a_retry_costs_one_round_trip() -> None:
    times = []
    for configuration in (Configuration(), ALWAYS):
        pair = make_pair(configuration=configuration).open()
        times.append(pair.network.now - 100.0)
    assert times[1] - times[0] == pytest.approx(0.02, abs=0.001)


def test_before_the_client_comes_back_the_server_remembers_nothing() -> None:
    pair = make_pair(configuration=ALWAYS)
    pair.network.run(lambda: counters(pair)["retried"] == 1)
    endpoint = pair.server.endpoint
    assert endpoint.connections == 0
    assert endpoint._gate.is_empty
    assert not endpoint._by_id
    assert not endpoint._by_first_id


def test_after_a_retry_the_path_is_proved_and_more_than_three_times_may_go_at_once() -> None:
    pair = make_pair(configuration=ALWAYS, script=Script(server_size=9000))
    pair.network.run(lambda: counters(pair)["accepted"] == 1)
    pair.network.run_for(0.001)
    assert pair.network.link(pair.server, pair.client).sent_size > 9000
    pair.open()


@pytest.mark.parametrize("seed", range(8))
def test_over_a_bad_path_a_retry_does_no_harm(seed: int) -> None:
    conditions = Conditions(loss=0.25, reordering=0.3, duplication=0.3, damage=0.05, jitter=0.01)
    patient = Configuration(retry="always", handshake_timeout=60.0)
    pair = make_pair(seed=seed, conditions=conditions, configuration=patient, script=NINE_CERTIFICATES)
    pair.open()
    assert transfer(pair, bytes(20_000)) == bytes(20_000)
    assert pair.server.endpoint.connections == 1


def test_the_id_of_the_retry_is_made_by_the_scheme_and_kept() -> None:
    steered = SteeredIds(RandomIds(12), index=3, count=7)
    pair = make_pair(configuration=Configuration(retry="always", connection_ids=steered)).open()
    retry_id = pair.accepted.ids.retry.source_id
    assert len(retry_id) == 12
    assert worker_of(retry_id, 7) == 3
    assert pair.accepted.ids.local == retry_id


@pytest.mark.parametrize("size", [4, 20])
def test_ids_of_any_size_will_do(size: int) -> None:
    pair = make_pair(configuration=Configuration(retry="always", connection_ids=RandomIds(size))).open()
    assert len(pair.accepted.ids.retry.source_id) == size
    assert transfer(pair, bytes(10_000)) == bytes(10_000)


def test_a_client_follows_one_retry_only() -> None:
    """A second one, be it as authentic, changes nothing."""
    pair = make_pair(configuration=ALWAYS)
    pair.network.run(lambda: counters(pair)["retried"] == 1)
    pair.network.run_for(0.011)
    header = KNOCK._replace(destination_id=pair.connection.ids.first, source_id=pair.connection.ids.local)
    second = encode_retry(header, Retry(b"elsewher", b"a second token"))
    pair.network.inject(second, pair.server.address, pair.client)
    pair.open()


def test_a_retry_that_comes_when_the_handshake_goes_on_is_ignored() -> None:
    pair = make_pair()
    pair.network.run(lambda: pair.connection._data.liveness.last_seen > 100.0)
    header = KNOCK._replace(destination_id=pair.connection.ids.first, source_id=pair.connection.ids.local)
    late = encode_retry(header, Retry(b"elsewher", b"too late"))
    pair.network.inject(late, pair.server.address, pair.client)
    pair.open()
    pair.network.inject(late, pair.server.address, pair.client)
    assert transfer(pair, b"x") == b"x"


def test_a_retry_from_another_address_is_ignored() -> None:
    pair = make_pair()
    header = KNOCK._replace(destination_id=pair.connection.ids.first, source_id=pair.connection.ids.local)
    forged = encode_retry(header, Retry(b"elsewher", b"token"))
    pair.network.inject(forged, THERE, pair.client)
    pair.open()


def test_a_retry_sent_to_a_server_is_a_stray() -> None:
    pair = make_pair().open()
    packet = encode_retry(KNOCK, Retry(SOURCE, bytes(1200)[:500]))
    pair.network.inject(packet.ljust(1200, b"\0"), THERE, pair.server)
    assert counters(pair)["stray"] == 1
    known = encode_retry(KNOCK._replace(source_id=pair.accepted.ids.local), Retry(SOURCE, b"token"))
    pair.network.inject(known.ljust(1200, b"\0"), pair.client.address, pair.server)
    assert transfer(pair, b"x") == b"x"


# --- somebody on the way ----------------------------------------------------------------------------------


class Meddler:
    """On the path, and knows the handshake keys, as everybody does who saw the first packet.

    It rewrites every handshake packet: another Retry id or token in what the client is told, undone in what
    the server sees.
    """

    def __init__(self, pair: Pair, *, forged: Retry, real: Retry = NO_RETRY) -> None:
        self.pair = pair
        self.forged = forged
        self.real = real
        pair.network.drop = self.drop
        self.servers_id = b""
        self._pending: list[tuple[bytes, bool]] = []

    def drop(self, index: int, data: bytes) -> bool:
        """Take every long header off the path; short ones pass."""
        if not data[0] & c.FORM_LONG:
            return False
        header = parse(data)
        to_server = header.source_id == self.pair.connection.ids.local
        self._pending.append((data, to_server))
        return True

    def work(self) -> None:
        """Deliver what was taken, rewritten."""
        pending, self._pending = self._pending, []
        for data, to_server in pending:
            rewritten = self.rewrite(data, to_server)
            if to_server:
                self.pair.network.inject(rewritten, self.pair.client.address, self.pair.server)
            else:
                self.pair.network.inject(rewritten, self.pair.server.address, self.pair.client)

    def rewrite(self, data: bytes, to_server: bool) -> bytes:
        header = parse(data)
        first = self.pair.connection.ids.first
        if header.type == c.LONG_RETRY:
            self.real = Retry(header.source_id, data[header.header_size : -c.TAG_SIZE])
            knock = KNOCK._replace(destination_id=first, source_id=header.destination_id)
            forged = Retry(self.forged.source_id or self.real.source_id, self.forged.token or self.real.token)
            self.forged = forged
            return encode_retry(knock, forged)
        if not self.real.source_id:
            return data
        if not to_server and not self.real.token:
            self.servers_id = header.source_id
        to, source, token = header.destination_id, header.source_id, header.token
        if to_server and to == self.forged.source_id:
            to, token = self.real.source_id, self.real.token
        if not to_server and source in (self.real.source_id, self.servers_id):
            source = self.forged.source_id
        client, server = initial_protection(first, is_client=True)
        keys = client if to_server else server
        number = header.packet_number
        payload = keys.open(number, data[: header.header_size], data[header.header_size :])
        assert payload is not None
        head = core.encode_long_header(c.LONG_HANDSHAKE, header.version, to, source, token, number)
        padding = bytes(max(len(data) - len(head) - len(payload) - c.TAG_SIZE, 0))
        return head + keys.seal(number, head, payload + padding)


@pytest.mark.parametrize(
    ("forged", "opens"),
    [(NO_RETRY, True), (Retry(b"retry-id", b""), False), (Retry(b"", b"another token"), False)],
    ids=["untouched", "id", "token"],
)
def test_a_retry_that_was_changed_on_the_way_ends_in_a_handshake_error(forged: Retry, opens: bool) -> None:
    """Id and token are in what both ends compare inside TLS, and in what the keys come from."""
    pair = make_pair(configuration=ALWAYS, script=Script(suite=c.SUITE_AES_128_GCM))
    meddler = Meddler(pair, forged=forged)
    for _ in range(200):
        pair.network.run_for(0.005)
        meddler.work()
    if opens:
        assert pair.is_open()
        return
    assert not pair.connection.has_opened
    assert not pair.server.accepted
    error = pair.client.closed(pair.connection)
    assert isinstance(error, HandshakeError)
    assert "do not agree" in str(error)


def test_a_retry_that_the_server_did_not_send_ends_in_a_handshake_error() -> None:
    """Its token is taken off again before the server sees it."""
    pair = make_pair()
    first = pair.connection.ids.first
    meddler = Meddler(pair, forged=Retry(b"retry-id", b"made up"), real=Retry(first, b""))
    knock = KNOCK._replace(destination_id=first, source_id=pair.connection.ids.local)
    pair.network.inject(encode_retry(knock, meddler.forged), pair.server.address, pair.client)
    for _ in range(200):
        pair.network.run_for(0.005)
        meddler.work()
    assert not pair.connection.has_opened
    assert not pair.server.accepted
    error = pair.client.closed(pair.connection)
    assert isinstance(error, HandshakeError)
    assert "do not agree" in str(error)


# --- stolen tokens ----------------------------------------------------------------------------------------


def first_flight_with_token() -> tuple[Pair, bytes]:
    """A pair in which the client's packet with its token was seen and has opened the connection."""
    seen: list[bytes] = []

    def see(index: int, data: bytes) -> bool:
        if data[0] & c.FORM_LONG and parse(data).token:
            seen.append(data)
        return False

    pair = make_pair(configuration=ALWAYS, drop=see).open()
    return pair, seen[0]


def test_a_token_from_another_address_is_ignored() -> None:
    """It is for the id of a connection that is there, and so reaches it, where the address is wrong too."""
    seen: list[bytes] = []

    def steal(index: int, data: bytes) -> bool:
        if data[0] & c.FORM_LONG and parse(data).token:
            seen.append(data)
            return True
        return False

    pair = make_pair(configuration=ALWAYS, drop=steal)
    pair.network.run(lambda: bool(seen))
    pair.network.inject(seen[0], THERE, pair.server)
    assert counters(pair)["bad_token"] == 1
    assert pair.server.endpoint.connections == 0
    pair.network.drop = None
    pair.open()


def test_a_token_replayed_while_or_after_the_connection_is_there_makes_no_other() -> None:
    pair, packet = first_flight_with_token()
    for _ in range(5):
        pair.network.inject(packet, pair.client.address, pair.server)
    assert counters(pair)["accepted"] == 1
    pair.connection.close(0, "", pair.network.now)
    pair.network.run(lambda: pair.server.endpoint.connections == 0)
    sent = pair.network.link(pair.server, pair.client).sent
    pair.network.inject(packet, pair.client.address, pair.server)
    pair.network.run_for(0.5)
    assert pair.server.endpoint.connections == 0
    assert counters(pair)["bad_token"] == 1
    assert pair.network.link(pair.server, pair.client).sent == sent


def test_a_token_on_a_packet_that_does_not_open_is_not_spent() -> None:
    seen: list[bytes] = []

    def steal(index: int, data: bytes) -> bool:
        if data[0] & c.FORM_LONG and parse(data).token and not seen:
            seen.append(data)
            return True
        return False

    pair = make_pair(configuration=ALWAYS, drop=steal)
    pair.network.run(lambda: bool(seen))
    damaged = seen[0][:-1] + bytes((seen[0][-1] ^ 1,))
    pair.network.inject(damaged, pair.client.address, pair.server)
    assert counters(pair)["unauthentic"] == 1
    pair.open()


def test_a_late_copy_of_the_first_flight_begins_nothing_beside_the_connection() -> None:
    """It has no token: after the server is at ease again it could be a handshake of its own."""
    seen: list[bytes] = []

    def see(index: int, data: bytes) -> bool:
        if data[0] & c.FORM_LONG and not seen:
            seen.append(data)
        return False

    pair = make_pair(configuration=ALWAYS, drop=see)
    pair.network.run(lambda: pair.server.endpoint.connections == 1)
    pair.network.inject(seen[0], pair.client.address, pair.server)
    assert pair.server.endpoint.connections == 1
    pair.open()


def test_a_made_up_token_is_ignored_whatever_is_set() -> None:
    for choice in ("auto", "always", "never"):
        pair = make_pair(configuration=Configuration(retry=choice)).open()
        packets = HandshakePackets(
            is_client=True,
            version=c.VERSION_1,
            local_id=b"client-i",
            remote_id=SOURCE,
            first_id=SOURCE,
        )
        packets.redirect(packets.remote_id, b"made up")
        packet = packets.seal(0, bytes((c.FRAME_PING,)) + bytes(1199 - packets.overhead))
        assert len(packet) == 1200
        pair.network.inject(packet, THERE, pair.server)
        assert counters(pair)["bad_token"] == 1
        assert pair.server.endpoint.connections == 1
