"""The ratchet of key updates, against the key schedule of `security` and a computation of its own."""

from __future__ import annotations

import hmac

import pytest

from fastmux import constants as c
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.ratchet import can_ratchet, next_keys
from fastmux.security import keys as schedule

SUITES = [
    (c.SUITE_AES_128_GCM, "sha256"),
    (c.SUITE_AES_256_GCM, "sha384"),
    (c.SUITE_CHACHA20_POLY1305, "sha256"),
]


def first_keys(suite: int, is_client: bool = True) -> PacketKeys:
    size = schedule.secret_size(suite)
    return schedule.traffic_keys(bytes(range(size)), bytes(range(100, 100 + size)), suite, is_client)


def expand(secret: bytes, label: bytes, size: int, name: str) -> bytes:
    """HKDF-Expand-Label for results of one block, written from the RFCs."""
    info = size.to_bytes(2, "big") + bytes([len(label) + 6]) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\x01", name).digest()[:size]


@pytest.mark.parametrize(("suite", "name"), SUITES)
def test_the_next_secrets_and_keys_are_those_of_the_wire_format(suite: int, name: str) -> None:
    before = first_keys(suite)
    after = next_keys(before)
    assert after.suite == suite
    assert after.send_secret == expand(before.send_secret, b"fastmux ku", len(before.send_secret), name)
    assert after.receive_secret == expand(before.receive_secret, b"fastmux ku", len(before.send_secret), name)
    assert (after.send_key, after.send_iv) == schedule.derive(after.send_secret, suite)
    assert (after.receive_key, after.receive_iv) == schedule.derive(after.receive_secret, suite)


@pytest.mark.parametrize(("suite", "name"), SUITES)
def test_both_ends_come_to_the_same_keys_and_never_to_the_same_twice(suite: int, name: str) -> None:
    client, server = first_keys(suite), first_keys(suite, is_client=False)
    seen = set()
    for _ in range(5):
        client, server = next_keys(client), next_keys(server)
        assert (client.send_key, client.send_iv) == (server.receive_key, server.receive_iv)
        assert (client.receive_key, client.receive_iv) == (server.send_key, server.send_iv)
        seen |= {client.send_key, client.receive_key}
    assert len(seen) == 10


def test_without_secrets_there_is_no_next_key() -> None:
    assert can_ratchet(first_keys(c.SUITE_AES_128_GCM))
    assert not can_ratchet(PacketKeys(c.SUITE_NULL, b"", bytes(12), b"", bytes(12)))
    assert not can_ratchet(PacketKeys(c.SUITE_AES_128_GCM, bytes(16), bytes(12), bytes(16), bytes(12)))
