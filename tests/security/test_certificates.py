"""The certificates that fastmux makes."""

from __future__ import annotations

import datetime
import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from fastmux.security.certificates import (
    general_name,
    issue_client,
    issue_peer,
    issue_server,
    make_ca,
    make_credentials,
    reissue,
    write_credential,
)
from fastmux.security.config import TLSConfig
from fastmux.security.handshake import TLSHandshake
from security.support import NOW, pump

DAY = datetime.timedelta(days=1)
NAMES = ["ca", "ca_key", "server", "server_key", "client", "client_key"]


def test_made_credentials_connect_under_every_default_name(tmp_path: Path) -> None:
    files = make_credentials(tmp_path / "d")
    server = TLSConfig(files.server, files.server_key, files.ca)
    client = TLSConfig(files.client, files.client_key, files.ca)
    for host in ("localhost", "127.0.0.1", "::1"):
        ends = TLSHandshake(client, True, host), TLSHandshake(server, False)
        assert pump(*ends) == [None, None]


def test_the_files_have_their_names_and_are_private(tmp_path: Path) -> None:
    files = make_credentials(tmp_path / "d")
    paths = [getattr(files, name) for name in NAMES]
    assert [path.name for path in paths] == [
        "ca.pem", "ca.key", "server.pem", "server.key", "client.pem", "client.key",
    ]  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


@pytest.mark.parametrize("kept", NAMES)
def test_nothing_is_replaced_nor_made_beside_an_existing_file(tmp_path: Path, kept: str) -> None:
    files = make_credentials(tmp_path / "d")
    for name in NAMES:
        if name != kept:
            getattr(files, name).unlink()
    before = getattr(files, kept).read_bytes()
    with pytest.raises(FileExistsError, match="exists already"):
        make_credentials(tmp_path / "d")
    assert [path.read_bytes() for path in (tmp_path / "d").iterdir()] == [before]


def test_a_bad_name_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither a host name"):
        make_credentials(tmp_path / "d", ["good.example", "bad name"])
    assert not (tmp_path / "d").exists()


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType:
    value: x509.ExtensionType = certificate.extensions.get_extension_for_class(kind).value
    return value


def test_a_certificate_has_one_role_and_its_names() -> None:
    ca = make_ca()
    names = ["a.example", "*.b.example", "10.0.0.1", "::1"]
    server = issue_server(ca, "server", names).certificate
    client = issue_client(ca, "laptop").certificate
    usage = ExtendedKeyUsageOID
    assert extension(server, x509.ExtendedKeyUsage) == x509.ExtendedKeyUsage([usage.SERVER_AUTH])
    assert extension(client, x509.ExtendedKeyUsage) == x509.ExtendedKeyUsage([usage.CLIENT_AUTH])
    assert extension(server, x509.SubjectAlternativeName) == x509.SubjectAlternativeName(
        [
            x509.DNSName("a.example"),
            x509.DNSName("*.b.example"),
            x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
    )
    with pytest.raises(x509.ExtensionNotFound):
        extension(client, x509.SubjectAlternativeName)


def test_a_name_may_be_a_uri() -> None:
    certificate = issue_client(make_ca(), "ann", ["spiffe://corp.example/dev/ann"]).certificate
    assert extension(certificate, x509.SubjectAlternativeName) == x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier("spiffe://corp.example/dev/ann")]
    )
    for name in ("spiffe://", "spiffe://a b", "spiffe://\xe9", "://x", "a:b"):
        with pytest.raises(ValueError, match="neither a host name"):
            general_name(name)


def test_a_certificate_issued_again_says_the_same_for_another_period() -> None:
    ca = make_ca(now=NOW)
    first = issue_server(ca, "gw", ["gw.example", "::1"], days=1, now=NOW)
    again = reissue(first.certificate, first.key, ca, days=9, now=NOW)
    assert again.certificate.subject == first.certificate.subject
    assert again.certificate.serial_number != first.certificate.serial_number
    assert again.certificate.public_key() == first.certificate.public_key()
    assert again.certificate.not_valid_after_utc - first.certificate.not_valid_after_utc == 8 * DAY
    for each in first.certificate.extensions:
        assert each in list(again.certificate.extensions)


def test_a_certificate_issued_again_with_another_key_is_named_after_it() -> None:
    ca = make_ca()
    first = issue_client(ca, "laptop")
    key = issue_client(ca, "other").key
    again = reissue(first.certificate, key, ca).certificate
    expected = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    assert extension(again, x509.SubjectKeyIdentifier) == expected
    again.verify_directly_issued_by(ca.certificate)


def test_a_root_issued_again_signs_itself() -> None:
    ca = make_ca(now=NOW, days=5)
    again = reissue(ca.certificate, ca.key, None, days=50, now=NOW).certificate
    again.verify_directly_issued_by(again)
    issue_client(ca, "laptop").certificate.verify_directly_issued_by(again)


def test_only_a_ca_may_sign() -> None:
    ca = make_ca()
    key = ca.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    for credential, is_ca in ((ca, True), (issue_client(ca, "laptop"), False)):
        constraints = extension(credential.certificate, x509.BasicConstraints)
        usage = extension(credential.certificate, x509.KeyUsage)
        assert isinstance(constraints, x509.BasicConstraints) and constraints.ca is is_ca
        assert isinstance(usage, x509.KeyUsage) and usage.key_cert_sign is is_ca


def test_a_certificate_lasts_its_days_and_no_longer_than_its_issuer() -> None:
    ca = make_ca(days=10, now=NOW)
    short = issue_client(ca, "a", days=2, now=NOW).certificate
    long = issue_client(ca, "b", days=100, now=NOW).certificate
    assert short.not_valid_after_utc == NOW.replace(microsecond=0) + datetime.timedelta(days=2)
    assert long.not_valid_after_utc == ca.certificate.not_valid_after_utc
    assert short.not_valid_before_utc < NOW


def test_a_server_is_for_hosts_only_and_its_wildcards_are_those_that_match() -> None:
    """Others were issued, and no client accepted them."""
    ca = make_ca()
    with pytest.raises(
        ValueError, match="'http://gw.example' is a URI, and clients know a server by its host"
    ):
        issue_server(ca, "gw", ["http://gw.example"])
    for issue in (issue_server, issue_peer, issue_client):
        with pytest.raises(ValueError, match=r"give \*\.NAME\.example, or the host names"):
            issue(ca, "gw", ["*.example"])
    with pytest.raises(ValueError, match="at least one host name or address"):
        issue_peer(ca, "node", ["spiffe://corp.example/node"])
    both = issue_peer(ca, "node", ["spiffe://corp.example/node", "node.example"]).certificate
    assert extension(both, x509.SubjectAlternativeName) == x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier("spiffe://corp.example/node"), x509.DNSName("node.example")]
    )


def test_what_makes_no_sense_is_refused() -> None:
    ca = make_ca()
    with pytest.raises(ValueError, match="at least one day, not 0"):
        issue_client(ca, "a", days=0)
    with pytest.raises(ValueError, match="at least one name"):
        issue_server(ca, "a", [])
    for name in ("*.10.0.0.1", "*", "a..b"):
        with pytest.raises(ValueError, match="neither a host name nor an IP address"):
            issue_server(ca, "a", [name])


def test_intermediates_go_into_the_certificate_file_and_the_root_does_not(tmp_path: Path) -> None:
    root = make_ca("root")
    middle = make_ca("middle", issuer=root)
    leaf = issue_client(make_ca("low", issuer=middle), "laptop")
    path, _ = write_credential(tmp_path, "leaf", leaf)
    names = [each.subject.rfc4514_string() for each in x509.load_pem_x509_certificates(path.read_bytes())]
    assert names == ["CN=laptop", "CN=low", "CN=middle"]


def test_the_key_of_a_credential_does_not_show_in_its_repr() -> None:
    assert "key" not in repr(make_ca("CA"))


def test_a_peers_certificate_does_for_a_server_and_for_a_client() -> None:
    ca = make_ca(now=NOW)
    issued = issue_peer(ca, "worker", ["worker.example", "10.0.0.1"], now=NOW).certificate
    usages = issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    with pytest.raises(ValueError, match="at least one host name"):
        issue_peer(ca, "worker", [])
