"""The key schedule against published vectors and an independent computation."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from fastmux.constants import (
    HANDSHAKE_SALT,
    SUITE_AES_128_GCM,
    SUITE_AES_256_GCM,
    SUITE_CHACHA20_POLY1305,
)
from fastmux.security import keys


def test_expand_label_gives_the_vector_of_rfc_8448() -> None:
    secret = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    key = keys.expand_label(secret, b"key", 16, SUITE_AES_128_GCM)
    iv = keys.expand_label(secret, b"iv", 12, SUITE_AES_128_GCM)
    assert key.hex() == "3fce516009c21727d0f2e4e86ee403bc"
    assert iv.hex() == "5d313eb2671276ee13000b30"


def test_expand_label_gives_the_vector_of_rfc_9001() -> None:
    secret = bytes.fromhex("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea")
    key = keys.expand_label(secret, b"quic key", 16, SUITE_AES_128_GCM)
    assert key.hex() == "1f369613dd76d5467730efcbe3b1a22d"


def expand(secret: bytes, label: bytes, size: int, name: str) -> bytes:
    """HKDF-Expand-Label for results of one block, written from the RFCs."""
    info = size.to_bytes(2, "big") + bytes([len(label) + 6]) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\x01", name).digest()[:size]


@pytest.mark.parametrize(
    ("suite", "name", "key_size"),
    [
        (SUITE_AES_128_GCM, "sha256", 16),
        (SUITE_AES_256_GCM, "sha384", 32),
        (SUITE_CHACHA20_POLY1305, "sha256", 32),
    ],
)
def test_keys_come_from_a_secret_by_the_labels_of_the_wire_format(
    suite: int, name: str, key_size: int
) -> None:
    secret = bytes(range(keys.secret_size(suite)))
    assert keys.derive(secret, suite) == (
        expand(secret, b"fastmux key", key_size, name),
        expand(secret, b"fastmux iv", 12, name),
    )


def test_handshake_keys_follow_the_wire_format() -> None:
    secret = hmac.new(HANDSHAKE_SALT, b"\x83\x94\xc8\xf0\x3e\x51\x57\x08", hashlib.sha256).digest()
    client = expand(secret, b"client hs", 32, "sha256")
    result = keys.handshake_keys(b"\x83\x94\xc8\xf0\x3e\x51\x57\x08", is_client=True)
    assert result.suite == SUITE_AES_128_GCM
    assert result.send_key == expand(client, b"fastmux key", 16, "sha256")
    assert result.send_iv == expand(client, b"fastmux iv", 12, "sha256")


def test_handshake_keys_of_both_ends_match_crosswise() -> None:
    client = keys.handshake_keys(b"12345678", is_client=True)
    server = keys.handshake_keys(b"12345678", is_client=False)
    assert (client.send_key, client.send_iv) == (server.receive_key, server.receive_iv)
    assert (client.receive_key, client.receive_iv) == (server.send_key, server.send_iv)
    assert client.send_key != client.receive_key


def test_another_connection_id_gives_other_handshake_keys() -> None:
    one, other = (keys.handshake_keys(each, is_client=True) for each in (b"12345678", b"12345679"))
    assert one.send_key != other.send_key


def test_no_key_shows_in_the_repr_of_keys() -> None:
    result = keys.handshake_keys(b"12345678", is_client=True)
    assert repr(result) == "PacketKeys(suite=1)"
