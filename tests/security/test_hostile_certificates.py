"""Certificates that somebody made to get in (H13): each is refused before any application byte.

The end that shows them is OpenSSL alone, with everything allowed that can be; the simpler bad ones (none,
expired, another CA, self-signed, another name or role, too long a chain) are in `test_handshake_refusals.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from OpenSSL import SSL, crypto

from fastmux.constants import ALPN
from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.security.certificates import Credential, issue_server, make_ca
from fastmux.security.handshake import TLSHandshake
from security.support import CONTEXT, HOST, LATER, LONG_AGO, RawEnd, World, pump, raw_context

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")


class Maker:
    """Makes what `fastmux.security.certificates` would never make."""

    def __init__(self, issuer: Credential, names: list[str] | None = None) -> None:
        self.issuer = issuer
        self.names = [HOST] if names is None else names
        self.common_name = "server"
        self.key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = ec.generate_private_key(ec.SECP256R1())
        self.usages: list[ObjectIdentifier] = [SERVER, CLIENT]
        self.extensions: list[tuple[x509.ExtensionType, bool]] = []

    def certificate(self) -> x509.Certificate:
        """What it is told to make."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)]))
            .issuer_name(self.issuer.certificate.subject)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(LONG_AGO)
            .not_valid_after(LATER)
        )
        if self.usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.usages), critical=False)
        if self.names:
            names = x509.SubjectAlternativeName([x509.DNSName(name) for name in self.names])
            builder = builder.add_extension(names, critical=False)
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.issuer.key, hashes.SHA256())


def hostile(world: World, maker: Maker, *chain: x509.Certificate) -> SSL.Context:
    """A context with what the maker makes and any intermediates, that minds nothing by itself."""
    context = raw_context(world.ca)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.use_certificate(maker.certificate())
    context.use_privatekey(maker.key)
    for certificate in chain:
        context.add_extra_chain_cert(certificate)
    context.set_alpn_protos([ALPN])
    context.set_alpn_select_callback(lambda *_: ALPN)
    context.set_verify(SSL.VERIFY_NONE)
    return context


def shown_by_server(world: World, context: SSL.Context) -> HandshakeError:
    """The error of a client that such a server meets; it has no keys."""
    client = TLSHandshake(world.client(), True, HOST)
    errors = pump(client, RawEnd(context, is_client=False))
    return refused(client, errors[0])


def shown_by_client(world: World, context: SSL.Context) -> HandshakeError:
    """The error of a server that such a client meets; it has no keys."""
    server = TLSHandshake(world.server(), False)
    errors = pump(RawEnd(context, is_client=True), server)
    return refused(server, errors[1])


def refused(end: TLSHandshake, error: HandshakeError | None) -> HandshakeError:
    assert error is not None
    assert not end.is_complete and end.peer is None
    with pytest.raises(HandshakeError, match="not complete"):
        end.packet_keys(CONTEXT)
    return error


SHOWN = pytest.mark.parametrize("shown", [shown_by_server, shown_by_client])
Shown = Callable[[World, SSL.Context], HandshakeError]


def both(world: World, shown: Shown, maker: Maker, *chain: x509.Certificate) -> str:
    error = shown(world, hostile(world, maker, *chain))
    assert isinstance(error, AuthenticationError)
    return str(error)


@SHOWN
def test_the_hostile_end_gets_in_with_a_good_certificate(world: World, shown: Shown) -> None:
    """The test of the tests: it is the certificate that is refused below, and nothing else."""
    with pytest.raises(AssertionError):
        shown(world, hostile(world, Maker(world.ca)))


@SHOWN
@pytest.mark.parametrize(
    ("name", "usages", "message"),
    [
        ("no usage", [], "it has no extended key usage"),
        ("any usage", [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], "may not act as a"),
        ("another", [ExtendedKeyUsageOID.EMAIL_PROTECTION], "may not act as a"),
    ],
)
def test_a_certificate_without_its_role(
    world: World, shown: Shown, name: str, usages: list[ObjectIdentifier], message: str
) -> None:
    maker = Maker(world.ca)
    maker.usages = usages
    assert message in both(world, shown, maker)


@SHOWN
def test_an_extension_that_nobody_knows_and_that_is_critical(world: World, shown: Shown) -> None:
    maker = Maker(world.ca)
    maker.extensions = [(UNKNOWN, True)]
    assert "unhandled critical extension" in both(world, shown, maker)


@SHOWN
def test_an_extension_that_nobody_knows_and_that_is_not_critical_is_let_pass(
    world: World, shown: Shown
) -> None:
    maker = Maker(world.ca)
    maker.extensions = [(UNKNOWN, False)]
    with pytest.raises(AssertionError):
        shown(world, hostile(world, maker))


@SHOWN
def test_a_key_that_is_too_short(world: World, shown: Shown) -> None:
    maker = Maker(world.ca)
    maker.key = rsa.generate_private_key(65537, 1024)
    assert "its key is too short" in both(world, shown, maker)


@SHOWN
def test_a_leaf_that_signs_another_leaf(world: World, shown: Shown) -> None:
    """Whoever has any certificate of the CA is no CA by it."""
    own = Maker(world.ca)
    assert isinstance(own.key, ec.EllipticCurvePrivateKey)
    leaf = Credential(own.certificate(), own.key)
    both(world, shown, Maker(leaf), leaf.certificate)


@SHOWN
def test_a_ca_that_may_have_none_below_it(world: World, shown: Shown) -> None:
    own = Maker(world.ca)
    own.extensions = [(x509.BasicConstraints(ca=True, path_length=0), True)]
    assert isinstance(own.key, ec.EllipticCurvePrivateKey)
    upper = Credential(own.certificate(), own.key)
    lower = make_ca("lower", issuer=upper)
    both(world, shown, Maker(lower), lower.certificate, upper.certificate)


@SHOWN
def test_an_intermediate_of_the_same_name_with_another_key(world: World, shown: Shown) -> None:
    """A chain that looks right and is signed by somebody else."""
    twin = make_ca("test CA")
    assert "not signed by the CA" in both(world, shown, Maker(twin))


@SHOWN
def test_an_expired_intermediate(world: World, shown: Shown) -> None:
    middle = make_ca("middle", issuer=world.ca, days=1, now=LONG_AGO)
    text = both(world, shown, Maker(middle), middle.certificate)
    assert "the CA's certificate (middle) has expired" in text


@pytest.mark.parametrize(
    "names",
    [
        [],  # the CN is no name of a host (RFC 9525 §6.4.4)
        ["*"],
        ["*.example"],
        ["s*.example"],
        ["server.*"],
        ["*.server.example"],
        ["server.example.evil.example"],
        ["evil.server.example"],
        ["server.example\x00.evil.example"],
        ["\x00server.example"],
        ["server.example "],
        ["server.example.."],
    ],
)
def test_a_name_that_only_looks_like_the_servers(world: World, names: list[str]) -> None:
    maker = Maker(world.ca, names)
    maker.common_name = HOST
    text = both(world, shown_by_server, maker)
    assert f"not {HOST}" in text or "cannot be read" in text
    assert "\x00" not in text


@SHOWN
def test_ten_thousand_names_cost_no_more_than_the_limit_of_bytes(world: World, shown: Shown) -> None:
    maker = Maker(world.ca, [HOST, *(f"{number}.example" for number in range(10_000))])
    context = hostile(world, maker)
    began = time.process_time()
    error = shown(world, context)
    assert time.process_time() - began < 2.0
    assert "too large" in str(error) or "bytes of handshake" in str(error)


def heap() -> list[x509.Certificate]:
    """Forty certificates of another CA: some 25 KiB."""
    other = make_ca("other CA")
    return [issue_server(other, f"number {number}", ["a.example"]).certificate for number in range(40)]


@SHOWN
def test_certificates_beside_the_chain_are_taken_for_nothing(world: World, shown: Shown) -> None:
    with pytest.raises(AssertionError):
        shown(world, hostile(world, Maker(world.ca), *heap()))


@SHOWN
def test_a_heap_of_certificates_beside_the_chain_is_too_much(world: World, shown: Shown) -> None:
    error = shown(world, hostile(world, Maker(world.ca), *heap() * 5))
    assert "too large" in str(error) or "bytes of handshake" in str(error)


def test_what_the_peer_is_called_cannot_steer_a_log(world: World) -> None:
    maker = Maker(world.ca, ["other.example"])
    maker.common_name = "\x1b[2J\nserver.example " + "x" * 30
    text = both(world, shown_by_server, maker)
    assert text.isprintable() and len(text) < 500


def test_the_certificate_that_was_verified_is_the_one_whose_key_signed(world: World) -> None:
    """Somebody shows another's certificate, of which he has not the key."""
    context = raw_context(world.ca)
    good = issue_server(world.ca, "server", [HOST])
    context.use_certificate(good.certificate)
    with pytest.raises((SSL.Error, crypto.Error)):
        context.use_privatekey(make_ca("thief").key)
        context.check_privatekey()
