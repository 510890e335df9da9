"""The judge of certificates alone; with OpenSSL it is tested in test_handshake.py."""

from __future__ import annotations

from unittest import mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto
from OpenSSL.SSL import X509VerificationCodes as Codes

from fastmux.exceptions import AuthenticationError
from fastmux.security.certificates import Credential, issue_client, issue_server, make_ca
from fastmux.security.names import parse_host
from fastmux.security.verification import PeerVerifier, verify_callback
from security.support import HOST, NOW

CA = make_ca("test CA")
SERVER = issue_server(CA, "server", [HOST])
CLIENT = issue_client(CA, "laptop")


def judged(credential: Credential) -> crypto.X509:
    return crypto.X509.from_cryptography(credential.certificate)


def without_usage() -> Credential:
    certificate = SERVER.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(CA.certificate.subject)
        .public_key(SERVER.key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(certificate.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    )
    return Credential(builder.sign(CA.key, hashes.SHA256()), SERVER.key)


def test_a_good_certificate_sets_the_identity_at_the_leaf_only() -> None:
    verifier = PeerVerifier(True, HOST)
    assert verifier.check(judged(CA), Codes.OK, 1, ok=True)
    assert verifier.identity is None
    assert verifier.check(judged(SERVER), Codes.OK, 0, ok=True)
    assert verifier.identity is not None and verifier.identity.dns_names == (HOST,)


def test_a_client_is_not_asked_for_a_name() -> None:
    verifier = PeerVerifier(False, None)
    assert verifier.check(judged(CLIENT), Codes.OK, 0, ok=True)


@pytest.mark.parametrize("is_client", [True, False])
def test_a_certificate_without_extended_key_usage_has_no_role(is_client: bool) -> None:
    verifier = PeerVerifier(is_client, HOST if is_client else None)
    assert not verifier.check(judged(without_usage()), Codes.OK, 0, ok=True)
    role = "server" if is_client else "client"
    assert str(verifier.refusal) == (
        f"the peer's certificate (server) may not act as a {role}: it has no extended key usage"
    )
    assert verifier.identity is None


@pytest.mark.parametrize(
    ("code", "depth", "message"),
    [
        (Codes.ERR_CERT_HAS_EXPIRED, 1, "the CA's certificate (server) has expired (not after 2"),
        (Codes.ERR_CERT_NOT_YET_VALID, 0, "is the clock of this machine right?"),
        (Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0, "not signed by the CA in ca.pem"),
        (Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN, 2, "not signed by the CA in ca.pem"),
        (Codes.ERR_CERT_SIGNATURE_FAILURE, 0, "not signed by the CA in ca.pem"),
        (Codes.ERR_CERT_CHAIN_TOO_LONG, 3, "longer than 10 certificates"),
        (Codes.ERR_PATH_LENGTH_EXCEEDED, 1, "does not verify: path length exceeded"),
        (Codes.ERR_INVALID_PURPOSE, 0, "has a key usage that forbids TLS"),
        (Codes.ERR_INVALID_PURPOSE, 1, "does not verify: invalid purpose"),
        (999, 0, "does not verify: OpenSSL error 999"),
    ],
)
def test_every_error_of_openssl_is_refused_with_its_reason(code: int, depth: int, message: str) -> None:
    verifier = PeerVerifier(True, HOST, cafile="ca.pem")
    assert not verifier.check(judged(SERVER), code, depth, ok=False)
    assert isinstance(verifier.refusal, AuthenticationError)
    assert message in str(verifier.refusal)


def test_a_certificate_too_deep_is_refused_even_if_openssl_liked_it() -> None:
    verifier = PeerVerifier(True, HOST)
    assert verifier.check(judged(CA), Codes.OK, 9, ok=True)
    assert not verifier.check(judged(CA), Codes.OK, 10, ok=True)


def test_after_a_refusal_nothing_passes_and_the_first_reason_stays() -> None:
    verifier = PeerVerifier(True, HOST)
    assert not verifier.check(judged(CA), Codes.ERR_CERT_HAS_EXPIRED, 1, ok=False)
    first = verifier.refusal
    assert not verifier.check(judged(SERVER), Codes.OK, 0, ok=True)
    assert not verifier.check(judged(CLIENT), Codes.ERR_INVALID_CA, 0, ok=False)
    assert verifier.refusal is first


def test_a_certificate_that_cannot_be_read_is_refused() -> None:
    verifier = PeerVerifier(True, HOST)
    with mock.patch.object(crypto, "dump_certificate", side_effect=ValueError("duplicate extension")):
        assert not verifier.check(judged(SERVER), Codes.OK, 0, ok=True)
    assert "cannot be read: duplicate extension" in str(verifier.refusal)


@pytest.mark.parametrize("host", ["other.example", "10.0.0.1"])
def test_the_refused_name_and_the_names_there_are_both_stand_in_the_reason(host: str) -> None:
    verifier = PeerVerifier(True, parse_host(host))
    assert not verifier.check(judged(SERVER), Codes.OK, 0, ok=True)
    assert str(verifier.refusal) == f"the peer's certificate is for {HOST}, not {host}"


def test_a_certificate_for_uris_only_is_said_to_be_that() -> None:
    verifier = PeerVerifier(True, parse_host(HOST))
    uris = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://corp.example/gw")])
    builder = x509.CertificateBuilder().subject_name(SERVER.certificate.subject)
    builder = builder.issuer_name(CA.certificate.subject).public_key(SERVER.key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(uris, critical=False).add_extension(usage, critical=False)
    made = builder.sign(CA.key, hashes.SHA256())
    assert not verifier.check(judged(Credential(made, SERVER.key)), Codes.OK, 0, ok=True)
    assert "is for no host (subject server, only spiffe://corp.example/gw)" in str(verifier.refusal)


def test_a_connection_without_a_verifier_is_refused() -> None:
    connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    assert not verify_callback(connection, judged(SERVER), Codes.OK, 0, 1)


def test_a_client_without_a_name_to_expect_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the server's name"):
        PeerVerifier(True, None)


def test_a_certificate_that_passed_before_is_judged_anew_in_every_respect() -> None:
    """What was read of a certificate is remembered; that it was good is not."""
    assert PeerVerifier(True, HOST).check(judged(SERVER), Codes.OK, 0, ok=True)
    for verifier in (
        PeerVerifier(False, None),  # another role
        PeerVerifier(True, "elsewhere.example"),
        PeerVerifier(True, HOST, ("sha256//" + 43 * "A" + "=",)),
    ):
        assert not verifier.check(judged(SERVER), Codes.OK, 0, ok=True)
        assert verifier.identity is None
    expired = PeerVerifier(True, HOST)
    assert not expired.check(judged(SERVER), Codes.ERR_CERT_HAS_EXPIRED, 0, ok=False)
    assert expired.identity is None
