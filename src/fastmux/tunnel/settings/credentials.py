"""Which files prove who this end is, from options and configuration together.

Owns: that merge, and what is said when a file is missing or of no use. May not know: the command line, TLS.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import logging
import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from fastmux.tunnel.exits import ConfigurationError

if TYPE_CHECKING:
    from fastmux.security.config import TLSConfig
    from fastmux.tunnel.settings.configuration import TlsFiles

logger = logging.getLogger("fastmux.tunnel")

Role: TypeAlias = Literal["server", "client"]


def default_directory() -> Path:
    """Return `fastmux` in the user's configuration directory ($XDG_CONFIG_HOME, else ~/.config)."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):  # a relative one is to be ignored (XDG Base Directory Specification)
        base = os.path.expanduser("~/.config")
    return Path(base) / "fastmux"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where a certificate, its key and the CA are ("" for not given), and what the other end must have."""

    cert: str = ""
    key: str = ""
    ca: str = ""
    server_name: str = ""
    pins: tuple[str, ...] = ()
    reload: bool = True

    def with_file(self, files: TlsFiles, server_name: str | None = None) -> Credentials:
        """These, with what was not given taken from a configuration file."""
        return replace(
            self,
            cert=self.cert or str(files.cert or ""),
            key=self.key or str(files.key or ""),
            ca=self.ca or str(files.ca or ""),
            pins=self.pins or files.pins,
            server_name=self.server_name or server_name or "",
            reload=files.reload,
        )

    def or_initial(self, role: Role) -> Credentials:
        """These, or if none is given those that `fastmux init` makes where nothing else is said."""
        if self.cert or self.key or self.ca:
            return self
        directory = default_directory()
        if not (directory / f"{role}.pem").is_file():
            return self
        return replace(
            self,
            cert=str(directory / f"{role}.pem"),
            key=str(directory / f"{role}.key"),
            ca=str(directory / "ca.pem"),
        )

    def tls(self) -> TLSConfig:
        """The TLS configuration. Raises `ConfigurationError` that says what is missing or wrong."""
        from fastmux.security.config import TLSConfig

        missing = [f"--{name}" for name in ("cert", "key", "ca") if not getattr(self, name)]
        if missing:
            raise ConfigurationError(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: the options, "
                "or [tls] of --config, name the PEM files; `fastmux init` makes them"
            )
        try:
            return TLSConfig(
                self.cert, self.key, self.ca, self.pins, self.server_name or None, reload=self.reload
            )
        except FileNotFoundError as error:
            hint = "`fastmux init` makes certificates"
            raise ConfigurationError(f"there is no file {error.filename}: {hint}") from error
        except (OSError, ValueError) as error:
            raise ConfigurationError(str(error)) from error

    def reset_key(self) -> bytes:
        """What lets a server that was restarted tell its clients so: the same as long as the private key.

        It differs between hosts, for one that knew the key of another could be made to end its connections.
        Nobody can come from it to the private key. Raises `ConfigurationError` if the file cannot be read.
        """
        try:
            secret = Path(self.key).read_bytes()
        except OSError as error:
            raise ConfigurationError(str(error)) from error
        label = b"fastmux tunnel reset key " + socket.gethostname().encode()
        return hmac.digest(hashlib.sha256(secret).digest(), label, "sha256")


def checked_tls(credentials: Credentials, role: Role) -> TLSConfig:
    """The TLS configuration, after a look at what is in its files; a certificate that ends is a warning.

    An end is no error: files may be renewed while it runs, and a reload may have to revoke somebody.
    Raises `ConfigurationError`, also for a certificate that is not for `role`: nobody would accept it.
    """
    from fastmux.security.contexts import make_context
    from fastmux.tunnel.settings.certificate_check import end_warnings, role_fault

    tls = credentials.tls()
    now = datetime.datetime.now(datetime.UTC)
    try:
        make_context(tls)  # a handshake would be content with what was loaded before
        fault = role_fault(Path(credentials.cert), role)
        warnings = [
            text for path in (credentials.cert, credentials.ca) for text in end_warnings(Path(path), now)
        ]
    except (OSError, ValueError) as error:
        raise ConfigurationError(str(error)) from error
    if fault:
        raise ConfigurationError(fault)
    for text in warnings:
        logger.warning("%s", text)
    return tls
