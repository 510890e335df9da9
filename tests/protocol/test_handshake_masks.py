"""Every way to lose the first twelve datagrams of a handshake ends connected."""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.handshake import PeerIdentity
from network import Conditions
from protocol.pairs import Pair, make_pair
from protocol.scripted import NINE_CERTIFICATES, SMALL, Script

DATAGRAMS = 12
PATIENT = Configuration(handshake_timeout=60.0)  # twelve losses in a row cost four back-offs
FLIGHTS = pytest.mark.parametrize("script", [SMALL, NINE_CERTIFICATES], ids=["small", "nine"])


def connect(mask: int, script: Script, conditions: Conditions | None = None, seed: int = 0) -> Pair:
    """Open a connection that loses the nth datagram, of both ends together, if bit n is set."""
    pair = make_pair(
        seed=seed,
        script=script,
        conditions=conditions,
        configuration=PATIENT,
        drop=lambda index, data: bool(mask >> index & 1),
    )
    pair.open(timeout=60.0)
    return pair


def settle(pair: Pair) -> None:
    """Both ends know that the handshake is over, and a byte goes across."""
    assert pair.connection.peer == PeerIdentity(common_name="server")
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    pair.connection.data_path.write(channel_id, b"!")
    pair.connection.touch()
    pair.network.run(lambda: pair.accepted.data_path.channel_count == 1, timeout=30.0)
    assert pair.connection._handshaking is None
    assert pair.accepted._handshaking is None


def sample(count: int) -> list[int]:
    return Random(2).sample(range(1 << DATAGRAMS), count)


@FLIGHTS
def test_losing_any_one_or_two_of_the_first_datagrams_ends_connected(script: Script) -> None:
    masks = {1 << first | 1 << second for first in range(12) for second in range(12)}
    for mask in sorted(masks):
        settle(connect(mask, script))


@FLIGHTS
def test_a_sample_of_loss_masks_ends_connected(script: Script) -> None:
    for mask in sample(60):
        settle(connect(mask, script))


@FLIGHTS
def test_losing_all_of_the_first_datagrams_ends_connected(script: Script) -> None:
    settle(connect((1 << DATAGRAMS) - 1, script))


@pytest.mark.slow
@pytest.mark.timeout(600)
@FLIGHTS
def test_every_loss_mask_ends_connected(script: Script) -> None:
    """All of them on the compiled core; on the pure one, which does the same more slowly, every eighth."""
    for mask in range(0, 1 << DATAGRAMS, 8 if core.IMPLEMENTATION == "python" else 1):
        settle(connect(mask, script))


@FLIGHTS
@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_random_loss_reordering_duplication_and_damage_end_connected(script: Script, loss: float) -> None:
    conditions = Conditions(loss=loss, reordering=0.5, duplication=0.2, damage=0.1, jitter=0.02, delay=0.03)
    for seed in range(25):
        settle(connect(0, script, conditions, seed))


class Account:
    """Loses datagrams by a mask, and holds what the server sends against what it was sent."""

    def __init__(self, mask: int) -> None:
        self.mask = mask
        self.received_size = self.sent_size = 0
        self.from_client = 0
        self.pair = make_pair(script=NINE_CERTIFICATES, configuration=PATIENT, drop=self.drop)

    def drop(self, index: int, data: bytes) -> bool:
        is_lost = bool(self.mask >> index & 1)
        sent_by_client = self.pair.network.link(self.pair.client, self.pair.server).sent
        if sent_by_client > self.from_client:
            self.from_client = sent_by_client
            self.received_size += 0 if is_lost else len(data)
        elif not self.is_validated():
            self.sent_size += len(data)
            assert self.sent_size <= 3 * self.received_size
        return is_lost

    def is_validated(self) -> bool:
        ends = list(self.pair.server.endpoint._by_id.values())
        return bool(ends) and ends[0]._path.is_validated


def test_a_server_sends_at_most_three_times_what_it_received_whatever_is_lost() -> None:
    for mask in sample(40):
        account = Account(mask)
        account.pair.open(timeout=60.0)
        assert account.sent_size > 0
