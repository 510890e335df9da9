"""Refused TLS handshakes: the kind of error, its words, and what the other side hears."""

from __future__ import annotations

import contextlib
import gc
import itertools

import pytest
from OpenSSL import SSL

from fastmux.constants import (
    ALPN,
    MAX_HANDSHAKE_BUFFER,
    MAX_HANDSHAKE_BUFFER_AFTER,
)
from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.security.certificates import Credential, issue_client, issue_server, make_ca
from fastmux.security.handshake import TLSHandshake
from fastmux.security.plaintext import PlaintextHandshake
from security.support import (
    HOST,
    LATER,
    LONG_AGO,
    RawEnd,
    World,
    completed,
    live_connections,
    pump,
    raw_context,
)

INTERNAL_ERROR = "name, role or pin did not pass"


def check(
    errors: list[HandshakeError | None],
    refuser: int,
    kind: type[HandshakeError],
    message: str,
    other: str | None = None,
) -> None:
    """Assert who refused with which words, and what the other side heard."""
    refusal, heard = errors[refuser], errors[1 - refuser]
    assert type(refusal) is kind
    assert message in str(refusal)
    if other is not None:
        assert type(heard) is kind
        assert other in str(heard)


CLIENT, SERVER = 0, 1
OTHER_CA = make_ca("other CA")


def bad_client(world: World, what: str) -> Credential:
    return {
        "CA": lambda: issue_client(OTHER_CA, "laptop"),
        "expired": lambda: issue_client(world.ca, "laptop", days=1, now=LONG_AGO),
        "early": lambda: issue_client(world.ca, "laptop", days=1, now=LATER),
        "role": lambda: issue_server(world.ca, "laptop", [HOST]),
        "self-signed": lambda: make_ca("laptop"),
    }[what]()


def bad_server(world: World, what: str) -> Credential:
    return {
        "CA": lambda: issue_server(OTHER_CA, "server", [HOST]),
        "expired": lambda: issue_server(world.ca, "server", [HOST], days=1, now=LONG_AGO),
        "early": lambda: issue_server(world.ca, "server", [HOST], days=1, now=LATER),
        "role": lambda: issue_client(world.ca, "server", [HOST]),
        "self-signed": lambda: make_ca("server"),
        "name": lambda: issue_server(world.ca, "server", ["a.example", "10.0.0.1"]),
    }[what]()


BAD_CERTIFICATES = [
    ("CA", "is not signed by the CA in", "unknown CA"),
    ("expired", "has expired (not after ", "certificate expired"),
    ("early", "is not valid yet (not before ", "bad certificate"),
    ("self-signed", "is self-signed, not signed by the CA in", "unknown CA"),
]


@pytest.mark.parametrize(("what", "message", "other"), BAD_CERTIFICATES)
def test_a_bad_client_certificate_is_refused_and_both_ends_say_why(
    world: World, what: str, message: str, other: str
) -> None:
    client, server = world.pair(client=world.client(bad_client(world, what)))
    check(pump(client, server), SERVER, AuthenticationError, message, other)
    assert not server.is_complete and server.peer is None


@pytest.mark.parametrize(("what", "message", "other"), BAD_CERTIFICATES)
def test_a_bad_server_certificate_is_refused_and_both_ends_say_why(
    world: World, what: str, message: str, other: str
) -> None:
    client, server = world.pair(server=world.server(bad_server(world, what)))
    check(pump(client, server), CLIENT, AuthenticationError, message, other)
    assert not client.is_complete and not server.is_complete and client.peer is None


def test_a_server_certificate_may_not_act_as_a_client(world: World) -> None:
    errors = pump(*world.pair(client=world.client(bad_client(world, "role"))))
    message = "(laptop) may not act as a client (extended key usage: serverAuth)"
    check(errors, SERVER, AuthenticationError, message, "may not act in this role")


def test_a_client_certificate_may_not_act_as_a_server(world: World) -> None:
    errors = pump(*world.pair(server=world.server(bad_server(world, "role"))))
    message = "(server) may not act as a server (extended key usage: clientAuth)"
    check(errors, CLIENT, AuthenticationError, message, "may not act in this role")


def test_a_server_of_another_name_is_refused_and_its_names_are_listed(world: World) -> None:
    errors = pump(*world.pair(server=world.server(bad_server(world, "name"))))
    message = f"certificate is for a.example, 10.0.0.1, not {HOST}"
    check(errors, CLIENT, AuthenticationError, message, INTERNAL_ERROR)


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (["10.0.0.1"], "10.0.0.1"),
        (["::1"], "0:0:0:0:0:0:0:1"),
        (["*.example.com"], "a.example.com"),
        (["Server.Example"], "server.example."),
    ],
)
def test_a_server_may_be_named_by_address_wildcard_and_in_any_case(
    world: World, names: list[str], host: str
) -> None:
    server = TLSHandshake(world.server(issue_server(world.ca, "server", names)), False)
    assert pump(TLSHandshake(world.client(), True, host), server) == [None, None]


def test_the_configured_server_name_goes_before_the_one_connected_to(world: World) -> None:
    config = world.client()
    object.__setattr__(config, "server_hostname", HOST)
    assert pump(TLSHandshake(config, True, "10.9.8.7"), TLSHandshake(world.server(), False)) == [
        None,
        None,
    ]


def test_a_client_needs_a_name_to_expect(world: World) -> None:
    with pytest.raises(ValueError, match="needs the server's name"):
        TLSHandshake(world.client(), True)


def test_pins_admit_the_pinned_key_and_no_other(world: World) -> None:
    server_config = world.server()
    first, server = world.pair(server=server_config)
    assert pump(first, server) == [None, None] and first.peer is not None
    pins = (first.peer.pin,)
    good = world.config("pinned", issue_client(world.ca, "laptop"), pins=pins)
    assert pump(TLSHandshake(good, True, HOST), TLSHandshake(server_config, False)) == [None, None]
    other = world.config("server2", issue_server(world.ca, "server", [HOST]))
    errors = pump(TLSHandshake(good, True, HOST), TLSHandshake(other, False))
    check(errors, CLIENT, AuthenticationError, "none of the configured pins", INTERNAL_ERROR)


def test_a_server_with_pins_refuses_a_client_of_the_same_ca(world: World) -> None:
    pins = ("sha256//" + "A" * 43 + "=",)
    config = world.config("s", issue_server(world.ca, "server", [HOST]), pins=pins)
    errors = pump(*world.pair(server=config))
    check(errors, SERVER, AuthenticationError, "none of the configured pins", INTERNAL_ERROR)


def test_a_client_without_a_certificate_is_refused(world: World) -> None:
    client = RawEnd(raw_context(world.ca), is_client=True)
    client.tls.set_alpn_protos([ALPN])
    errors = pump(client, TLSHandshake(world.server(), False))
    check(errors, SERVER, AuthenticationError, "the peer sent no certificate")
    assert "certificate required" in client.reason


def test_a_client_of_another_protocol_is_refused_and_told(world: World) -> None:
    client = RawEnd(raw_context(world.ca, issue_client(world.ca, "laptop")), is_client=True)
    client.tls.set_alpn_protos([b"h2", b"evil\n"])
    errors = pump(client, TLSHandshake(world.server(), False))
    check(errors, SERVER, HandshakeError, "the peer speaks h2, evil?, not fastmux/1")
    assert "no application protocol" in client.reason


def test_a_refused_protocol_leaves_the_next_handshake_alone(world: World) -> None:
    config = world.server()
    client = RawEnd(raw_context(world.ca, issue_client(world.ca, "laptop")), is_client=True)
    client.tls.set_alpn_protos([b"h2"])
    pump(client, TLSHandshake(config, False))
    assert pump(*world.pair(server=config)) == [None, None]


def test_a_client_that_names_no_protocol_is_refused(world: World) -> None:
    client = RawEnd(raw_context(world.ca, issue_client(world.ca, "laptop")), is_client=True)
    server = TLSHandshake(world.server(), False)
    errors = pump(client, server)
    check(errors, SERVER, HandshakeError, "does not speak fastmux/1")
    assert not server.is_complete


def test_a_server_of_another_protocol_is_refused(world: World) -> None:
    server = RawEnd(raw_context(world.ca, issue_server(world.ca, "s", [HOST])), is_client=False)
    client = TLSHandshake(world.client(), True, HOST)
    check(pump(client, server), CLIENT, HandshakeError, "does not speak fastmux/1")
    assert not client.is_complete


def test_a_server_that_refuses_our_protocol_is_named_as_such(world: World) -> None:
    context = raw_context(world.ca, issue_server(world.ca, "s", [HOST]))

    def refuse(connection: SSL.Connection, offered: list[bytes]) -> bytes:
        raise ValueError("not this one")

    context.set_alpn_select_callback(refuse)
    server, client = RawEnd(context, is_client=False), TLSHandshake(world.client(), True, HOST)
    server.start()
    client.start()
    with pytest.raises(ValueError, match="not this one"):
        server.receive(client.send())
    with pytest.raises(HandshakeError, match="refused the handshake: it speaks another protocol"):
        client.receive(server.send())


def test_a_tls_1_2_client_is_refused_and_told(world: World) -> None:
    context = raw_context(world.ca, issue_client(world.ca, "laptop"))
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    client = RawEnd(context, is_client=True)
    errors = pump(client, TLSHandshake(world.server(), False))
    check(errors, SERVER, HandshakeError, "the peer does not offer TLS 1.3")
    assert "protocol version" in client.reason


def test_a_tls_1_2_server_is_refused(world: World) -> None:
    context = raw_context(world.ca, issue_server(world.ca, "s", [HOST]))
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    client = TLSHandshake(world.client(), True, HOST)
    errors = pump(client, RawEnd(context, is_client=False))
    check(errors, CLIENT, HandshakeError, "does not speak TLS 1.3")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff" * 100, "does not speak TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "it sent an HTTP request"),
        (bytes(100), "does not speak TLS"),
    ],
)
def test_bytes_that_are_no_tls_fail(world: World, data: bytes, message: str) -> None:
    server = TLSHandshake(world.server(), False)
    server.start()
    with pytest.raises(HandshakeError, match=message):
        server.receive(data)
    server.receive(data)
    assert not server.is_complete


@pytest.mark.parametrize("size", [1, 100])
def test_a_plaintext_peer_is_named_on_both_sides(world: World, size: int) -> None:
    plain = PlaintextHandshake(True, bytes(32))
    errors = pump(plain, TLSHandshake(world.server(), False), size)
    check(errors, SERVER, HandshakeError, "the peer is set to PLAINTEXT, this end to TLS")
    client = TLSHandshake(world.client(), True, HOST)
    errors = pump(client, PlaintextHandshake(False, bytes(32)), size)
    check(errors, SERVER, HandshakeError, "the peer is set to TLS, this end to PLAINTEXT")


def test_damage_anywhere_in_a_flight_never_ends_in_a_peer(world: World) -> None:
    server_config, client_config = world.server(), world.client()
    for position, mask in itertools.product(range(0, 2000, 97), (0x01, 0x80)):
        client, server = world.pair(client_config, server_config)
        client.start()
        server.start()
        server.receive(client.send())
        flight = bytearray(server.send())
        flight[position % len(flight)] ^= mask
        with contextlib.suppress(HandshakeError):
            client.receive(bytes(flight))
        assert not client.is_complete and client.peer is None


def test_a_peer_that_sends_too_much_is_stopped(world: World) -> None:
    server = TLSHandshake(world.server(), False)
    server.start()
    # One handshake record that promises 16 KiB, and never the end of its message.
    record = b"\x16\x03\x01\x40\x00" + b"\x01\x03\xff\xff" + bytes(16380)
    with pytest.raises(HandshakeError):
        for _ in range(MAX_HANDSHAKE_BUFFER // len(record) + 1):
            server.receive(record)
    assert not server.is_complete


def test_more_than_the_limit_after_completion_is_stopped(world: World) -> None:
    _, server = completed(world)
    # An unfinished record: OpenSSL waits for the rest and finds nothing wrong yet.
    with pytest.raises(HandshakeError, match="more than 16384 bytes"):
        server.receive(b"\x17\x03\x03\x40\x00" + bytes(MAX_HANDSHAKE_BUFFER_AFTER))


def test_a_certificate_chain_beyond_the_limit_is_stopped(world: World) -> None:
    names = [f"name-{number}.of-a-rather-long-domain.example" for number in range(2000)]
    errors = pump(*world.pair(server=world.server(issue_server(world.ca, "s", [HOST, *names]))))
    assert isinstance(errors[CLIENT], HandshakeError)
    assert "bytes of handshake" in str(errors[CLIENT]) or "too large" in str(errors[CLIENT])


def test_a_large_certificate_below_the_limit_works(world: World) -> None:
    names = [f"name-{number}.of-a-rather-long-domain.example" for number in range(900)]
    client, server = world.pair(server=world.server(issue_server(world.ca, "s", [HOST, *names])))
    assert pump(client, server) == [None, None]
    assert client.peer is not None and len(client.peer.dns_names) == 901


def test_an_error_drops_the_tls_connection_even_while_the_error_is_kept(world: World) -> None:
    client, server = world.pair(client=world.client(bad_client(world, "CA")))
    gc.collect()
    gc.disable()
    try:
        before = live_connections()
        errors = pump(client, server)
        assert live_connections() == before
    finally:
        gc.enable()
    check(errors, SERVER, AuthenticationError, "not signed by the CA", "unknown CA")


def test_a_chain_longer_than_ten_certificates_is_refused(world: World) -> None:
    issuer = world.ca
    for number in range(9):
        issuer = make_ca(f"intermediate {number}", issuer=issuer)
    errors = pump(*world.pair(server=world.server(issue_server(issuer, "server", [HOST]))))
    check(errors, 0, AuthenticationError, "chain is longer than 10 certificates")
