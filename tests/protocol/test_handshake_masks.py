"""Every way to lose the first twelve datagrams of a handshake ends connected."""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
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
    for mask in range(1 << DATAGRAMS):
        settle(connect(mask, script))


@FLIGHTS
@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_random_loss_reordering_duplication_and_damage_end_connected(
    script: Script, loss: float
) -> None:
    conditions = Conditions(
        loss=loss, reordering=0.5, duplication=0.2, damage=0.1, jitter=0.02, delay=0.03
    )
    for seed in range(25):
        settle(connect(0, script, conditions, seed))


def test_a_server_sends_at_most_three_times_what_it_received_whatever_is_lost() -> None:
    for mask in sample(40):
        sizes = {"client": 0, "server": 0}

        def count(index: int, data: bytes, mask: int = mask, sizes: dict[str, int] = sizes) -> bool:
            lost = bool(mask >> index & 1)
            is_client = pair.network.link(pair.client, pair.server).sent > sizes.get("seen", 0)
            sizes["seen"] = pair.network.link(pair.client, pair.server).sent
            if is_client:
                sizes["client"] += 0 if lost else len(data)
            elif not validated(pair):
                sizes["server"] += len(data)
                assert sizes["server"] <= 3 * sizes["client"]
            return lost

        pair = make_pair(script=NINE_CERTIFICATES, configuration=PATIENT)
        pair.network.drop = count
        pair.open(timeout=60.0)
        assert sizes["server"] > 0


def validated(pair: Pair) -> bool:
    """True if the server has proof of the client's address."""
    ends = list(pair.server.endpoint._by_id.values())
    return bool(ends) and ends[0]._path.is_validated
