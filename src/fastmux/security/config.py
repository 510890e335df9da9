"""What a user configures: certificates, or explicitly none.

Owns: `TLSConfig`, `PLAINTEXT`, and how each makes a handshake. May not know: TLS; OpenSSL is
loaded when the first handshake is made, so that importing fastmux stays quick.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastmux.constants import VERSION_1, VERSION_PLAINTEXT
from fastmux.protocol.handshake import Handshake
from fastmux.security.files import read_certificate_file, read_key_file
from fastmux.security.names import parse_host
from fastmux.security.suites import SUITES

HandshakeFactory = Callable[[bool, str | None], Handshake]  # (is_client, server_hostname)

_PIN: Final = re.compile(r"sha256//[A-Za-z0-9+/]{43}=", re.ASCII)
_PLAINTEXT_RANDOM_SIZE: Final = 32


@dataclass(frozen=True)
class TLSConfig:
    """Mutual TLS 1.3: this end's certificate and key, and the CA that signs the peer's.

    `certfile` is a PEM file with the certificate, then its intermediates; `keyfile` has its
    unencrypted key, which only its owner may read; `cafile` has one or more CA certificates.
    `pins` are the only public keys that the peer may have (`sha256//` and base64, as RFC 7469
    §2.4); without any, every certificate that the CA signed will do. `server_hostname` is the
    name that the server's certificate must have; None is the name that is connected to. With
    `reload`, changed files are used from the next handshake on. `ciphers` are names of TLS 1.3
    suites in order of preference; without any, the order is the one that suits this machine.

    Make one and use it for all connections: OpenSSL's context is made of its files once, as long as it lives.

    Raises ValueError for a value that is not allowed, PermissionError for a key that others can read,
    and OSError for a file that cannot be opened.
    """

    certfile: str | os.PathLike[str]
    keyfile: str | os.PathLike[str]
    cafile: str | os.PathLike[str]
    pins: tuple[str, ...] = ()
    server_hostname: str | None = None
    reload: bool = True
    ciphers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check all that can be checked without OpenSSL: a mistake shows where it was made."""
        for name in ("certfile", "keyfile", "cafile"):
            object.__setattr__(self, name, os.fspath(getattr(self, name)))
        for name in ("pins", "ciphers"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"{name} is a tuple of strings, not one string")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for pin in self.pins:
            if not _PIN.fullmatch(pin):
                raise ValueError(f"pin {pin!r} is not sha256// and 44 characters of base64")
        for cipher in self.ciphers:
            if cipher not in SUITES:
                raise ValueError(f"cipher {cipher!r} is none of {', '.join(SUITES)}")
        if self.server_hostname is not None:
            parse_host(self.server_hostname)
        read_certificate_file(os.fspath(self.certfile))
        read_certificate_file(os.fspath(self.cafile))
        read_key_file(os.fspath(self.keyfile))

    @property
    def version(self) -> int:
        """The wire version of its connections."""
        return VERSION_1

    def create_handshake(self, is_client: bool, server_hostname: str | None = None) -> Handshake:
        """Make one end of a handshake; a client gives the name that it connects to.

        Raises ValueError if a file's content or the name is of no use, OSError if a file cannot
        be read.
        """
        from fastmux.security.handshake import TLSHandshake

        return TLSHandshake(self, is_client, server_hostname)


@dataclass(frozen=True)
class PlaintextConfig:
    """No encryption and no identity: anybody on the path can read and forge. See `PLAINTEXT`."""

    @property
    def version(self) -> int:
        """The wire version of its connections."""
        return VERSION_PLAINTEXT

    def create_handshake(self, is_client: bool, server_hostname: str | None = None) -> Handshake:
        """Make one end of a handshake; the name is not checked, for nothing could prove it."""
        from fastmux.security.plaintext import PlaintextHandshake

        return PlaintextHandshake(is_client, os.urandom(_PLAINTEXT_RANDOM_SIZE))


PLAINTEXT: Final = PlaintextConfig()
