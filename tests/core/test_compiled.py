"""What only the compiled core has: its own copy of the numbers, its checksum, and two ways to an AEAD."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import load_core
from fastmux import constants

NUMBERS = Path(__file__).parents[2] / "src/fastmux/_pxi/_constants.pxi"
NUMBER = re.compile(r"^    ([A-Z][A-Z0-9_]+) = (-?\w+)$", re.MULTILINE)
MACRO = re.compile(r"#define (\w+) (\d+)LL")
SUITES = [constants.SUITE_AES_128_GCM, constants.SUITE_AES_256_GCM, constants.SUITE_CHACHA20_POLY1305]
HEADER = b"@12345678\0\0\0\7"
IV = bytes(range(12))


@pytest.fixture
def compiled() -> ModuleType:
    """The compiled core."""
    return load_core("cython")


@pytest.fixture
def fallback(compiled: ModuleType) -> Iterator[ModuleType]:
    """The compiled core as it is where the interpreter's libcrypto cannot be reached."""
    found = vars(compiled)["_aead_backend"]
    vars(compiled)["_aead_backend"] = "cryptography"
    yield compiled
    vars(compiled)["_aead_backend"] = found


def test_its_numbers_are_those_of_the_constants() -> None:
    numbers = {name: int(value, 0) for name, value in NUMBER.findall(NUMBERS.read_text("utf-8"))}
    assert len(numbers) > 100
    assert numbers == {name: getattr(constants, name) for name in numbers}


def test_its_large_numbers_are_those_of_the_constants() -> None:
    macros = {name: int(value) for name, value in MACRO.findall(NUMBERS.read_text("utf-8"))}
    assert macros == {
        "FM_MAX_VARINT": constants.MAX_VARINT,
        "FM_MAX_CHANNELS_LIMIT": constants.MAX_CHANNELS_LIMIT,
        "FM_MAX_SIZE_SETTING": constants.MAX_SIZE_SETTING,
        "FM_FAILURE_LIMIT": constants.CHACHA20_FAILURE_LIMIT,
    }


@given(payload=st.binary(max_size=400) | st.binary(min_size=1400, max_size=1500))
def test_its_checksum_is_that_of_zlib(payload: bytes) -> None:
    protection = load_core("cython").PacketProtection(constants.SUITE_NULL, b"", bytes(12))
    nonce = (5).to_bytes(12, "big")
    tag = zlib.crc32(nonce + HEADER + payload).to_bytes(4, "big") + nonce
    assert protection.seal(5, HEADER, payload) == payload + tag
    assert protection.open(5, HEADER, payload + tag) == payload


def test_the_interpreters_own_libcrypto_is_used_where_it_is_found(compiled: ModuleType) -> None:
    compiled.PacketProtection(constants.SUITE_AES_128_GCM, bytes(16), IV)
    assert vars(compiled)["_aead_backend"] in ("evp", "cryptography")


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("size", [0, 1, 1424])
def test_both_ways_to_an_aead_seal_the_same_bytes(compiled: ModuleType, suite: int, size: int) -> None:
    key, payload = bytes(range(constants.SUITE_KEY_SIZES[suite])), bytes(size)
    sealed = compiled.PacketProtection(suite, key, IV).seal(2**40, HEADER, payload)
    found, vars(compiled)["_aead_backend"] = vars(compiled)["_aead_backend"], "cryptography"
    try:
        other = compiled.PacketProtection(suite, key, IV)
    finally:
        vars(compiled)["_aead_backend"] = found
    assert other.seal(2**40, HEADER, payload) == sealed
    assert other.open(2**40, HEADER, sealed) == payload
    assert other.open(2**40 + 1, HEADER, sealed) is None


@pytest.mark.parametrize("suite", SUITES)
def test_a_connection_works_over_the_fallback_and_updates_its_keys(fallback: ModuleType, suite: int) -> None:
    from core.pump import Pump

    pump = Pump(fallback, suite=suite)
    stream = pump.client.open(constants.KIND_STREAM)
    for count in range(4):
        pump.supply(*pump.paths)
        pump.client.write(stream, bytes(range(256)) * 200)
        pump.pump()
        assert pump.server.read(stream, 10**6) == bytes(range(256)) * 200
        assert pump.server.counters()["key_updates"] == count
        assert pump.client.update_keys()
        pump.client.queue_control(0, b"\x01")
        pump.pump()
    pump.close()


def test_a_packet_sealed_from_the_applications_memory_is_that_of_a_copy(compiled: ModuleType) -> None:
    pure = load_core("python")
    trains = []
    for core in (compiled, pure):
        path = core.DataPath(True, b"12345678")
        path.set_keys(constants.SUITE_AES_128_GCM, bytes(16), IV, bytes(16), IV)
        path.set_peer(
            b"abcdefgh",
            max_data=10**6,
            max_channel_data=10**6,
            max_streams=1,
            max_message_channels=0,
            max_message_size=0,
            max_datagram_frame_size=0,
        )
        stream = path.open(constants.KIND_STREAM)
        for size in (5000, 1, 1023, 1024, 4096, 20000):
            path.write(stream, bytes(number % 251 for number in range(size)))
        train = bytearray(40000)
        size, _ = path.fill(train, 1452, 10**6, 1.0)
        trains.append(bytes(train[:size]))
        path.close()
    assert trains[0] == trains[1]
