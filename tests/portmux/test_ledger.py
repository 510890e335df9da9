"""Ids in order, both limits, and the secrets that go with them."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.exceptions import ProtocolError, WouldBlock
from fastmux.portmux.keys import Root
from fastmux.portmux.ledger import Ledger

ROOT = Root(c.SUITE_AES_128_GCM, bytes(32))


def both(limit: int = 3) -> tuple[Ledger, Ledger]:
    return Ledger(True, ROOT, limit, limit), Ledger(False, ROOT, limit, limit)


def test_both_ends_have_the_same_secret_for_each_channel_of_either() -> None:
    client, server = both()
    for opener, other in ((client, server), (server, client)):
        for kind in (c.KIND_STREAM, c.KIND_MESSAGE):
            channel_id, secret = opener.open(kind)
            assert other.accept(channel_id) == secret
            assert opener.is_own(channel_id) and not other.is_own(channel_id)
            assert channel_id in opener and channel_id in other
    assert len(client) == len(server) == 4


def test_an_id_says_index_kind_and_opener_and_counts_both_kinds() -> None:
    client, _ = both()
    assert [client.open(kind)[0] for kind in (0, 1, 0)] == [0, 1 << 2 | 2, 2 << 2]


def test_an_opener_waits_at_the_limit_and_may_go_on_when_a_place_is_free() -> None:
    client, _ = both(2)
    first, _ = client.open(0)
    client.open(0)
    with pytest.raises(WouldBlock):
        client.open(0)
    with pytest.raises(WouldBlock):
        client.check_room()
    assert client.close(first)
    client.check_room()
    assert client.open(0)[0] == 2 << 2  # an id is never used again


def test_a_peer_above_the_limit_breaks_a_rule() -> None:
    client, server = both(2)
    for _ in range(2):
        server.accept(client.open(0)[0])
    with pytest.raises(ProtocolError) as caught:
        server.accept(2 << 2)
    assert caught.value.code == c.CHANNEL_LIMIT_ERROR
    assert server.close(0)
    server.accept(2 << 2)


@pytest.mark.parametrize("channel_id", [1, 4, 8, 1 << 40])
def test_a_peer_that_opens_out_of_order_or_as_another_breaks_a_rule(channel_id: int) -> None:
    _, server = both()
    with pytest.raises(ProtocolError) as caught:
        server.accept(channel_id)
    assert caught.value.code == c.CHANNEL_STATE_ERROR
    assert len(server) == 0


def test_a_place_is_given_back_once() -> None:
    client, server = both()
    channel_id, _ = client.open(0)
    assert not client.was_opened(channel_id + 4) and client.was_opened(channel_id)
    assert not server.was_opened(channel_id)
    assert client.close(channel_id)
    assert not client.close(channel_id)
    assert client.was_opened(channel_id) and channel_id not in client
