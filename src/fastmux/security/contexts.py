"""OpenSSL contexts: how every TLS connection is set up, and when its files are read anew.

Owns: the contexts, one per configuration, and the stamps of the files that they were made of. May
not know: a connection's state.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from fastmux.constants import ALPN, MAX_CHAIN_SIZE
from fastmux.exceptions import HandshakeError
from fastmux.security.config import TLSConfig
from fastmux.security.files import read_certificate_file, read_key_file
from fastmux.security.keylog import key_log
from fastmux.security.names import listed
from fastmux.security.suites import preferred_suites
from fastmux.security.verification import PeerVerifier, verify_callback

_PrivateKey = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)
_Stamp = tuple[tuple[int, int, int] | None, ...]

# The server prefers ChaCha20-Poly1305 to its own order where the client does: the slower of the
# two chooses.
# pyOpenSSL has no name for SSL_OP_PRIORITIZE_CHACHA; its value has been the same since OpenSSL
# 1.1.1.
_OP_PRIORITIZE_CHACHA: Final = 1 << 21

# What is sent is what the certfile holds: OpenSSL would add the root from the CA file, a third of a
# datagram that the peer has already. SSL_MODE_NO_AUTO_CHAIN, which pyOpenSSL does not name either.
_MODE_NO_AUTO_CHAIN: Final = 0x8

_logger = logging.getLogger("fastmux.security")
_lock = threading.Lock()


class NoCommonProtocol(Exception):
    """Raised in the ALPN callback: the only way to make pyOpenSSL send the alert."""


@dataclass(frozen=True)
class _Loaded:
    context: SSL.Context
    stamp: _Stamp


_loaded: weakref.WeakKeyDictionary[TLSConfig, _Loaded] = weakref.WeakKeyDictionary()


def context_for(config: TLSConfig) -> SSL.Context:
    """Return the context of a configuration, made anew if its files changed and `reload` is set.

    Files that changed but cannot be used (written only half so far) are logged once, and the old
    context stays. Raises ValueError for a file's content and OSError for a file the first time.
    """
    with _lock:
        old = _loaded.get(config)
        if old is not None and not config.reload:
            return old.context
        stamp = _stamp_of(config)  # before reading: a change while we read shows at the next handshake
        if old is not None and old.stamp == stamp:
            return old.context
        try:
            context = make_context(config)
        except (OSError, ValueError) as error:
            if old is None:
                raise
            _logger.warning("changed certificate files are not used, the old ones stay: %s", error)
            context = old.context
        _loaded[config] = _Loaded(context, stamp)
        return context


def _stamp_of(config: TLSConfig) -> _Stamp:
    return tuple(_file_stamp(path) for path in (config.certfile, config.keyfile, config.cafile))


def _file_stamp(path: str | os.PathLike[str]) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None  # reading it fails too, and says why
    return status.st_mtime_ns, status.st_size, status.st_ino


def make_context(config: TLSConfig) -> SSL.Context:
    """Make a context from a configuration's files, for both roles. Raises ValueError, OSError."""
    context = SSL.Context(SSL.TLS_METHOD)
    _restrict(context, config.ciphers or preferred_suites())
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify_callback)
    context.set_verify_depth(MAX_CHAIN_SIZE - 2)  # OpenSSL counts only what is between leaf and root
    context.set_alpn_protos([ALPN])
    context.set_alpn_select_callback(_select_protocol)
    if key_log() is not None:
        context.set_keylog_callback(_log_secret)
    chain = _read_certificates(os.fspath(config.certfile))
    key = _read_key(os.fspath(config.keyfile))
    store = context.get_cert_store()
    if store is None:
        raise ValueError("OpenSSL made a context without a certificate store")
    try:
        context.use_certificate(chain[0])
        for certificate in chain[1:]:
            context.add_extra_chain_cert(certificate)
        for certificate in _read_certificates(os.fspath(config.cafile)):
            store.add_cert(crypto.X509.from_cryptography(certificate))
        context.use_privatekey(key)
        context.check_privatekey()
    except (SSL.Error, crypto.Error) as error:
        if chain[0].public_key() != key.public_key():
            raise ValueError(f"{config.keyfile} is not the key of {config.certfile}") from error
        raise ValueError(f"OpenSSL does not take {config.certfile}: {error}") from error
    return context


def _log_secret(_: SSL.Connection, line: bytes) -> None:
    """Asks again each time: the context outlives the variable."""
    log = key_log()
    if log is not None:
        log.write(line)


def _restrict(context: SSL.Context, suites: tuple[str, ...]) -> None:
    """TLS 1.3 only; no resumption, no renegotiation, no compression.

    The key exchange groups are OpenSSL's own list: pyOpenSSL can only narrow it to one curve, and
    from OpenSSL 3.5 on it starts with the hybrid X25519MLKEM768, with X25519 and P-256 after it.
    """
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_options(
        SSL.OP_NO_TICKET
        | SSL.OP_NO_RENEGOTIATION
        | SSL.OP_NO_COMPRESSION
        | SSL.OP_CIPHER_SERVER_PREFERENCE
        | _OP_PRIORITIZE_CHACHA
    )
    context.set_mode(_MODE_NO_AUTO_CHAIN)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_tls13_ciphersuites(":".join(suites).encode("ascii"))


def _select_protocol(connection: SSL.Connection, offered: list[bytes]) -> bytes:
    if ALPN in offered:
        return ALPN
    verifier = connection.get_app_data()
    if isinstance(verifier, PeerVerifier):
        names = listed(name.decode("ascii", "replace") for name in offered)
        verifier.refuse(HandshakeError(f"the peer speaks {names}, not {ALPN.decode()}"))
    raise NoCommonProtocol


def _read_certificates(path: str) -> list[x509.Certificate]:
    data = read_certificate_file(path)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise ValueError(f"{path} is not a PEM file of certificates: {error}") from error


def _read_key(path: str) -> _PrivateKey:
    data = read_key_file(path)
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError as error:
        raise ValueError(f"key file {path} is encrypted: fastmux takes keys without a passphrase") from error
    except (ValueError, UnsupportedAlgorithm):
        # Without the cause: what it quotes of the file could be part of the key.
        raise ValueError(f"key file {path} is not a private key in PEM form") from None
    if not isinstance(key, _PrivateKey):
        raise ValueError(f"key file {path} has a kind of key that TLS 1.3 cannot sign with")
    return key
