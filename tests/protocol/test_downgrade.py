"""No version but the one that both ends were set to: who meddles ends a handshake and changes none.

There is no negotiation in flight (wire-format §3.4), so the rules of RFC 9368 §4 shrink to these: a list
never leads to another version, and what was offered and chosen is part of what both ends compare inside TLS.
"""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import HandshakeError
from fastmux.protocol.negotiation import decode_versions
from network import Network, Node
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import Script, ScriptedHandshake
from protocol.test_endpoint import STRANGER, knock, unknown

GREASE = 0x1A2A3A4A


def listing(pair: Pair, *versions: int, source_id: bytes | None = None) -> bytes:
    """A version negotiation packet for the client of a pair: who saw its first packet can make it."""
    ids = pair.connection.ids
    source = ids.first if source_id is None else source_id
    header = core.encode_long_header(0, c.VERSION_NEGOTIATION, ids.local, source, b"", 0)
    return header + b"".join(version.to_bytes(4, "big") for version in versions)


def inject(pair: Pair, packet: bytes) -> None:
    pair.network.inject(packet, pair.server.address, pair.client)


@pytest.mark.parametrize(
    "versions",
    [(c.VERSION_1,), (GREASE, c.VERSION_1), (c.VERSION_PLAINTEXT, c.VERSION_1)],
    ids=["ours", "grease and ours", "plaintext and ours"],
)
def test_a_list_with_our_own_version_is_ignored(versions: tuple[int, ...]) -> None:
    """A server that speaks it would not have answered with a list (RFC 8999 §6)."""
    pair = make_pair()
    inject(pair, listing(pair, *versions))
    assert not pair.connection.is_closed
    pair.open()


@pytest.mark.parametrize("versions", [(), (GREASE,), (c.VERSION_PLAINTEXT,), (1, 2, 3)])
def test_a_list_without_it_ends_the_attempt_and_never_leads_to_another(versions: tuple[int, ...]) -> None:
    pair = make_pair()
    inject(pair, listing(pair, *versions))
    error = pair.client.closed(pair.connection)
    assert isinstance(error, HandshakeError)
    assert "does not speak version" in str(error)
    pair.network.run_for(20.0)
    assert not pair.server.accepted


def test_a_forged_list_after_any_answer_is_ignored() -> None:
    pair = make_pair()
    pair.network.run(lambda: pair.connection._data.liveness.last_seen > 100.0)
    inject(pair, listing(pair, c.VERSION_PLAINTEXT))
    pair.open()
    inject(pair, listing(pair, c.VERSION_PLAINTEXT))
    assert transfer(pair, b"x") == b"x"


def test_a_list_from_elsewhere_or_for_other_ids_is_ignored() -> None:
    pair = make_pair()
    pair.network.inject(listing(pair, GREASE), STRANGER, pair.client)
    inject(pair, listing(pair, GREASE, source_id=b"not ours"))
    assert not pair.connection.is_closed
    pair.open()


def test_a_list_sent_to_a_server_is_a_stray_and_not_answered() -> None:
    pair = make_pair().open()
    network, before = pair.network, pair.network.datagrams
    header = core.encode_long_header(0, c.VERSION_NEGOTIATION, b"nobodys!", b"me------", b"", 0)
    network.inject(header.ljust(1200, b"\0"), STRANGER, pair.server)
    header = core.encode_long_header(0, c.VERSION_NEGOTIATION, pair.accepted.ids.local, b"me------", b"", 0)
    network.inject(header.ljust(1200, b"\0"), pair.client.address, pair.server)
    assert network.datagrams == before
    assert transfer(pair, b"x") == b"x"


def answers_of(version: int, packet: bytes) -> list[tuple[int, ...]]:
    """The lists that a server of this version answers a packet with."""
    network = Network()
    script = Script(version=version)
    node: Node = network.add("server", accept=lambda: ScriptedHandshake(False, script))
    sent: list[bytes] = []

    def keep(index: int, data: bytes) -> bool:
        sent.append(data)
        return True

    network.drop = keep
    network.inject(packet, STRANGER, node)
    headers = [core.parse_long_header(data, 0, len(data)) for data in sent]
    assert all(header.version == c.VERSION_NEGOTIATION for header in headers)
    assert node.endpoint.connections == 0
    return [decode_versions(header, data) for header, data in zip(headers, sent, strict=True)]


@pytest.mark.parametrize("served", [c.VERSION_1, c.VERSION_PLAINTEXT])
def test_a_server_lists_what_it_serves_and_nothing_else(served: int) -> None:
    """Least of all PLAINTEXT beside TLS."""
    other = c.VERSION_PLAINTEXT if served == c.VERSION_1 else c.VERSION_1
    for version in (other, GREASE, 1):
        assert answers_of(served, unknown(version=version)) == [(served,)]


def test_a_version_that_was_changed_on_the_way_ends_the_attempt() -> None:
    """The server lists its own, which the client knows that it asked for: nothing comes of either."""
    pair = make_pair()

    def change(index: int, data: bytes) -> bool:
        if data[0] & c.FORM_LONG and data[1:5] == c.VERSION_1.to_bytes(4, "big"):
            changed = data[:1] + GREASE.to_bytes(4, "big") + data[5:]
            pair.network.inject(changed, pair.client.address, pair.server)
            return True
        return False

    pair.network.drop = change
    pair.network.run(lambda: pair.connection.is_closed)
    assert "no answer" in str(pair.client.closed(pair.connection))
    assert pair.server.endpoint.counters()["accepted"] == 0


def test_a_tls_client_and_a_plaintext_server_do_not_meet_whoever_helps_them() -> None:
    """The version in every packet is rewritten both ways, so that each end sees its own."""
    network = Network()
    script = Script(version=c.VERSION_PLAINTEXT)
    server = network.add("server", accept=lambda: ScriptedHandshake(False, script))
    client = network.add("client")
    connection = client.endpoint.connect(server.address, ScriptedHandshake(True), network.now)
    pending: list[bytes] = []

    def take(index: int, data: bytes) -> bool:
        pending.append(data)
        return True

    network.drop = take
    ours, theirs = (v.to_bytes(4, "big") for v in (c.VERSION_1, c.VERSION_PLAINTEXT))
    for _ in range(100):
        network.run_for(0.2)
        taken = pending.copy()
        pending.clear()
        for data in taken:
            if data[1:5] == ours:
                network.inject(data[:1] + theirs + data[5:], client.address, server)
            elif data[1:5] == theirs:
                network.inject(data[:1] + ours + data[5:], server.address, client)
    assert not connection.has_opened
    assert not server.accepted
    assert isinstance(client.closed(connection), HandshakeError)


def test_both_ends_bind_the_version_to_their_keys() -> None:
    """Where one end's chosen version differs, be it by a bug, nothing opens."""
    pair = make_pair(
        script=Script(suite=c.SUITE_AES_128_GCM),
        client_script=Script(suite=c.SUITE_AES_128_GCM, version=c.VERSION_PLAINTEXT),
    )
    pair.network.run(lambda: pair.connection.is_closed)
    assert not pair.server.accepted
    assert isinstance(pair.client.closed(pair.connection), HandshakeError)


def test_a_knock_of_our_version_is_no_reason_for_a_list() -> None:
    network = Network()
    node = network.add("server", accept=lambda: ScriptedHandshake(False))
    network.inject(knock(), STRANGER, node)
    assert node.endpoint.counters()["unknown_version"] == 0
    assert node.endpoint.counters()["accepted"] == 1
