"""Making certificates: a CA, and what it signs for servers and clients.

Owns: what is in them, and the names of their files. May not know: connections, the command line.
"""

from __future__ import annotations

import datetime
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fastmux.security.files import make_private_directory, write_private_file
from fastmux.security.names import parse_pattern, printable

DEFAULT_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_FILE_NAMES: Final = ("ca", "server", "client")
DEFAULT_DAYS: Final = 365
DEFAULT_CA_DAYS: Final = 3650
_BACKDATE: Final = datetime.timedelta(hours=1)  # clocks of other machines may be behind
_SERVER_AUTH: Final = ExtendedKeyUsageOID.SERVER_AUTH
_CLIENT_AUTH: Final = ExtendedKeyUsageOID.CLIENT_AUTH
_MADE_ANEW: Final = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)  # they follow from the keys
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+", re.ASCII)


@dataclass(frozen=True)
class Credential:
    """A certificate, its key, and the intermediates below its root, issuer first."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        """The certificate and its intermediates, as a certfile holds them."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.chain))

    @property
    def key_pem(self) -> bytes:
        """The private key, unencrypted, as a keyfile holds it."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True)
class CredentialFiles:
    """Where `make_credentials` put the files."""

    ca: Path
    ca_key: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_ca(
    common_name: str = "fastmux CA",
    *,
    issuer: Credential | None = None,
    days: int = DEFAULT_CA_DAYS,
    now: datetime.datetime | None = None,
) -> Credential:
    """Make a CA with a P-256 key: a root, or an intermediate if it has an issuer.

    Raises ValueError for a name that X.509 does not take or less than one day.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    usage = _key_usage(signs_certificates=True)
    builder = _builder(common_name, key, issuer, days, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return _sign(builder.add_extension(usage, critical=True), key, issuer)


def issue_server(
    issuer: Credential,
    common_name: str,
    names: Iterable[str] = DEFAULT_NAMES,
    *,
    days: int = DEFAULT_DAYS,
    now: datetime.datetime | None = None,
) -> Credential:
    """Issue a server's certificate for `names` (host names, `*.` wildcards, addresses).

    It ends no later than its issuer. Raises ValueError for names that are none, or if there are
    none at all.
    """
    every = tuple(names)
    if not every:
        raise ValueError("a server's certificate needs at least one name")
    for name in every:
        host_name(name)
    return _issue(issuer, common_name, every, (_SERVER_AUTH,), days, now)


def issue_peer(
    issuer: Credential,
    common_name: str,
    names: Iterable[str] = DEFAULT_NAMES,
    *,
    days: int = DEFAULT_DAYS,
    now: datetime.datetime | None = None,
) -> Credential:
    """Issue a certificate for an end that both listens and connects: as `issue_server`, a client's too.

    Beside the hosts `names` may have URIs (`spiffe://…`), which say who it is, not where.
    """
    every = tuple(names)
    if all(_URI.fullmatch(name) for name in every):
        raise ValueError("a certificate for listening needs at least one host name or address")
    return _issue(issuer, common_name, every, (_SERVER_AUTH, _CLIENT_AUTH), days, now)


def issue_client(
    issuer: Credential,
    common_name: str,
    names: Iterable[str] = (),
    *,
    days: int = DEFAULT_DAYS,
    now: datetime.datetime | None = None,
) -> Credential:
    """Issue a client's certificate; its identity is `common_name`, and `names` if there are any.

    It ends no later than its issuer. Raises ValueError for names that are none.
    """
    return _issue(issuer, common_name, tuple(names), (_CLIENT_AUTH,), days, now)


def reissue(
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    issuer: Credential | None,
    *,
    days: int = DEFAULT_DAYS,
    now: datetime.datetime | None = None,
) -> Credential:
    """Issue a certificate again: the same subject, names, role and whatever else it says, a new period.

    `key` may be its own or a new one; without an issuer it signs itself, as a root does. It ends no
    later than its issuer. Raises ValueError for less than one day.
    """
    builder = _builder(certificate.subject, key, issuer, days, now)
    for extension in certificate.extensions:
        if not isinstance(extension.value, _MADE_ANEW):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    return _sign(builder, key, issuer)


def make_credentials(
    directory: Path, names: Iterable[str] = DEFAULT_NAMES, *, days: int = DEFAULT_DAYS
) -> CredentialFiles:
    """Make a CA, a server's and a client's certificate, each as `.pem` and `.key`, in `directory`.

    Every file has mode 0600 and a new directory 0700. Raises FileExistsError rather than replace
    a file, PermissionError for a directory that others can write in, ValueError for a name that
    is none.
    """
    ca = make_ca(days=max(days, DEFAULT_CA_DAYS))
    server = issue_server(ca, "server", names, days=days)
    client = issue_client(ca, "client", days=days)
    make_private_directory(directory)
    for path in (directory / f"{name}{suffix}" for name in _FILE_NAMES for suffix in (".pem", ".key")):
        if path.is_symlink() or path.exists():
            raise FileExistsError(
                f"{path} exists already: it is not replaced. With that CA "
                f"`fastmux cert issue NAME --server --name HOST --dir {shlex.quote(str(directory))}` makes a "
                "certificate for another server or name"
            )
    return CredentialFiles(
        *write_credential(directory, "ca", ca),
        *write_credential(directory, "server", server),
        *write_credential(directory, "client", client),
    )


def write_credential(directory: Path, name: str, credential: Credential) -> tuple[Path, Path]:
    """Write `name.pem` and `name.key`; return both paths. Raises FileExistsError, ValueError."""
    key_path = write_private_file(directory, f"{name}.key", credential.key_pem)
    return write_private_file(directory, f"{name}.pem", credential.certificate_pem), key_path


def general_name(name: str) -> x509.GeneralName:
    """Return a host name (`*.` may be in front), address or URI as an alternative name. Raises ValueError."""
    return x509.UniformResourceIdentifier(name) if _URI.fullmatch(name) else host_name(name)


def host_name(name: str) -> x509.DNSName | x509.IPAddress:
    """Return a host name (`*.` may be in front) or address as an alternative name: what a server is known by.

    Raises ValueError that says what to give.
    """
    if _URI.fullmatch(name):
        raise ValueError(
            f"{printable(name)!r} is a URI, and clients know a server by its host name or address: "
            "give that alone, such as gw.example or 192.0.2.7"
        )
    host = parse_pattern(name)
    return x509.DNSName(host) if isinstance(host, str) else x509.IPAddress(host)


def _issue(
    issuer: Credential,
    common_name: str,
    names: tuple[str, ...],
    roles: tuple[x509.ObjectIdentifier, ...],
    days: int,
    now: datetime.datetime | None,
) -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(common_name, key, issuer, days, now)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(roles), critical=False)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([general_name(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return _sign(builder, key, issuer)


def _builder(
    name: str | x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: Credential | None,
    days: int,
    now: datetime.datetime | None,
) -> x509.CertificateBuilder:
    if days < 1:
        raise ValueError(f"a certificate lasts at least one day, not {days}")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) if isinstance(name, str) else name
    now = now or datetime.datetime.now(datetime.UTC)
    end = now + datetime.timedelta(days=days)
    issuer_name, issuer_key = subject, key.public_key()
    if issuer is not None:
        issuer_name, issuer_key = issuer.certificate.subject, issuer.key.public_key()
        end = min(end, issuer.certificate.not_valid_after_utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _sign(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer: Credential | None
) -> Credential:
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    if issuer is None or issuer.certificate.issuer == issuer.certificate.subject:
        return Credential(certificate, key)  # a root is the peer's to have, never sent
    return Credential(certificate, key, (issuer.certificate, *issuer.chain))


def _key_usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
