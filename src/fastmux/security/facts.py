"""What certificates say, read once for each: peers come again, and reading X.509 costs more than checking it.

Owns: the certificates that were read lately, by their exact bytes. May not know: whether one is to be trusted
now (that is asked anew at every handshake), handshakes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography import x509

from fastmux.constants import MAX_FACTS_CERTIFICATE_SIZE, MAX_FACTS_CERTIFICATES
from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.identity import identity_of

_Usages = tuple[x509.ObjectIdentifier, ...]


class Facts:
    """One certificate and what it says. Nothing of it changes; each part is read when it is asked for.

    Every attribute raises ValueError if the certificate cannot be parsed so far.
    """

    __slots__ = ("_identity", "_usages", "certificate")

    def __init__(self, certificate: x509.Certificate) -> None:
        self.certificate: Final = certificate
        self._identity: PeerIdentity | None = None
        self._usages: tuple[_Usages | None] | None = None

    @property
    def identity(self) -> PeerIdentity:
        """Who it is for."""
        if self._identity is None:
            self._identity = identity_of(self.certificate)
        return self._identity

    @property
    def usages(self) -> _Usages | None:
        """Its extended key usages; None if it does not have the extension."""
        if self._usages is None:
            self._usages = (_usages_of(self.certificate),)
        return self._usages[0]


def _usages_of(certificate: x509.Certificate) -> _Usages | None:
    try:
        return tuple(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return None


def facts_of(der: bytes) -> Facts:
    """Read a certificate (DER), or remember it.

    Only for certificates whose chain has been verified: others could push those out that come again. Raises
    ValueError for what is no certificate.
    """
    return _read(der) if len(der) > MAX_FACTS_CERTIFICATE_SIZE else _remembered(der)


def _read(der: bytes) -> Facts:
    return Facts(x509.load_der_x509_certificate(der))


_remembered: Final = lru_cache(maxsize=MAX_FACTS_CERTIFICATES)(_read)
