"""Reading who a certificate is for."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from fastmux.security.identity import describe, identity_of
from security.support import NOW

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(
    names: list[x509.GeneralName], *subject: tuple[x509.ObjectIdentifier, str]
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA")]))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256())


def test_every_kind_of_name_is_read() -> None:
    made = certificate(
        [
            x509.DNSName("a.example"),
            x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
            x509.UniformResourceIdentifier("spiffe://example/laptop"),
            x509.RFC822Name("someone@example.com"),
        ],
        (NameOID.COMMON_NAME, "laptop"),
    )
    identity = identity_of(made)
    assert identity.common_name == "laptop"
    assert identity.dns_names == ("a.example",)
    assert identity.ip_addresses == ("10.0.0.1",)
    assert identity.uris == ("spiffe://example/laptop",)
    assert identity.certificate == made.public_bytes(Encoding.DER)


def test_the_pin_is_the_hash_of_the_public_key() -> None:
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = base64.b64encode(hashlib.sha256(public).digest()).decode()
    assert identity_of(certificate([])).pin == f"sha256//{digest}"


def test_a_certificate_without_names_has_empty_fields() -> None:
    identity = identity_of(certificate([]))
    assert identity.common_name == "" and identity.dns_names == identity.uris == ()


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ([(NameOID.COMMON_NAME, "laptop")], "laptop"),
        ([(NameOID.ORGANIZATION_NAME, "Example")], "O=Example"),
        ([(NameOID.COMMON_NAME, "a\x1b[2J")], "a?[2J"),
        ([], "an empty subject"),
    ],
)
def test_a_certificate_is_described_in_safe_words(
    subject: list[tuple[x509.ObjectIdentifier, str]], text: str
) -> None:
    assert describe(certificate([], *subject)) == text
