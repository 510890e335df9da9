"""Certificates in a directory: issued, shown, renewed, never lost."""

from __future__ import annotations

import datetime
import os
import socket
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fastmux.security.certificates import issue_client, make_ca, make_credentials, write_credential
from fastmux.security.config import TLSConfig
from fastmux.security.handshake import TLSHandshake
from fastmux.tunnel import certs
from security.support import pump

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory as `fastmux init` makes it."""
    make_credentials(tmp_path / "d")
    return tmp_path / "d"


def connects(server: Path, client: Path, ca: Path, name: str) -> list[object]:
    """The errors of a handshake between two certificates of one CA, one an end."""
    ends = [TLSConfig(path, certs.key_path_of(path), ca) for path in (client, server)]
    return list(pump(TLSHandshake(ends[0], True, name), TLSHandshake(ends[1], False)))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_issued_certificates_connect_under_their_names(directory: Path) -> None:
    server = certs.issue(directory, "gw.example", role="server")
    client = certs.issue(directory, "laptop", names=["spiffe://corp/dev/ann"])
    assert connects(server.certificate, client.certificate, directory / "ca.pem", "gw.example") == [
        None,
        None,
    ]
    assert (server.facts.roles, server.facts.names) == (("server",), ("gw.example",))
    assert (client.facts.roles, client.facts.names) == (("client",), ("spiffe://corp/dev/ann",))
    assert mode(client.key) == mode(client.certificate) == 0o600


def test_one_certificate_is_enough_for_an_end_that_listens_and_connects(directory: Path) -> None:
    one = certs.issue(directory, "node-1.example", role="both")
    other = certs.issue(directory, "node-2", role="both", names=["node-2.example"])
    ca = directory / "ca.pem"
    assert set(one.facts.roles) == {"server", "client"}
    assert one.facts.names == ("node-1.example",)
    assert connects(one.certificate, other.certificate, ca, "node-1.example") == [None, None]
    assert connects(other.certificate, one.certificate, ca, "node-2.example") == [None, None]
    assert certs.renew(one.certificate).facts.roles == one.facts.roles


def test_a_server_takes_the_names_it_is_given(directory: Path) -> None:
    issued = certs.issue(directory, "gw", role="server", names=["gw.example", "192.0.2.7", "*.a.example"])
    assert issued.facts.subject == "gw"
    assert set(issued.facts.names) == {"gw.example", "192.0.2.7", "*.a.example"}


@pytest.mark.parametrize(
    "name", ["", ".a", "../a", "a/b", "a b", "a\n", "é", "x" * 65, "%u", "$(id)", "a\0b", "..", "."]
)
def test_a_name_that_leads_elsewhere_is_refused(directory: Path, name: str) -> None:
    before = sorted(directory.iterdir())
    with pytest.raises(ValueError, match="is not a name for certificates"):
        certs.issue(directory, name)
    assert sorted(directory.iterdir()) == before


def test_the_longest_name_is_issued_and_renewed(directory: Path) -> None:
    issued = certs.issue(directory, "x" * 64)
    assert certs.renew(issued.certificate, new_key=True).facts.subject == "x" * 64


def test_names_are_checked_before_anything_is_made(directory: Path) -> None:
    for name in ("a b", "*", "spiffe://a b", "x://"):
        with pytest.raises(ValueError, match="neither a host name"):
            certs.issue(directory, "new", role="server", names=[name])
    assert not (directory / "new.pem").exists()


def test_nothing_is_replaced_when_a_certificate_is_issued(directory: Path) -> None:
    certs.issue(directory, "laptop")
    (directory / "phone.key").write_text("precious")
    (directory / "link.pem").symlink_to(directory / "nowhere")
    for name in ("laptop", "phone", "link", "ca"):
        with pytest.raises(FileExistsError, match="cert renew"):
            certs.issue(directory, name)
    assert (directory / "phone.key").read_text() == "precious"
    assert not (directory / "nowhere").exists()


def test_a_directory_without_a_usable_ca_is_named_with_the_remedy(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="fastmux init"):
        certs.issue(tmp_path, "laptop")
    with pytest.raises(ValueError, match="fastmux cert renew"):
        certs.read_ca(directory, NOW + 4000 * DAY)
    (directory / "ca.key").chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        certs.issue(directory, "laptop")


def test_what_is_no_ca_issues_nothing(directory: Path) -> None:
    for suffix in (".pem", ".key"):
        (directory / f"ca{suffix}").write_bytes((directory / f"client{suffix}").read_bytes())
    with pytest.raises(ValueError, match="is not the certificate of a CA"):
        certs.issue(directory, "laptop")


def test_a_ca_with_a_key_that_is_not_its_own_or_of_another_kind_issues_nothing(directory: Path) -> None:
    key = directory / "ca.key"
    other = rsa.generate_private_key(65537, 2048)
    for content, match in [
        ((directory / "client.key").read_bytes(), "is not the key of the certificate beside it"),
        (other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "the tool that made it"),
        (
            b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
            "not an unencrypted private key",
        ),
    ]:
        key.write_bytes(content)
        with pytest.raises(ValueError, match=match) as refusal:
            certs.issue(directory, "laptop")
        assert "c2VjcmV0" not in str(refusal.value) and "secret" not in str(refusal.value)


@pytest.mark.skipif(os.name != "posix", reason="no permission bits")
def test_keys_are_not_made_where_others_can_write(directory: Path) -> None:
    directory.chmod(0o777)
    with pytest.raises(PermissionError, match="others can write in the directory"):
        certs.issue(directory, "laptop")


def test_a_renewed_certificate_is_the_same_for_longer(directory: Path) -> None:
    path = certs.issue(directory, "gw", role="server", names=["gw.example", "::1"], days=1).certificate
    key = certs.key_path_of(path).read_bytes()
    before = path.read_bytes()
    renewed = certs.renew(path, days=30)
    old, new = renewed.old_facts, renewed.facts
    assert (new.subject, new.names, new.roles, new.pin, new.issuer) == (
        old.subject, old.names, old.roles, old.pin, old.issuer,
    )  # fmt: skip
    assert new.serial != old.serial and new.ends - old.ends > 28 * DAY
    assert certs.key_path_of(path).read_bytes() == key
    assert renewed.kept == (path.with_name("gw.pem.old"),) and renewed.kept[0].read_bytes() == before
    assert connects(path, directory / "client.pem", directory / "ca.pem", "gw.example") == [None, None]
    assert sorted(each.name for each in directory.iterdir() if each.suffix == ".new") == []


def test_a_renewed_certificate_has_a_new_key_where_one_is_asked_for(directory: Path) -> None:
    path = directory / "client.pem"
    old_key = certs.key_path_of(path).read_bytes()
    renewed = certs.renew(path, new_key=True)
    assert renewed.facts.pin != renewed.old_facts.pin
    assert [kept.name for kept in renewed.kept] == ["client.key.old", "client.pem.old"]
    assert renewed.kept[0].read_bytes() == old_key
    assert mode(certs.key_path_of(path)) == mode(renewed.kept[0]) == 0o600
    assert connects(directory / "server.pem", path, directory / "ca.pem", "localhost") == [None, None]


@pytest.mark.skipif(os.name != "posix", reason="no permission bits")
def test_a_renewed_file_keeps_its_mode_and_loses_what_others_could_write(directory: Path) -> None:
    path = directory / "server.pem"
    for before, after in ((0o644, 0o644), (0o666, 0o644), (0o600, 0o600)):
        path.chmod(before)
        certs.renew(path)
        assert mode(path) == after


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root for chown")
def test_a_renewed_file_keeps_its_owner(directory: Path) -> None:
    """Guards a service that runs as its own user and whose certificates root renews."""
    path = directory / "server.pem"
    os.chown(path, 12345, 54321)
    certs.renew(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_a_renewed_ca_still_vouches_for_what_it_issued(directory: Path) -> None:
    path = directory / "ca.pem"
    renewed = certs.renew(path, days=5000)
    assert renewed.facts.pin == renewed.old_facts.pin and renewed.facts.roles == ("CA",)
    assert connects(directory / "server.pem", directory / "client.pem", path, "localhost") == [None, None]
    with pytest.raises(ValueError, match="fastmux init"):
        certs.renew(path, new_key=True)


def test_what_another_ca_issued_is_not_renewed(directory: Path) -> None:
    write_credential(directory, "foreign", issue_client(make_ca("fastmux CA"), "foreign"))
    with pytest.raises(ValueError, match="was not issued by the CA"):
        certs.renew(directory / "foreign.pem")
    assert not (directory / "foreign.pem.old").exists()


def test_a_link_is_not_renewed_through(directory: Path) -> None:
    (directory / "link.pem").symlink_to(directory / "server.pem")
    (directory / "link.key").write_bytes((directory / "server.key").read_bytes())
    (directory / "link.key").chmod(0o600)
    with pytest.raises(PermissionError, match="symbolic link"):
        certs.renew(directory / "link.pem")
    assert (directory / "link.pem").is_symlink()


@pytest.mark.parametrize(
    "left", ["client.pem.new", "client.key.new", "client.pem.old.new", "client.key.old.new"]
)
def test_a_renewal_begins_only_where_it_can_end(directory: Path, left: str) -> None:
    """Guards against a new key beside the old certificate."""
    (directory / left).touch()
    before = {path: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(FileExistsError, match="interrupted: remove it"):
        certs.renew(directory / "client.pem", new_key=True)
    assert {path: path.read_bytes() for path in directory.iterdir()} == before


def test_the_facts_are_safe_to_print(directory: Path) -> None:
    ca = certs.read_ca(directory)
    hostile = issue_client(ca, "a\x1b[2Jb").certificate
    assert certs.facts_of(hostile).subject == "a?[2Jb"
    facts = certs.facts_of(x509.load_pem_x509_certificate((directory / "server.pem").read_bytes()))
    assert facts.issuer == "fastmux CA"
    assert len(facts.serial.split(":")) in (19, 20) and facts.serial == facts.serial.lower()


def test_a_key_is_named_where_a_certificate_is_asked_for(directory: Path) -> None:
    with pytest.raises(ValueError, match="holds a private key"):
        certs.read_certificates(directory / "server.key")
    (directory / "text.pem").write_text("hello")
    with pytest.raises(ValueError, match="not a PEM file"):
        certs.read_certificates(directory / "text.pem")


def test_the_state_of_a_key_is_told_in_words(directory: Path) -> None:
    certificate = certs.read_certificates(directory / "server.pem")[0]
    assert certs.key_state(certificate, directory / "server.key") == "server.key beside it matches"
    assert "another certificate" in certs.key_state(certificate, directory / "client.key")
    assert certs.key_state(certificate, directory / "none.key") == "no none.key beside it"
    assert "not an unencrypted" in certs.key_state(certificate, directory / "server.pem")
    (directory / "server.key").chmod(0o640)
    assert "chmod 600" in certs.key_state(certificate, directory / "server.key")


def test_a_server_is_named_after_its_host_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Box.Example")
    assert certs.default_server_names() == ("localhost", "127.0.0.1", "::1", "box.example")
    monkeypatch.setattr(socket, "gethostname", lambda: "my box")
    assert certs.default_server_names() == ("localhost", "127.0.0.1", "::1")
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    assert certs.default_server_names() == ("localhost", "127.0.0.1", "::1")
