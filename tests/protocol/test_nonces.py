"""No key and nonce ever seal two different packets: whole runs, every datagram of which is opened again.

The one thing that is sent twice as it is are the last packets of a closed connection; Retry has a nonce of
its own under a key that everybody knows (RFC 9001 §5.8 does the same).
"""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from network import Conditions
from protocol.pairs import Pair, transfer
from protocol.scripted import NINE_CERTIFICATES, Fail, Script
from protocol.wiretap import Wiretap, tapped_pair

SUITES = [c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305]
OFTEN = Configuration(key_update_interval=20, max_datagram_size=1452)
RETRY = Configuration(key_update_interval=20, retry="always")
HOSTILE = Conditions(
    loss=0.1, reordering=0.3, duplication=0.1, damage=0.02, jitter=0.01, rate=1_250_000, coalescing=0.004
)
DATA = bytes(range(256)) * 500


def updates(pair: Pair) -> int:
    ends = (pair.connection, *pair.server.accepted)
    return max(end.statistics().key_updates for end in ends)


def talk(pair: Pair) -> None:
    """A little of everything else that is sent: pings, messages, datagrams, forced updates."""
    now = pair.network.now
    for end in (pair.connection, pair.accepted):
        end.ping(now)
        channel_id = end.data_path.open(c.KIND_MESSAGE)
        end.data_path.send_message(channel_id, bytes(5000), now)
        end.data_path.send_datagram(bytes(300))
        end.update_keys(now)
        end.touch()
    pair.network.run_for(0.5)


def is_closed(pair: Pair) -> bool:
    return pair.connection.is_closed


def finish(pair: Pair, tap: Wiretap) -> None:
    """Let the last datagrams go, then look."""
    pair.network.run_for(5.0)
    tap.read(updates(pair))
    tap.check()


@pytest.mark.parametrize(("seed", "suite"), list(enumerate(SUITES)))
def test_a_whole_run_over_a_hostile_path(seed: int, suite: int) -> None:
    """Retransmissions, trains, probes, updates of both ends, moves of either kind, and a close."""
    pair, tap = tapped_pair(seed, HOSTILE, Script(suite=suite, server_size=4000), OFTEN)
    dice = Random(seed)
    pair.open()
    for round_ in range(3):
        assert transfer(pair, DATA) == DATA
        talk(pair)
        if round_ == 0:
            pair.network.rebind(pair.client, ("10.9.9.9", 99) if dice.random() < 0.5 else None)
        elif round_ == 1:
            via = pair.network.add_local_path(pair.client, ("10.8.8.8", 88))
            pair.connection.migrate(via, pair.network.now)
    pair.accepted.update_keys(pair.network.now)
    (pair.connection if seed % 2 else pair.accepted).close(7, "done", pair.network.now)
    finish(pair, tap)
    assert updates(pair) >= 3
    assert len([direction for direction, numbers in tap.numbers.items() if numbers]) >= 8
    assert tap.repeated >= 1  # the close


def test_a_handshake_that_is_repeated_and_refused() -> None:
    """The server repeats alert and close for three PTO; the client's flight is lost and sent again."""
    for seed in range(4):
        conditions = Conditions(loss=0.3, duplication=0.2, reordering=0.2)
        script = Script(
            suite=c.SUITE_AES_128_GCM, fail=Fail.SERVER_REJECTS, server_size=NINE_CERTIFICATES.server_size
        )
        pair, tap = tapped_pair(seed, conditions, script, OFTEN)
        pair.network.run(partial(is_closed, pair))
        finish(pair, tap)
        sealed = [direction for direction, numbers in tap.numbers.items() if numbers]
        assert {direction.end for direction in sealed if direction.generation < 0} == {"client", "server"}


def test_a_handshake_through_a_retry_goes_on_with_its_numbers() -> None:
    """After a Retry the keys are the same, so the numbers may not begin again (wire-format §3.5)."""
    for seed in range(2):
        pair, tap = tapped_pair(seed, Conditions(loss=0.1), Script(suite=c.SUITE_AES_128_GCM), RETRY)
        pair.open()
        assert transfer(pair, DATA) == DATA
        pair.connection.close(0, "", pair.network.now)
        finish(pair, tap)
        assert tap.retries >= 1
        assert all(c.MAX_PACKET_NUMBER not in numbers for numbers in tap.numbers.values())


def test_numbers_rise_under_each_key_and_go_on_under_the_next() -> None:
    pair, tap = tapped_pair(1, Conditions(), Script(suite=c.SUITE_AES_128_GCM), OFTEN)
    pair.open()
    assert transfer(pair, DATA) == DATA
    talk(pair)
    finish(pair, tap)
    for end in ("first", "second"):
        phases = [each for each in tap.numbers if each.end == end and each.generation >= 0]
        phases.sort(key=lambda each: each.generation)
        numbers = [number for direction in phases for number in tap.numbers[direction]]
        assert numbers == sorted(set(numbers))
        assert len(phases) >= 2


def test_the_wiretap_finds_a_nonce_that_is_used_twice() -> None:
    """The test of the tests: two packets of one number."""
    pair, tap = tapped_pair(1, Conditions(), Script(suite=c.SUITE_AES_128_GCM), OFTEN)
    pair.open()
    keys = tap.learned[0]
    path = pair.connection.data_path
    path.queue_control(0, bytes((c.FRAME_PING,)))
    before = bytearray(2000)
    size, _ = path.fill(before, 1200, 2000, pair.network.now)
    number = int.from_bytes(before[9:13], "big")
    header = bytes(before[:13])
    forged = core.PacketProtection(keys.suite, keys.send_key, keys.send_iv).seal(number, header, bytes(40))
    tap.datagrams += [bytes(before[:size]), header + forged]
    tap.read(0)
    with pytest.raises(AssertionError):
        tap.check()
