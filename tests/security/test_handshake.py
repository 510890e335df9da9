"""TLS handshakes between two ends in memory: what works. What fails is in test_handshake_refusals.py."""

from __future__ import annotations

import gc
import itertools

import pytest
from OpenSSL import SSL

from fastmux.constants import (
    ALPN,
    SUITE_AES_128_GCM,
    SUITE_AES_256_GCM,
    SUITE_CHACHA20_POLY1305,
    SUITE_KEY_SIZES,
    VERSION_1,
)
from fastmux.exceptions import HandshakeError
from fastmux.security.certificates import issue_client, issue_server, make_ca
from fastmux.security.files import write_private_file
from fastmux.security.handshake import TLSHandshake
from fastmux.security.suites import SUITES
from security.support import (
    CONTEXT,
    HOST,
    RawEnd,
    World,
    completed,
    live_connections,
    pump,
    raw_context,
)

INTERNAL_ERROR = "name, role or pin did not pass"


def carry(source: TLSHandshake, sink: TLSHandshake) -> None:
    sink.receive(source.send())


def test_both_ends_complete_and_know_each_other(world: World) -> None:
    client, server = completed(world)
    assert client.is_complete and server.is_complete
    assert client.version == server.version == VERSION_1
    assert client.peer is not None and server.peer is not None
    assert (client.peer.common_name, client.peer.dns_names) == ("server", (HOST,))
    assert (server.peer.common_name, server.peer.dns_names) == ("laptop", ())


def test_nobody_is_known_before_completion(world: World) -> None:
    client, server = world.pair()
    client.start()
    server.start()
    server.receive(client.send())
    assert not server.is_complete and server.peer is None
    client.receive(server.send())
    assert client.is_complete and not server.is_complete


@pytest.mark.parametrize("size", [1, 7, 1200])
def test_bytes_may_come_in_pieces_of_any_size(world: World, size: int) -> None:
    client, server = world.pair()
    assert pump(client, server, size) == [None, None]
    assert client.packet_keys(CONTEXT).send_key == server.packet_keys(CONTEXT).receive_key


def test_the_keys_of_both_ends_match_crosswise(world: World) -> None:
    client, server = completed(world)
    mine, theirs = client.packet_keys(CONTEXT), server.packet_keys(CONTEXT)
    assert mine.suite == theirs.suite
    assert (mine.send_key, mine.send_iv) == (theirs.receive_key, theirs.receive_iv)
    assert (mine.receive_key, mine.receive_iv) == (theirs.send_key, theirs.send_iv)
    assert (mine.send_secret, mine.receive_secret) == (theirs.receive_secret, theirs.send_secret)
    assert mine.send_key != mine.receive_key and mine.send_iv != mine.receive_iv


def test_another_context_gives_other_keys(world: World) -> None:
    client, _ = completed(world)
    one, other = client.packet_keys(CONTEXT), client.packet_keys(bytes(32))
    assert one.send_key != other.send_key and one.receive_key != other.receive_key
    assert one == client.packet_keys(CONTEXT)


@pytest.mark.parametrize(
    ("name", "secret_size"),
    [
        ("TLS_AES_128_GCM_SHA256", 32),
        ("TLS_AES_256_GCM_SHA384", 48),
        ("TLS_CHACHA20_POLY1305_SHA256", 32),
    ],
)
def test_the_packet_suite_is_the_negotiated_one(world: World, name: str, secret_size: int) -> None:
    config = world.config("c", issue_client(world.ca, "laptop"), ciphers=(name,))
    client, server = world.pair(config)
    assert pump(client, server) == [None, None]
    keys = client.packet_keys(CONTEXT)
    assert keys.suite == SUITES[name] == server.packet_keys(CONTEXT).suite
    assert len(keys.send_key) == SUITE_KEY_SIZES[keys.suite]
    assert len(keys.send_secret) == secret_size and len(keys.send_iv) == 12


@pytest.mark.parametrize(
    ("client_first", "server_first", "chosen"),
    [
        ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", SUITE_AES_256_GCM),
        ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", SUITE_CHACHA20_POLY1305),
        ("TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", SUITE_CHACHA20_POLY1305),
        ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", SUITE_AES_128_GCM),
    ],
)
def test_the_server_prefers_unless_the_client_is_slow_at_aes(
    world: World, client_first: str, server_first: str, chosen: int
) -> None:
    client, server = world.pair(
        world.config("c", issue_client(world.ca, "laptop"), ciphers=(client_first, *without(client_first))),
        world.config(
            "s",
            issue_server(world.ca, "server", [HOST]),
            ciphers=(server_first, *without(server_first)),
        ),
    )
    assert pump(client, server) == [None, None]
    assert client.packet_keys(CONTEXT).suite == chosen


def without(name: str) -> list[str]:
    return [each for each in SUITES if each != name]


def test_each_end_learns_the_context_that_the_other_confirmed(world: World) -> None:
    client, server = completed(world)
    client.confirm(CONTEXT)
    assert server.peer_context is None
    for byte in client.send():
        server.receive(bytes([byte]))
    assert server.peer_context == CONTEXT
    server.confirm(bytes(32))
    carry(server, client)
    assert client.peer_context == bytes(32)


def test_the_client_may_confirm_in_the_flight_that_completes_the_server(world: World) -> None:
    client, server = world.pair()
    client.start()
    server.start()
    server.receive(client.send())
    client.receive(server.send())
    client.confirm(CONTEXT)
    carry(client, server)
    assert server.is_complete and server.peer_context == CONTEXT


def test_application_data_that_is_no_confirmation_fails(world: World) -> None:
    client = RawEnd(raw_context(world.ca, issue_client(world.ca, "laptop")), is_client=True)
    client.tls.set_alpn_protos([ALPN])
    server = TLSHandshake(world.server(), False)
    assert pump(client, server) == [None, None]
    client.tls.send(b"GET / HTTP/1.1")
    with pytest.raises(HandshakeError, match="something other than its confirmation"):
        server.receive(client.send())
    client.receive(server.send())
    assert client.tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN


@pytest.mark.parametrize("is_closed", [False, True])
def test_keys_and_confirmation_are_refused_before_completion_and_after_close(
    world: World, is_closed: bool
) -> None:
    client, server = world.pair()
    if is_closed:
        assert pump(client, server) == [None, None]
        client.close()
    with pytest.raises(HandshakeError, match="not complete, or was closed"):
        client.packet_keys(CONTEXT)
    with pytest.raises(HandshakeError, match="not complete, or was closed"):
        client.confirm(CONTEXT)


def test_a_handshake_starts_once(world: World) -> None:
    client, _ = world.pair()
    client.start()
    with pytest.raises(HandshakeError, match="started already"):
        client.start()


def test_close_drops_the_tls_connection_without_waiting_for_the_collector(world: World) -> None:
    gc.collect()
    gc.disable()
    try:
        before = live_connections()
        client, server = completed(world)
        assert live_connections() == before + 2
        client.close()
        assert live_connections() == before + 1
        server.close()
        assert live_connections() == before
    finally:
        gc.enable()


def test_what_waits_to_be_sent_outlives_close_and_later_bytes_are_ignored(world: World) -> None:
    client, server = completed(world)
    client.confirm(CONTEXT)
    client.close()
    carry(client, server)
    assert server.peer_context == CONTEXT
    client.receive(b"late")
    assert client.send() == b"" and client.peer is not None


def test_a_server_keeps_its_tickets_until_it_has_something_to_say(world: World) -> None:
    client, server = world.pair()
    client.start()
    server.start()
    server.receive(client.send())
    client.receive(server.send())
    server.receive(client.send())
    assert server.is_complete and server.send() == b""
    client.confirm(CONTEXT)
    carry(client, server)
    assert server.peer_context == CONTEXT and server.send() == b""
    server.confirm(CONTEXT)
    said = server.send()
    assert len(said) > 200, "OpenSSL makes tickets in any case, and what follows is sealed after them"
    client.receive(said)
    assert client.peer_context == CONTEXT


def test_tickets_are_taken_and_dropped(world: World) -> None:
    client = TLSHandshake(world.client(), True, HOST)
    context = raw_context(world.ca, issue_server(world.ca, "server", [HOST]))
    context.set_alpn_select_callback(lambda _, __: ALPN)
    server = RawEnd(context, is_client=False)
    client.start()
    server.start()
    server.receive(client.send())
    client.receive(server.send())
    server.receive(client.send())
    tickets = server.send()
    assert tickets, "OpenSSL sends tickets in any case"
    client.receive(tickets)
    assert client.is_complete and client.send() == b"" and client.peer_context is None


def test_an_alert_after_completion_goes_behind_the_tickets_and_is_understood(world: World) -> None:
    client, server = completed(world)
    with pytest.raises(HandshakeError, match="TLS failed"):
        server.receive(b"no record of TLS")
    alert = server.send()
    assert alert
    with pytest.raises(HandshakeError, match="the peer refused the handshake"):
        client.receive(alert)


def test_a_session_is_never_resumed(world: World) -> None:
    context = raw_context(world.ca, issue_client(world.ca, "laptop"))
    config = world.server()
    first, second = (RawEnd(context, is_client=True) for _ in range(2))
    for client in (first, second):
        client.tls.set_alpn_protos([ALPN])
    earlier = TLSHandshake(config, False)
    assert pump(first, earlier) == [None, None]
    earlier.confirm(CONTEXT)  # which brings the tickets with it
    first.receive(earlier.send())
    session = first.tls.get_session()
    assert session is not None
    second.tls.set_session(session)
    server = TLSHandshake(config, False)
    # Resumed, the client would send no certificate, and the server would know nobody.
    assert pump(second, server) == [None, None]
    assert server.peer is not None and server.peer.common_name == "laptop"


def test_the_first_bytes_after_completion_are_not_taken_for_a_plaintext_hello(world: World) -> None:
    _, server = completed(world)
    with pytest.raises(HandshakeError, match="TLS failed"):
        server.receive(b"fmxplain" + bytes(32))


def test_a_nine_certificate_chain_works(world: World) -> None:
    issuer = world.ca
    for number in range(8):
        issuer = make_ca(f"intermediate {number}", issuer=issuer)
    server = issue_server(issuer, "server", [HOST])
    assert len(server.chain) == 8
    assert pump(*world.pair(server=world.server(server))) == [None, None]


def test_the_root_is_not_sent(world: World) -> None:
    client = RawEnd(raw_context(world.ca, issue_client(world.ca, "laptop")), is_client=True)
    client.tls.set_alpn_protos([ALPN])
    server = TLSHandshake(world.server(), False)
    assert pump(client, server) == [None, None]
    assert len(client.tls.get_peer_cert_chain(as_cryptography=True) or []) == 1


def test_no_secret_shows_in_a_repr(world: World) -> None:
    client, server = completed(world)
    keys = client.packet_keys(CONTEXT)
    texts = [repr(each) for each in (client, server, keys, world.ca, client.peer)]
    secrets = [keys.send_key, keys.receive_key, keys.send_iv, keys.send_secret, keys.receive_secret]
    for secret, text in itertools.product(secrets, texts):
        assert secret and repr(secret) not in text and secret.hex() not in text
    assert "PRIVATE" not in "".join(texts)


def test_changed_files_are_used_by_the_next_handshake(world: World) -> None:
    server_config, client_config = world.server(), world.client()
    assert pump(*world.pair(client_config, server_config)) == [None, None]
    renewed = issue_server(world.ca, "renewed", [HOST])
    for name in ("server.pem", "server.key"):
        (world.directory / name).unlink()
    write_private_file(world.directory, "server.key", renewed.key_pem)
    write_private_file(world.directory, "server.pem", renewed.certificate_pem)
    client, server = world.pair(client_config, server_config)
    assert pump(client, server) == [None, None]
    assert client.peer is not None and client.peer.common_name == "renewed"
