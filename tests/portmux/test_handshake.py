"""The root of port keys leaves the handshake once, the same at both ends, whatever the handshake is."""

from __future__ import annotations

import pytest

from fastmux import PLAINTEXT, TLSConfig
from fastmux.aio.client import HandshakeMaker
from fastmux.exceptions import HandshakeError
from fastmux.portmux.handshake import ExportingTls, KeyedPeer
from fastmux.portmux.keys import Root
from fastmux.protocol.handshake import Handshake, PeerIdentity

CONTEXT = bytes(range(32))


def shake(client: HandshakeMaker, server: HandshakeMaker) -> tuple[Handshake, Handshake]:
    """Both ends of a handshake that is done."""
    ends = (
        ExportingTls(client).create_handshake(True, "localhost"),
        ExportingTls(server).create_handshake(False),
    )
    for end in ends:
        end.start()
    for _ in range(10):
        for sender, receiver in (ends, ends[::-1]):
            receiver.receive(sender.send())
    assert all(end.is_complete for end in ends)
    return ends


def roots(ends: tuple[Handshake, Handshake]) -> list[Root]:
    found = []
    for end in ends:
        keys = end.packet_keys(CONTEXT)
        peer = end.peer
        assert isinstance(peer, KeyedPeer)
        assert end.peer is peer
        root = peer.take_root()
        assert root.suite == keys.suite
        found.append(root)
        with pytest.raises(IndexError):
            peer.take_root()
    return found


def test_both_ends_of_tls_have_the_same_root_and_no_two_connections(
    client_tls: TLSConfig, server_tls: TLSConfig
) -> None:
    first, second = (roots(shake(client_tls, server_tls)) for _ in range(2))
    assert first[0] == first[1]
    assert second[0] == second[1]
    assert first[0] != second[0]


def test_plaintext_has_a_root_too() -> None:
    client, server = roots(shake(PLAINTEXT, PLAINTEXT))
    assert client == server


def test_the_peer_is_the_verified_one(client_tls: TLSConfig, server_tls: TLSConfig) -> None:
    client, server = shake(client_tls, server_tls)
    before = client.peer
    assert type(before) is PeerIdentity
    client.packet_keys(CONTEXT)
    after = client.peer
    assert isinstance(after, KeyedPeer)
    assert after.identity is before
    assert (after.certificate, after.dns_names, after.pin) == (
        before.certificate,
        before.dns_names,
        before.pin,
    )
    assert "secret" not in repr(after)
    assert server.version == client.version


def test_everything_else_passes_through(client_tls: TLSConfig, server_tls: TLSConfig) -> None:
    client, server = shake(client_tls, server_tls)
    for end in (client, server):
        end.packet_keys(CONTEXT)
        end.confirm(CONTEXT)
    server.receive(client.send())
    assert server.peer_context == CONTEXT
    with pytest.raises(HandshakeError):
        ExportingTls(PLAINTEXT).create_handshake(True).packet_keys(CONTEXT)
