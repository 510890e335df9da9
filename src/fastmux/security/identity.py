"""The peer's identity, read from its certificate.

Owns: which fields of a certificate name its holder. May not know: whether the certificate is to
be trusted.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.names import printable


def identity_of(certificate: x509.Certificate) -> PeerIdentity:
    """Read who a certificate is for. Raises ValueError if its names cannot be parsed."""
    names = alternative_names(certificate)
    return PeerIdentity(
        common_name=common_name(certificate),
        dns_names=tuple(names.get_values_for_type(x509.DNSName)),
        ip_addresses=tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
        uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
        pin=pin_of(certificate),
        certificate=certificate.public_bytes(Encoding.DER),
    )


def alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    """Return the subject alternative names, empty if there are none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def common_name(certificate: x509.Certificate) -> str:
    """Return the subject's (first) common name, "" if there is none."""
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        value = attribute.value
        return value if isinstance(value, str) else ""
    return ""


def pin_of(certificate: x509.Certificate) -> str:
    """Return `sha256//` and the base64 SHA-256 of the certificate's public key (RFC 7469 §2.4)."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode("ascii")


def describe(certificate: x509.Certificate) -> str:
    """Return a short, printable name of the certificate for an error message."""
    subject = common_name(certificate) or certificate.subject.rfc4514_string()
    return printable(subject or "an empty subject")
