"""Keys of handshake packets (docs/wire-format.md §5.2), held against the key schedule of `security`."""

from __future__ import annotations

import pytest

from fastmux import core
from fastmux.protocol.initial_keys import initial_protection
from fastmux.security import keys

FIRST_ID = bytes.fromhex("8394c8f03e515708")


@pytest.mark.parametrize("is_client", [True, False])
def test_the_keys_are_those_of_the_key_schedule(is_client: bool) -> None:
    sending, receiving = initial_protection(FIRST_ID, is_client)
    expected = keys.handshake_keys(FIRST_ID, is_client)
    other_end = core.PacketProtection(expected.suite, expected.send_key, expected.send_iv)
    assert sending.seal(7, b"header", b"payload") == other_end.seal(7, b"header", b"payload")
    peer = core.PacketProtection(expected.suite, expected.receive_key, expected.receive_iv)
    assert receiving.open(8, b"header", peer.seal(8, b"header", b"payload")) == b"payload"


def test_what_one_end_seals_the_other_opens_and_itself_does_not() -> None:
    client_sending, client_receiving = initial_protection(FIRST_ID, True)
    _, server_receiving = initial_protection(FIRST_ID, False)
    sealed = client_sending.seal(0, b"header", b"hello")
    assert server_receiving.open(0, b"header", sealed) == b"hello"
    assert client_receiving.open(0, b"header", sealed) is None


def test_another_first_id_gives_other_keys() -> None:
    sending, _ = initial_protection(FIRST_ID, True)
    _, receiving = initial_protection(b"another1", False)
    assert receiving.open(0, b"", sending.seal(0, b"", b"hello")) is None


def test_a_client_and_a_server_in_one_process_count_their_packets_apart() -> None:
    """What is remembered are keys, never the objects that count what was sealed under them."""
    first, second = initial_protection(FIRST_ID, True), initial_protection(FIRST_ID, True)
    assert first[0] is not second[0] and first[1] is not second[1]
