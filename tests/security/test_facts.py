"""Reading certificates once."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from fastmux.constants import MAX_FACTS_CERTIFICATE_SIZE, MAX_FACTS_CERTIFICATES
from fastmux.security.certificates import Credential, issue_client, issue_server, make_ca
from fastmux.security.facts import facts_of
from fastmux.security.identity import identity_of
from security.support import HOST, NOW

CA = make_ca("test CA")
SERVER = issue_server(CA, "server", [HOST])


def der(credential: Credential) -> bytes:
    return credential.certificate.public_bytes(Encoding.DER)


def another(serial: int, comment_size: int = 0) -> bytes:
    """A certificate that differs by its number, and is as large as one likes."""
    key, subject = SERVER.key, CA.certificate.subject
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.1"), bytes(comment_size)), False
        )
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_the_facts_are_what_the_certificate_says() -> None:
    facts = facts_of(der(SERVER))
    assert facts.identity == identity_of(SERVER.certificate)
    assert facts.usages == (ExtendedKeyUsageOID.SERVER_AUTH,)
    assert facts_of(der(issue_client(CA, "laptop"))).usages == (ExtendedKeyUsageOID.CLIENT_AUTH,)


def test_a_certificate_without_extended_key_usage_has_none_however_often_it_is_asked() -> None:
    facts = facts_of(der(CA))
    assert [facts.usages, facts.usages] == [None, None]


def test_the_same_bytes_are_read_once_and_others_never_stand_for_them() -> None:
    first = facts_of(der(SERVER))
    assert facts_of(bytes(bytearray(der(SERVER)))) is first
    other = facts_of(der(issue_server(CA, "server", [HOST])))
    assert other.identity.pin != first.identity.pin


def test_only_so_many_certificates_are_remembered_and_the_latest_stay() -> None:
    every = [another(serial) for serial in range(1, MAX_FACTS_CERTIFICATES + 2)]
    first = facts_of(every[0])
    for one in every[1:-1]:
        facts_of(one)
    assert facts_of(every[0]) is first
    for one in every[1:]:
        facts_of(one)
    assert facts_of(every[0]) is not first


def test_a_large_certificate_is_read_and_not_remembered() -> None:
    large = another(1, MAX_FACTS_CERTIFICATE_SIZE)
    facts = facts_of(large)
    assert facts.identity.certificate == large
    assert facts_of(large) is not facts


def test_what_is_no_certificate_is_a_value_error_every_time() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="parsing"):
            facts_of(b"no certificate")
