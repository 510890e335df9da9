"""Certificates that count no more before they end: by name, pin or serial number, or by a CA's list.

Owns: reading what is revoked, and whether a peer is. May not know: rules, connections, when it is asked.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.files import read_certificate_file
from fastmux.security.names import printable
from fastmux.tunnel.access.identity_patterns import IdentityKind, IdentityPattern, parse_identity
from fastmux.tunnel.constants import MAX_REVOKED

_SERIAL: Final = re.compile(r"(?:0x)?[0-9A-Fa-f]{1,2}(?::?[0-9A-Fa-f]{2}){0,19}|[0-9A-Fa-f]{1,40}", re.ASCII)
_PEM: Final = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\s*", re.DOTALL)
_SIGNERS: Final = (
    dsa.DSAPublicKey,
    rsa.RSAPublicKey,
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
)


@dataclass(frozen=True)
class Revocations:
    """What is revoked: identities, serial numbers of any issuer, and those of an issuer's list.

    `lists` maps the DER name of an issuer to the serial numbers that it revoked. Only a peer's own
    certificate is looked up, not those of intermediate CAs.
    """

    identities: tuple[IdentityPattern, ...] = ()
    serials: frozenset[int] = frozenset()
    lists: Mapping[bytes, frozenset[int]] = field(default_factory=dict)

    def reason(self, peer: PeerIdentity) -> str:
        """Say how a peer is revoked, "" if it is not. A peer without a certificate is not."""
        for pattern in self.identities:
            if pattern.matches(peer):
                return f"{pattern} is revoked"
        if not peer.certificate or not (self.serials or self.lists):
            return ""
        certificate = x509.load_der_x509_certificate(peer.certificate)
        serial, issuer = certificate.serial_number, certificate.issuer
        if serial in self.serials:
            return f"serial number {serial:x} is revoked"
        if serial in self.lists.get(issuer.public_bytes(), frozenset()):
            return f"serial number {serial:x} is in the revocation list of {describe_name(issuer)}"
        return ""


NOTHING_REVOKED: Final = Revocations()


def parse_revoked(identities: Iterable[str], serials: Iterable[str]) -> Revocations:
    """Parse names, URIs and pins, and serial numbers in hexadecimal (`0a:1b`, as openssl prints them).

    Raises ValueError.
    """
    patterns = tuple(_parse_identity(text) for text in identities)
    numbers = frozenset(parse_serial(text) for text in serials)
    if len(patterns) + len(numbers) > MAX_REVOKED:
        raise ValueError(f"more than {MAX_REVOKED} are revoked: a new CA is due")
    return Revocations(patterns, numbers)


def parse_serial(text: str) -> int:
    """Parse a certificate's serial number (RFC 5280 §4.1.2.2: at most 20 octets). Raises ValueError."""
    if not _SERIAL.fullmatch(text):
        raise ValueError(f"{printable(text)!r} is not a serial number: hexadecimal, as 0a:1b:2c or 0a1b2c")
    return int(text.replace(":", ""), 16)


def _parse_identity(text: str) -> IdentityPattern:
    pattern = parse_identity(text)
    if pattern.kind is IdentityKind.ANYBODY:
        raise ValueError("* would revoke everybody: remove the rules instead")
    return pattern


def read_revocation_lists(
    path: Path, cafile: Path, now: datetime.datetime | None = None
) -> dict[bytes, frozenset[int]]:
    """Read a PEM file of revocation lists (RFC 5280 §5), each signed by a CA in `cafile` and in force.

    Raises OSError, or ValueError for what is no list, has no known signer, is out of date or is a delta list.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    cas = x509.load_pem_x509_certificates(read_certificate_file(str(cafile)))
    data = read_certificate_file(str(path))
    blocks = _PEM.findall(data)
    if not blocks:
        raise ValueError(f"{path} is not a PEM file of revocation lists")
    lists: dict[bytes, frozenset[int]] = {}
    for block in blocks:
        try:
            revocation_list = x509.load_pem_x509_crl(block)
        except ValueError as error:
            raise ValueError(f"{path} has a revocation list that cannot be read: {error}") from error
        _check(path, revocation_list, cas, now)
        issuer = revocation_list.issuer.public_bytes()
        serials = frozenset(revoked.serial_number for revoked in revocation_list)
        lists[issuer] = lists.get(issuer, frozenset()) | serials
    if sum(map(len, lists.values())) > MAX_REVOKED:
        raise ValueError(f"{path} revokes more than {MAX_REVOKED} certificates")
    return lists


def _check(
    path: Path,
    revocation_list: x509.CertificateRevocationList,
    cas: list[x509.Certificate],
    now: datetime.datetime,
) -> None:
    who = f"the revocation list of {describe_name(revocation_list.issuer)} in {path}"
    issuers = [ca for ca in cas if ca.subject == revocation_list.issuer]
    if not any(_has_signed(ca, revocation_list) for ca in issuers):
        raise ValueError(f"{who} is not signed by a CA that fastmux was given")
    end = revocation_list.next_update_utc
    if end is not None and end < now:
        raise ValueError(f"{who} is out of date since {end:%Y-%m-%d %H:%M} UTC: fetch or make a new one")
    for extension in revocation_list.extensions:
        if isinstance(extension.value, x509.DeltaCRLIndicator):
            raise ValueError(f"{who} holds only what changed (a delta list): give the whole one")


def _has_signed(ca: x509.Certificate, revocation_list: x509.CertificateRevocationList) -> bool:
    key = ca.public_key()
    return isinstance(key, _SIGNERS) and revocation_list.is_signature_valid(key)


def describe_name(name: x509.Name) -> str:
    """Return a name of X.509 in a form that is safe to print."""
    return printable(name.rfc4514_string() or "an empty name")


def expiry(certificate: bytes) -> datetime.datetime:
    """Return when a DER certificate ends. Raises ValueError if it cannot be read."""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc
