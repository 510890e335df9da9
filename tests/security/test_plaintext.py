"""The handshake without encryption."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

import fastmux
from fastmux.constants import SUITE_NULL, VERSION_1, VERSION_PLAINTEXT
from fastmux.exceptions import HandshakeError
from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.plaintext import PlaintextHandshake
from security.support import CONTEXT, HOST, World, pump

CLIENT_RANDOM, SERVER_RANDOM = b"c" * 32, b"s" * 32


def completed(size: int = 1 << 20) -> tuple[PlaintextHandshake, PlaintextHandshake]:
    client = PlaintextHandshake(True, CLIENT_RANDOM)
    server = PlaintextHandshake(False, SERVER_RANDOM)
    assert pump(client, server, size) == [None, None]
    return client, server


@pytest.mark.parametrize("size", [1, 9, 1200])
def test_both_ends_complete_anonymously_from_pieces_of_any_size(size: int) -> None:
    for end in completed(size):
        assert end.is_complete and end.peer == PeerIdentity() and end.version == VERSION_PLAINTEXT


def test_nobody_is_complete_before_the_peers_random_came() -> None:
    client = PlaintextHandshake(True, CLIENT_RANDOM)
    client.start()
    assert not client.is_complete and client.peer is None
    for call in (client.packet_keys, client.confirm):
        with pytest.raises(HandshakeError, match="not complete"):
            call(CONTEXT)


def test_the_ivs_are_those_of_the_wire_format_and_match_crosswise() -> None:
    client, server = completed()
    mine, theirs = client.packet_keys(CONTEXT), server.packet_keys(CONTEXT)
    data = CLIENT_RANDOM + SERVER_RANDOM + CONTEXT
    assert mine.send_iv == hashlib.sha256(b"fastmux plain client" + data).digest()[:12]
    assert mine.receive_iv == hashlib.sha256(b"fastmux plain server" + data).digest()[:12]
    assert (mine.send_iv, mine.receive_iv) == (theirs.receive_iv, theirs.send_iv)
    assert mine.suite == theirs.suite == SUITE_NULL
    assert mine.send_key == mine.receive_key == mine.send_secret == b""


def test_another_context_gives_other_ivs() -> None:
    client, _ = completed()
    assert client.packet_keys(CONTEXT).send_iv != client.packet_keys(bytes(32)).send_iv


def test_each_end_learns_the_context_that_the_other_confirmed() -> None:
    client, server = completed()
    client.confirm(CONTEXT)
    for byte in client.send():
        server.receive(bytes([byte]))
    server.confirm(bytes(32))
    client.receive(server.send())
    assert (server.peer_context, client.peer_context) == (CONTEXT, bytes(32))


def test_the_hello_and_the_confirmation_may_come_together() -> None:
    client = PlaintextHandshake(True, CLIENT_RANDOM)
    client.start()
    client.receive(b"fmxplain" + SERVER_RANDOM + b"fmx1" + CONTEXT)
    assert client.is_complete and client.peer_context == CONTEXT


def test_the_server_answers_a_hello_once() -> None:
    server = PlaintextHandshake(False, SERVER_RANDOM)
    server.start()
    assert server.send() == b""
    server.receive(b"fmxplain" + CLIENT_RANDOM)
    assert server.send() == b"fmxplain" + SERVER_RANDOM
    assert server.send() == b""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x16\x03\x01\x05\xa0", "the peer is set to TLS"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "the peer is set to TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "does not speak the plaintext handshake"),
        (b"fmxplaim" + bytes(32), "does not speak the plaintext handshake"),
        (b"fmxplain" + bytes(32) + b"x", "something other than its confirmation"),
        (b"fmxplain" + bytes(32) + b"fmx1" + bytes(33), "something other than its confirmation"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_anything_else_is_refused_and_what_follows_is_ignored(data: bytes, message: str, size: int) -> None:
    server = PlaintextHandshake(False, SERVER_RANDOM)
    server.start()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    with pytest.raises(HandshakeError, match=message):
        for piece in pieces:
            server.receive(piece)
    before = server.is_complete, server.peer_context
    server.receive(b"fmxplain" + CLIENT_RANDOM + b"fmx1" + CONTEXT)
    assert (server.is_complete, server.peer_context) == before


def test_after_close_bytes_are_ignored_and_what_waits_stays() -> None:
    client, server = completed()
    client.confirm(CONTEXT)
    client.close()
    server.receive(client.send())
    server.confirm(CONTEXT)
    client.receive(server.send())
    assert server.peer_context == CONTEXT and client.peer_context is None


def test_the_random_number_has_thirty_two_bytes() -> None:
    with pytest.raises(ValueError, match="32 random bytes, not 31"):
        PlaintextHandshake(True, bytes(31))


# --- it is asked for, or it is not there ----------------------------------------------------------------


@pytest.mark.parametrize("function", [fastmux.connect, fastmux.listen])
def test_nobody_gets_it_by_leaving_something_out(function: Callable[..., object]) -> None:
    tls = inspect.signature(function).parameters["tls"]
    assert tls.default is inspect.Parameter.empty
    assert tls.kind is inspect.Parameter.KEYWORD_ONLY


def test_the_command_does_not_know_it_but_for_the_demos_comparison() -> None:
    tunnel = Path(fastmux.__file__).parent / "tunnel"
    found = [path.name for path in tunnel.rglob("*.py") if "PLAINTEXT" in path.read_text("utf-8")]
    assert found == ["baseline.py"]


@pytest.mark.parametrize("is_client", [True, False])
def test_a_configuration_with_certificates_makes_none(world: World, is_client: bool) -> None:
    """The version, which goes into each packet and into the keys, is that of the configuration."""
    made = world.client().create_handshake(is_client, HOST)
    assert made.version == VERSION_1
    assert not isinstance(made, PlaintextHandshake)
