"""What `check-config` finds, beyond what the file itself says."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from fastmux.security.certificates import make_credentials
from fastmux.tunnel.certs import read_ca
from fastmux.tunnel.settings.configuration import InvalidConfiguration, parse_configuration
from fastmux.tunnel.settings.configuration_check import Findings, check

TLS = "[tls]\ncert = 'server.pem'\nkey = 'server.key'\nca = 'ca.pem'\n"
ALLOW = "[[allow]]\nidentity = 'laptop'\nrules = ['10.0.0.0/8:22', 'listen:127.0.0.1:2200-2299']\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory as `fastmux init` makes it."""
    make_credentials(tmp_path / "d")
    return tmp_path / "d"


def find(directory: Path, text: str, days: int = 0) -> Findings:
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return check(parse_configuration(text.encode(), directory / "f.toml"), now)


def test_a_server_that_is_in_order_has_no_warning(directory: Path) -> None:
    found = find(directory, "[server]\nlisten = '4433'\nmetrics = '9101'\n" + TLS + ALLOW)
    assert found.warnings == ()
    assert found.lines == (
        "listen   *:4433",
        "metrics  127.0.0.1:9101",
        "allow    laptop=10.0.0.0/8:22",
        "allow    laptop=listen:127.0.0.1:2200-2299",
    )


def test_a_client_is_told_what_it_forwards_and_no_password(directory: Path) -> None:
    text = (
        "[client]\nserver = 'gw'\n[[client.forward]]\ntype = 'local'\nlisten = '53'\nto = 'd:53/udp'\n"
        "[[client.forward]]\ntype = 'socks5'\nlisten = '1080'\nusers = { ann = 'hidden' }\n"
    )
    found = find(directory, text + TLS.replace("server", "client"))
    assert found == Findings(
        (
            "server   gw:4433",
            "local    127.0.0.1:53/udp to d:53/udp",
            "socks5   127.0.0.1:1080 with passwords (1)",
        ),
        (),
    )


@pytest.mark.parametrize(
    ("text", "days", "warning"),
    [
        ("[server]\n" + TLS, 0, "no [[allow]]: `fastmux serve` does not start"),
        ("[server]\n" + ALLOW, 0, "[tls] lacks cert, key, ca: to be given as --cert --key --ca"),
        (
            "[server]\n" + TLS.replace("server", "client") + ALLOW,
            0,
            "may not act as a server: it is for client",
        ),
        (
            "[client]\n[[client.forward]]\ntype = 'socks5'\nlisten = '*:1080'\n"
            + TLS.replace("server", "client"),
            0,
            "the SOCKS5 proxy at *:1080 is open",
        ),
        ("[client]\n" + TLS, 0, "may not act as a client: it is for server"),
        ("[server]\n" + TLS + ALLOW, 340, "the certificate of server ends in "),
        ("[server]\n" + TLS + ALLOW, 400, "the certificate of server ended at "),
        (
            "[server]\n" + TLS + ALLOW.replace("laptop", "*").replace("10.0.0.0/8", "*"),
            0,
            "may reach any host",
        ),
        (
            "[server]\n" + TLS + ALLOW.replace("laptop", "*").replace("127.0.0.1", "*"),
            0,
            "may listen on any host",
        ),
    ],
)
def test_what_deserves_a_second_look_is_a_warning(
    directory: Path, text: str, days: int, warning: str
) -> None:
    found = find(directory, text, days)
    assert len(found.warnings) == 1 and warning in found.warnings[0]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"neither \[server\] nor \[client\]"),
        ("[server]\n" + TLS.replace("server.key", "client.key"), "is not the key of"),
        ("[server]\n" + TLS.replace("server.pem", "server.key"), "not a PEM file of certificates"),
        ("[server]\n" + TLS + "[revoked]\ncrl = 'ca.pem'", "not a PEM file of revocation lists"),
    ],
)
def test_what_could_not_be_used_is_an_error(directory: Path, text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        find(directory, text)


def test_a_revocation_list_is_read_as_it_will_be_used(directory: Path) -> None:
    ca = read_ca(directory)
    now = datetime.datetime.now(datetime.UTC)
    entry = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(now).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject).last_update(now)
    builder = builder.next_update(now + datetime.timedelta(days=1)).add_revoked_certificate(entry)
    pem = builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (directory / "crl.pem").write_bytes(pem)
    found = find(directory, "[server]\n" + TLS + ALLOW + "[revoked]\ncrl = 'crl.pem'")
    assert found.lines[-1] == f"revoked  1 in {directory}/crl.pem"


def test_files_that_are_not_there_or_too_open_are_an_error(directory: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find(directory, "[server]\n" + TLS.replace("ca.pem", "none.pem"))
    (directory / "server.key").chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        find(directory, "[server]\n" + TLS)


def test_the_error_is_one_of_configuration(directory: Path) -> None:
    with pytest.raises(InvalidConfiguration):
        find(directory, "")
