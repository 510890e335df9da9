"""Keys of ports: the same at both ends, never the same twice, and nothing leads back."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.portmux.keys import KeyChain, Root, link_ids, link_keys, root_of
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.ratchet import can_ratchet
from fastmux.security.keys import expand_label, secret_size, traffic_keys

SUITES = (c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305)


def first_keys(suite: int, is_client: bool) -> PacketKeys:
    size = secret_size(suite)
    return traffic_keys(b"c" * size, b"s" * size, suite, is_client)


@pytest.mark.parametrize("suite", SUITES)
def test_both_ends_derive_the_same_channels_in_the_same_order(suite: int) -> None:
    ends = [root_of(first_keys(suite, is_client), is_client) for is_client in (True, False)]
    assert ends[0] == ends[1]
    for of_client in (True, False):
        chains = [KeyChain(root, of_client) for root in ends]
        for _ in range(3):
            client_link, server_link = (chain.take() for chain in chains)
            assert client_link == server_link
            client, server = (link_keys(client_link, suite, is_client) for is_client in (True, False))
            assert (client.send_key, client.send_iv) == (server.receive_key, server.receive_iv)
            assert (client.receive_key, client.receive_iv) == (server.send_key, server.send_iv)
            assert client.send_secret == server.receive_secret
            assert len(client.send_key) == c.SUITE_KEY_SIZES[suite]
            assert can_ratchet(client)
            ids = [link_ids(client_link, suite, is_client) for is_client in (True, False)]
            assert (ids[0].local, ids[0].remote) == (ids[1].remote, ids[1].local)
            assert len(ids[0].local) == c.DEFAULT_CONNECTION_ID_SIZE


@pytest.mark.parametrize("suite", (c.SUITE_NULL, *SUITES))
def test_no_two_channels_share_a_key_or_an_iv(suite: int) -> None:
    root = Root(suite, b"r" * 32)
    seen: set[bytes] = set()
    count = 0
    for of_client in (True, False):
        chain = KeyChain(root, of_client)
        for _ in range(50):
            link = chain.take()
            keys = link_keys(link, suite, True)
            values = [keys.send_iv, keys.receive_iv, *link_ids(link, suite, True)[:2]]
            if suite != c.SUITE_NULL:
                values += [keys.send_key, keys.receive_key, keys.send_secret, keys.receive_secret]
            seen.update(values)
            count += len(values)
    assert len(seen) == count


def test_the_keys_of_ports_are_not_those_of_the_control_connection() -> None:
    control = first_keys(c.SUITE_AES_128_GCM, True)
    link = KeyChain(root_of(control, True), True).take()
    keys = link_keys(link, c.SUITE_AES_128_GCM, True)
    used = {control.send_key, control.receive_key, control.send_secret, control.receive_secret}
    assert used.isdisjoint({keys.send_key, keys.receive_key, keys.send_secret, keys.receive_secret, link})


def test_a_chain_keeps_only_what_leads_onward() -> None:
    chain = KeyChain(Root(c.SUITE_AES_128_GCM, b"r" * 32), True)
    before = chain._secret
    link = chain.take()
    assert len({before, link, chain._secret}) == 3
    assert chain.__slots__ == ("_algorithm", "_secret")


def test_plaintext_has_only_ivs_that_tell_ports_apart() -> None:
    control = PacketKeys(c.SUITE_NULL, b"", b"client-iv--c", b"", b"server-iv--s")
    other = PacketKeys(c.SUITE_NULL, b"", b"server-iv--s", b"", b"client-iv--c")
    assert root_of(control, True) == root_of(other, False)
    keys = link_keys(KeyChain(root_of(control, True), True).take(), c.SUITE_NULL, True)
    assert (keys.send_key, keys.send_secret, keys.receive_secret) == (b"", b"", b"")
    assert not can_ratchet(keys)


def test_secrets_do_not_show_in_a_repr() -> None:
    assert "secret" not in repr(Root(c.SUITE_AES_128_GCM, b"x" * 32))


def test_the_derivation_is_the_documented_one_by_another_implementation() -> None:
    suite, root = c.SUITE_AES_128_GCM, bytes(range(32))
    chain = expand_label(root, b"fastmux port client", 32, suite)
    links = []
    for _ in range(2):
        links.append(expand_label(chain, b"fastmux port", 32, suite))
        chain = expand_label(chain, b"fastmux port next", 32, suite)
    ours = KeyChain(Root(suite, root), True)
    assert [ours.take(), ours.take()] == links
    client, server = (
        expand_label(links[1], label, 32, suite) for label in (b"fastmux port c", b"fastmux port s")
    )
    assert link_keys(links[1], suite, True) == traffic_keys(client, server, suite, True)
    ids = expand_label(links[1], b"fastmux port ids", 16, suite)
    assert link_ids(links[1], suite, False)[:2] == (ids[8:], ids[:8])
