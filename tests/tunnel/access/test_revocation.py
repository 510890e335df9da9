"""Certificates that count no more."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.certificates import Credential, issue_client, make_ca
from fastmux.security.identity import identity_of
from fastmux.tunnel.access import revocation
from fastmux.tunnel.access.revocation import (
    Revocations,
    expiry,
    parse_revoked,
    parse_serial,
    read_revocation_lists,
)

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
CA = make_ca("test CA")
LAPTOP = issue_client(CA, "laptop", ["laptop.example"])
PEER = identity_of(LAPTOP.certificate)


def crl(
    *revoked: Credential,
    ca: Credential = CA,
    signer: Credential | None = None,
    days: int = 1,
    is_delta: bool = False,
) -> bytes:
    """A revocation list of `ca` that ends in `days`."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(NOW - 10 * DAY).next_update(NOW + days * DAY)
    if is_delta:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
    return builder.sign((signer or ca).key, hashes.SHA256()).public_bytes(Encoding.PEM)


def files(directory: Path, *lists: bytes, ca: Credential = CA) -> tuple[Path, Path]:
    (directory / "crl.pem").write_bytes(b"".join(lists))
    (directory / "ca.pem").write_bytes(ca.certificate_pem)
    return directory / "crl.pem", directory / "ca.pem"


@pytest.mark.parametrize("identity", ["laptop", "laptop.example", PEER.pin])
def test_a_peer_is_revoked_by_any_of_its_names(identity: str) -> None:
    assert parse_revoked([identity], []).reason(PEER) == f"{identity} is revoked"
    assert parse_revoked(["other", "spiffe://a/*"], []).reason(PEER) == ""


def test_a_peer_is_revoked_by_its_serial_number_however_it_is_written() -> None:
    number = f"{LAPTOP.certificate.serial_number:x}"
    number = number.zfill(len(number) + len(number) % 2)
    colons = ":".join(number[place : place + 2] for place in range(0, len(number), 2))
    for text in (number, number.upper(), colons, "0x" + number):
        assert parse_revoked([], [text]).reason(PEER).endswith("is revoked")
    assert parse_revoked([], ["01"]).reason(PEER) == ""


def test_nobody_is_revoked_by_nothing() -> None:
    assert revocation.NOTHING_REVOKED.reason(PEER) == ""
    assert parse_revoked([], ["01"]).reason(PeerIdentity()) == ""


@pytest.mark.parametrize("text", ["", "xyz", "0a:", "0a::0b", "1234:5", "-1", "0a" * 21, "0x", "\u0661"])
def test_what_is_no_serial_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal, as"):
        parse_serial(text)


@given(st.text() | st.text(alphabet="0123456789abcdefx:", max_size=45))
def test_only_a_value_error_leaves_the_parser_of_serial_numbers(text: str) -> None:
    try:
        assert 0 <= parse_serial(text) < 2**160
    except ValueError:
        return


def test_revoking_everybody_is_refused() -> None:
    with pytest.raises(ValueError, match="remove the rules instead"):
        parse_revoked(["*"], [])


def test_so_many_are_revoked_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "MAX_REVOKED", 3)
    assert len(parse_revoked(["a", "b"], ["1"]).identities) == 2
    with pytest.raises(ValueError, match="more than 3 are revoked"):
        parse_revoked(["a", "b"], ["1", "2"])


def test_a_list_of_the_ca_revokes_its_certificates_and_no_other(tmp_path: Path) -> None:
    other = make_ca("other CA")
    lists = read_revocation_lists(*files(tmp_path, crl(LAPTOP)))
    assert "in the revocation list of CN=test CA" in Revocations(lists=lists).reason(PEER)
    phone = identity_of(issue_client(CA, "phone").certificate)
    assert Revocations(lists=lists).reason(phone) == ""
    foreign = {other.certificate.subject.public_bytes(): frozenset([LAPTOP.certificate.serial_number])}
    assert Revocations(lists=foreign).reason(PEER) == ""


def test_a_file_holds_the_lists_of_several_cas(tmp_path: Path) -> None:
    other = make_ca("other CA")
    path, cafile = files(tmp_path, crl(LAPTOP), crl(ca=other))
    cafile.write_bytes(CA.certificate_pem + other.certificate_pem)
    lists = read_revocation_lists(path, cafile)
    assert sorted(len(serials) for serials in lists.values()) == [0, 1]


def test_a_list_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    other = make_ca("test CA")  # the same name, another key
    for content, match in [
        (crl(signer=other), "not signed by a CA"),
        (crl(ca=make_ca("unknown")), "not signed by a CA"),
        (crl(days=-1), "out of date since"),
        (crl(is_delta=True), "a delta list"),
        (b"", "not a PEM file of revocation lists"),
        (CA.certificate_pem, "not a PEM file of revocation lists"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "cannot be read"),
    ]:
        with pytest.raises(ValueError, match=match):
            read_revocation_lists(*files(tmp_path, content))


def test_a_list_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "MAX_REVOKED", 1)
    assert read_revocation_lists(*files(tmp_path, crl(LAPTOP)))
    with pytest.raises(ValueError, match="more than 1"):
        read_revocation_lists(*files(tmp_path, crl(LAPTOP, issue_client(CA, "b"))))


def test_a_certificate_says_when_it_ends() -> None:
    assert expiry(PEER.certificate) == LAPTOP.certificate.not_valid_after_utc
