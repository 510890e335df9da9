"""Packet protection."""

from __future__ import annotations

import binascii
from typing import Any

import pytest

from fastmux.constants import (
    SUITE_AES_128_GCM,
    SUITE_AES_256_GCM,
    SUITE_CHACHA20_POLY1305,
    SUITE_KEY_SIZES,
    SUITE_NULL,
)

SUITES = [SUITE_NULL, SUITE_AES_128_GCM, SUITE_AES_256_GCM, SUITE_CHACHA20_POLY1305]
IV = bytes(range(12))


def protection(core: Any, suite: int) -> Any:
    return core.PacketProtection(suite, bytes(range(SUITE_KEY_SIZES[suite])), IV)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1200, 65_000])
def test_what_was_sealed_opens(core: Any, suite: int, size: int) -> None:
    sealed = protection(core, suite).seal(5, b"header", b"x" * size)
    assert len(sealed) == size + 16
    assert protection(core, suite).open(5, b"header", sealed) == b"x" * size


@pytest.mark.parametrize("suite", SUITES)
def test_any_change_keeps_it_shut(core: Any, suite: int) -> None:
    keys = protection(core, suite)
    sealed = keys.seal(5, b"header", b"payload")
    for at in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[at] ^= 1
        assert keys.open(5, b"header", damaged) is None
    assert keys.open(5, b"Header", sealed) is None
    assert keys.open(6, b"header", sealed) is None
    assert keys.open(5, b"header", sealed[:-1]) is None
    assert keys.open(5, b"header", b"") is None
    assert keys.open(5, b"header", sealed) == b"payload"


@pytest.mark.parametrize("suite", SUITES[1:])
def test_the_payload_is_hidden_and_the_key_matters(core: Any, suite: int) -> None:
    sealed = protection(core, suite).seal(5, b"header", b"payload payload")
    assert b"payload" not in sealed
    other = core.PacketProtection(suite, b"\xff" * SUITE_KEY_SIZES[suite], IV)
    assert other.open(5, b"header", sealed) is None


def test_the_null_suite_is_a_checksum_and_the_nonce(core: Any) -> None:
    nonce = IV[:4] + bytes(
        left ^ right for left, right in zip(IV[4:], (0x102).to_bytes(8, "big"), strict=True)
    )
    checksum = binascii.crc32(nonce + b"header" + b"payload").to_bytes(4, "big")
    assert protection(core, SUITE_NULL).seal(0x102, b"header", b"payload") == b"payload" + checksum + nonce


@pytest.mark.parametrize("suite", SUITES[1:])
def test_both_cores_and_the_library_agree(core: Any, suite: int) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

    key = bytes(range(SUITE_KEY_SIZES[suite]))
    cipher = ChaCha20Poly1305(key) if suite == SUITE_CHACHA20_POLY1305 else AESGCM(key)
    number = 2**62 - 1
    nonce = (int.from_bytes(IV, "big") ^ number).to_bytes(12, "big")
    sealed = protection(core, suite).seal(number, b"the header", b"the payload")
    assert sealed == cipher.encrypt(nonce, b"the payload", b"the header")


@pytest.mark.parametrize(
    ("suite", "key_size", "iv_size"), [(4, 16, 12), (1, 15, 12), (2, 16, 12), (1, 16, 11), (0, 1, 12)]
)
def test_an_unknown_suite_or_a_wrong_size_is_a_value_error(
    core: Any, suite: int, key_size: int, iv_size: int
) -> None:
    with pytest.raises(ValueError):
        core.PacketProtection(suite, bytes(key_size), bytes(iv_size))


def test_buffers_of_any_kind_are_taken(core: Any) -> None:
    keys = protection(core, SUITE_AES_128_GCM)
    sealed = keys.seal(1, memoryview(b"header"), bytearray(b"payload"))
    assert keys.open(1, bytearray(b"header"), memoryview(sealed)) == b"payload"
