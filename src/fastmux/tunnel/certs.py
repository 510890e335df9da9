"""Certificates in a directory: issued by the CA there, read, and renewed in place.

Owns: which files belong together, and what is said of a certificate. May not know: the command line; what is
in a certificate (`security.certificates`).
"""

from __future__ import annotations

import datetime
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from fastmux.security.certificates import (
    DEFAULT_CA_DAYS,
    DEFAULT_DAYS,
    DEFAULT_NAMES,
    Credential,
    general_name,
    host_name,
    issue_client,
    issue_peer,
    issue_server,
    reissue,
    write_credential,
)
from fastmux.security.files import (
    make_private_directory,
    read_certificate_file,
    read_key_file,
    replace_private_file,
)
from fastmux.security.identity import alternative_names, common_name, pin_of
from fastmux.security.names import parse_host, printable

Role: TypeAlias = Literal["client", "server", "both"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", re.ASCII)
_ROLES: Final = {ExtendedKeyUsageOID.SERVER_AUTH: "server", ExtendedKeyUsageOID.CLIENT_AUTH: "client"}


@dataclass(frozen=True, slots=True)
class Issued:
    """A new certificate and its key, and where they were written."""

    certificate: Path
    key: Path
    facts: Facts


@dataclass(frozen=True, slots=True)
class Renewed:
    """A renewed certificate, where the old one is kept, and what it was."""

    certificate: Path
    kept: tuple[Path, ...]
    facts: Facts
    old_facts: Facts


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says, safe to print; times are in UTC."""

    subject: str
    names: tuple[str, ...]
    roles: tuple[str, ...]  # of "CA", "server", "client"
    begins: datetime.datetime
    ends: datetime.datetime
    pin: str
    issuer: str
    serial: str


def facts_of(certificate: x509.Certificate) -> Facts:
    """Read a certificate. Raises ValueError if its extensions cannot be parsed."""
    names = alternative_names(certificate)
    every = [
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
    ]
    serial = f"{certificate.serial_number:x}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    return Facts(
        subject=printable(common_name(certificate) or certificate.subject.rfc4514_string()),
        names=tuple(printable(name) for name in every),
        roles=tuple(_roles(certificate)),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        pin=pin_of(certificate),
        issuer=printable(_issuer_name(certificate)),
        serial=":".join(serial[place : place + 2] for place in range(0, len(serial), 2)),
    )


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Read a PEM file of one certificate at least. Raises OSError, ValueError."""
    data = read_certificate_file(str(path))
    if b"PRIVATE KEY-----" in data:
        raise ValueError(f"{path} holds a private key: name the certificate, which is in its own file")
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise ValueError(f"{path} is not a PEM file of certificates: {error}") from error


def key_path_of(certificate: Path) -> Path:
    """Return where the key of a certificate is: `server.key` beside `server.pem`."""
    return certificate.with_suffix(".key")


def key_state(certificate: x509.Certificate, key_path: Path) -> str:
    """Say in words whether a key file is there, readable by its owner only, and this certificate's."""
    try:
        data = read_key_file(str(key_path))
        key = load_pem_private_key(data, None)
    except FileNotFoundError:
        return f"no {key_path.name} beside it"
    except OSError as error:
        return str(error)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return f"{key_path} is not an unencrypted private key in PEM form"
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form):
        return f"{key_path.name} beside it matches"
    return f"{key_path.name} beside it is the key of another certificate"


def default_server_names() -> tuple[str, ...]:
    """Return the names of a server's certificate: localhost, its addresses, and the name of this host."""
    try:
        host = parse_host(socket.gethostname())
    except ValueError:  # a name that no certificate takes, so nobody can connect by it either
        return DEFAULT_NAMES
    return tuple(dict.fromkeys((*DEFAULT_NAMES, str(host))))


def check_names(name: str, names: Iterable[str], role: Role = "client") -> None:
    """Refuse, with a ValueError, what `issue` would not take for `name` or one of `names`."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{printable(name)!r} is not a name for certificates: 1 to 64 letters, digits, '.', '_' and '-', "
            "not starting with a dot"
        )
    parse = host_name if role == "server" else general_name
    for each in names:
        parse(each)


def issue(
    directory: Path,
    name: str,
    *,
    role: Role = "client",
    names: Iterable[str] = (),
    days: int = DEFAULT_DAYS,
    now: datetime.datetime | None = None,
) -> Issued:
    """Issue `name.pem` and `name.key` in a directory with `ca.pem` and `ca.key`.

    `role` "both" is for an end that listens and connects. `names` are host names, addresses and (not for
    "server") URIs; who listens and has none gets `name` itself. The subject's CN is `name`: 1 to 64 letters,
    digits, `.`, `_` and `-`, the first no dot. Raises FileExistsError rather than replace a file, ValueError,
    OSError.
    """
    every = tuple(names)
    check_names(name, every, role)
    ca = read_ca(directory, now)
    make_private_directory(directory)  # it is there: this refuses one that others can write in
    for path in (directory / f"{name}.pem", directory / f"{name}.key"):
        if path.is_symlink() or path.exists():
            raise FileExistsError(
                f"{path} exists already; `fastmux cert renew` renews it for the same names; for others give "
                "the certificate another NAME and its hosts by --name"
            )
    if role == "client":
        credential = issue_client(ca, name, every, days=days, now=now)
    else:
        make = issue_server if role == "server" else issue_peer
        credential = make(ca, name, every or (name,), days=days, now=now)
    return Issued(*write_credential(directory, name, credential), facts_of(credential.certificate))


def renew(
    path: Path,
    *,
    directory: Path | None = None,
    new_key: bool = False,
    days: int | None = None,
    now: datetime.datetime | None = None,
) -> Renewed:
    """Issue the certificate in a file again and replace the file; what it was stays beside it as `.old`.

    Subject, names and role stay, and the key too, so that its pin still holds, unless a new one is asked for.
    The CA is in `directory`, by default the file's own. A CA's own certificate is renewed with the same key
    only: with another, nothing that it issued would be valid. Raises ValueError, OSError.
    """
    certificate, *chain = read_certificates(path)
    old = facts_of(certificate)
    is_ca = "CA" in old.roles
    if is_ca and (new_key or certificate.issuer != certificate.subject):
        what = "with a new key" if new_key else "that another CA signed"
        raise ValueError(f"{path} is a CA's certificate: to have one {what}, `fastmux init` a new directory")
    key_path = key_path_of(path)
    key = _read_ec_key(key_path, certificate) if not new_key else ec.generate_private_key(ec.SECP256R1())
    issuer = None if is_ca else read_ca(directory or path.parent, now)
    if issuer is not None:
        _check_issued(path, certificate, issuer)
    days = days or (DEFAULT_CA_DAYS if is_ca else DEFAULT_DAYS)
    credential = reissue(certificate, key, issuer, days=days, now=now)
    pem = credential.certificate_pem if not is_ca else _pem([credential.certificate, *chain])
    _check_leftovers([path, key_path])
    kept = []
    if new_key:  # the key first: until both are there, a server that reloads keeps the old pair and says so
        read_key_file(str(key_path))
        kept.append(replace_private_file(path.parent, key_path.name, credential.key_pem))
    kept.append(replace_private_file(path.parent, path.name, pem))
    return Renewed(path, tuple(kept), facts_of(credential.certificate), old)


def read_ca(directory: Path, now: datetime.datetime | None = None) -> Credential:
    """Read `ca.pem` and `ca.key`, which may sign and are valid. Raises ValueError, OSError."""
    path = directory / "ca.pem"
    try:
        certificate, *chain = read_certificates(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no CA in {directory} (no ca.pem); `fastmux init` makes one"
        ) from None
    facts = facts_of(certificate)
    if "CA" not in facts.roles:
        raise ValueError(f"{path} is not the certificate of a CA")
    if facts.ends <= (now or datetime.datetime.now(datetime.UTC)):
        raise ValueError(f"the CA in {path} ended at {facts.ends:%Y-%m-%d}: fastmux cert renew {path}")
    return Credential(certificate, _read_ec_key(directory / "ca.key", certificate), tuple(chain))


def _read_ec_key(path: Path, certificate: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    data = read_key_file(os.fspath(path))
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Without the cause: what it quotes of the file could be part of the key.
        raise ValueError(f"{path} is not an unencrypted private key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} is not a key that fastmux makes (ECDSA): use the tool that made it")
    if key.public_key() != certificate.public_key():
        raise ValueError(f"{path} is not the key of the certificate beside it")
    return key


def _check_issued(path: Path, certificate: x509.Certificate, issuer: Credential) -> None:
    try:
        certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, TypeError, InvalidSignature):
        name = printable(common_name(issuer.certificate))
        raise ValueError(f"{path} was not issued by the CA ({name}) that would renew it") from None


def _issuer_name(certificate: x509.Certificate) -> str:
    for attribute in certificate.issuer.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME):
        return str(attribute.value)
    return certificate.issuer.rfc4514_string()


def _check_leftovers(paths: Iterable[Path]) -> None:
    """Refuse to begin what could not be finished: a new key without its certificate would be of no use."""
    for path in (path.with_name(path.name + end) for path in paths for end in (".new", ".old.new")):
        if path.is_symlink() or path.exists():
            raise FileExistsError(f"{path} is left of a renewal that was interrupted: remove it")


def _roles(certificate: x509.Certificate) -> Iterable[str]:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            yield "CA"
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            yield from (_ROLES[usage] for usage in extension.value if usage in _ROLES)


def _pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)
