"""The checks of the peer's certificate that OpenSSL leaves to us, and why it was refused, in words.

Owns: what the verify callback of a context decides: depth, name, role, pins. May not know:
contexts, handshakes; how a certificate is read (`facts`).
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto
from OpenSSL.SSL import X509VerificationCodes as Codes

from fastmux.constants import MAX_CHAIN_SIZE
from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.facts import Facts, facts_of
from fastmux.security.identity import describe
from fastmux.security.names import IPAddress, listed, matches

_EXPIRED: Final = frozenset({Codes.ERR_CERT_HAS_EXPIRED, Codes.ERR_CERT_NOT_YET_VALID})
_UNKNOWN_ISSUER: Final = frozenset(
    {
        Codes.ERR_UNABLE_TO_GET_ISSUER_CERT,
        Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        Codes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
        Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN,
        Codes.ERR_CERT_SIGNATURE_FAILURE,
        Codes.ERR_CERT_UNTRUSTED,
    }
)
_CODE_NAMES: Final = {
    value: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, value in vars(Codes).items()
    if name.startswith("ERR_")
} | {  # which pyOpenSSL has no names for: what OpenSSL's security level refuses
    66: "its key is too short",
    67: "the key of its CA is too short",
    68: "it is signed with a hash that is broken",
}
_ROLE_NAMES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
}


class PeerVerifier:
    """Judges the peer's certificates for one handshake.

    Invariant: `identity` is set only after OpenSSL found the whole chain good and the peer's own
    certificate passed name, role and pins; once `refusal` is set nothing passes any more.
    """

    def __init__(
        self,
        is_client: bool,
        host: str | IPAddress | None,
        pins: tuple[str, ...] = (),
        cafile: str = "the CA file",
    ) -> None:
        """`host` is the name that a server must have (for a client only, which must give one)."""
        if is_client and host is None:
            raise ValueError("a client needs the server's name: give server_hostname")
        self._is_client = is_client
        self._host = host
        self._pins = pins
        self._cafile = cafile
        self.identity: PeerIdentity | None = None
        self.refusal: HandshakeError | None = None

    def check(self, certificate: crypto.X509, code: int, depth: int, ok: bool) -> bool:
        """Judge one certificate of the chain: the root (largest depth) first, the peer's last."""
        try:
            der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
            reason = self._refusal_reason(der, code, depth, ok)
        except Exception as error:  # whatever cannot be read is not trusted
            reason = f"the peer's certificate cannot be read: {error}"
        if reason:
            self.refuse(AuthenticationError(reason))
        return self.refusal is None

    def refuse(self, error: HandshakeError) -> None:
        """Fix why this end refuses; the first reason stays."""
        if self.refusal is None:
            self.refusal = error

    def _refusal_reason(self, der: bytes, code: int, depth: int, ok: bool) -> str:
        if depth >= MAX_CHAIN_SIZE or code == Codes.ERR_CERT_CHAIN_TOO_LONG:
            return f"the peer's certificate chain is longer than {MAX_CHAIN_SIZE} certificates"
        if not ok:
            return self._chain_reason(x509.load_der_x509_certificate(der), code, depth)
        facts = facts_of(der)  # only here: nobody without the CA's signature can fill what it remembers
        if depth > 0:
            return ""
        reason = self._role_reason(facts) or self._name_reason(facts) or self._pin_reason(facts)
        if not reason:
            self.identity = facts.identity
        return reason

    def _chain_reason(self, certificate: x509.Certificate, code: int, depth: int) -> str:
        who = f"the {'CA' if depth else 'peer'}'s certificate ({describe(certificate)})"
        if code in _EXPIRED:
            return f"{who} {_validity_reason(certificate, code)}"
        if code == Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return f"{who} is self-signed, not signed by the CA in {self._cafile}"
        if code in _UNKNOWN_ISSUER:
            return f"{who} is not signed by the CA in {self._cafile}"
        if code == Codes.ERR_INVALID_PURPOSE and depth == 0:
            return self._role_reason(Facts(certificate)) or f"{who} has a key usage that forbids TLS"
        return f"{who} does not verify: {_CODE_NAMES.get(code, f'OpenSSL error {code}')}"

    def _role_reason(self, facts: Facts) -> str:
        role = "server" if self._is_client else "client"
        needed = ExtendedKeyUsageOID.SERVER_AUTH if self._is_client else ExtendedKeyUsageOID.CLIENT_AUTH
        usages = facts.usages
        if usages is None:
            return (
                f"the peer's certificate ({describe(facts.certificate)}) may not act as a {role}: "
                "it has no extended key usage"
            )
        if needed in usages:
            return ""
        names = listed(_ROLE_NAMES.get(usage, usage.dotted_string) for usage in usages)
        return (
            f"the peer's certificate ({describe(facts.certificate)}) may not act as a {role} "
            f"(extended key usage: {names})"
        )

    def _name_reason(self, facts: Facts) -> str:
        identity = facts.identity
        if self._host is None or matches(self._host, identity.dns_names, identity.ip_addresses):
            return ""
        names = listed((*identity.dns_names, *identity.ip_addresses))
        if not names:
            others = f"only {listed(identity.uris)}" if identity.uris else "no subject alternative name"
            names = f"no host (subject {describe(facts.certificate)}, {others})"
        return f"the peer's certificate is for {names}, not {self._host}"

    def _pin_reason(self, facts: Facts) -> str:
        pin = facts.identity.pin
        if not self._pins or pin in self._pins:
            return ""
        return f"the peer's public key is {pin}, which is none of the configured pins"


def _validity_reason(certificate: x509.Certificate, code: int) -> str:
    if code == Codes.ERR_CERT_HAS_EXPIRED:
        return f"has expired (not after {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC)"
    return (
        f"is not valid yet (not before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC): "
        "is the clock of this machine right?"
    )


def verify_callback(
    connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int
) -> bool:
    """The verify callback of every context: asks the `PeerVerifier` in the connection's app data.

    It never raises: pyOpenSSL would keep the exception for whichever connection of the context
    fails next.
    """
    verifier = connection.get_app_data()
    return isinstance(verifier, PeerVerifier) and verifier.check(certificate, code, depth, bool(ok))
