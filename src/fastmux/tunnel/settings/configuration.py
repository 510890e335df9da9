"""The configuration of `fastmux serve` and `fastmux tunnel`: what a TOML file says, fully understood.

Owns: the settings, and whether a file may be trusted with them. May not know: the command line, which is
merged over them, and what anybody does with a setting.

A setting that is not in the file is None or empty, so that a default is chosen in one place only, by who
merges. Paths in the file are relative to the file.
"""

from __future__ import annotations

import dataclasses
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from fastmux.tunnel.access.revocation import NOTHING_REVOKED, Revocations, read_revocation_lists
from fastmux.tunnel.access.rules import Rule
from fastmux.tunnel.constants import MAX_CONFIGURATION_SIZE
from fastmux.tunnel.notation.targets import Target

ForwardKind = Literal["local", "remote", "socks5", "http"]

_OTHERS: Final = 0o077
_WORLD_WRITE: Final = 0o002
_HAS_MODES: Final = os.name == "posix"


class InvalidConfiguration(ValueError):
    """A configuration file that cannot be used; `str()` has a line for each fault, with its place."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """`[tls]`: where certificate, key and CA are, and which keys the other end may have."""

    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    pins: tuple[str, ...] = ()
    reload: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """`[limits]` of a server: rates in bytes a second, over all or for each identity, and counts."""

    total: int | None = None
    per_identity: int | None = None
    sockets_per_identity: int | None = None
    max_connections: int | None = None


@dataclass(frozen=True, slots=True)
class Revoked:
    """`[revoked]`: what the file says itself, and where a CA's list is."""

    listed: Revocations = NOTHING_REVOKED
    crl: Path | None = None

    def load(self, cafile: Path) -> Revocations:
        """Read the list anew, signed by a CA in `cafile`, and join both. Raises OSError, ValueError."""
        if self.crl is None:
            return self.listed
        return dataclasses.replace(self.listed, lists=read_revocation_lists(self.crl, cafile))


@dataclass(frozen=True, slots=True)
class Server:
    """`[server]`: addresses to listen on (host "" is all interfaces) and the rest of `fastmux serve`.

    `control` is a path or "none"; `drain_timeout` is in seconds; `congestion` names a controller,
    `retry` one of the choices of `fastmux.listen`.
    """

    listen: tuple[tuple[str, int], ...] = ()
    workers: int | None = None
    metrics: tuple[str, int] | None = None
    control: str | None = None
    log_format: str | None = None
    congestion: str | None = None
    retry: str | None = None
    drain_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class ClientForward:
    """One `[[client.forward]]`; `to` is for "local" and "remote", `users` (name to password) for proxies."""

    kind: ForwardKind
    listen: Target
    to: Target | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Client:
    """`[client]`: the server, its name, and what is forwarded.

    `limit` is in bytes a second, `retry_max` in seconds; `congestion` names a controller.
    """

    server: tuple[str, int] | None = None
    server_name: str | None = None
    metrics: tuple[str, int] | None = None
    control: str | None = None
    log_format: str | None = None
    congestion: str | None = None
    limit: int | None = None
    retry_max: float | None = None
    forwards: tuple[ClientForward, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole file. `server` and `client` are None if it has no such table."""

    path: Path
    server: Server | None = None
    client: Client | None = None
    tls: TlsFiles = TlsFiles()
    limits: Limits = Limits()
    rules: tuple[Rule, ...] = ()
    revoked: Revoked = Revoked()


def read_configuration(path: str | os.PathLike[str]) -> Configuration:
    """Read and understand a configuration file.

    Raises InvalidConfiguration for what it says, and for passwords that others could read; OSError if it
    cannot be read.
    """
    with open(path, "rb") as opened:
        status = os.fstat(opened.fileno())
        data = opened.read(MAX_CONFIGURATION_SIZE + 1)
    if len(data) > MAX_CONFIGURATION_SIZE:
        raise InvalidConfiguration(f"{os.fspath(path)} is larger than {MAX_CONFIGURATION_SIZE} bytes")
    configuration = parse_configuration(data, Path(path))
    _check_mode(configuration, status)
    return configuration


def parse_configuration(data: bytes, path: Path) -> Configuration:
    """Understand the content of a configuration file at `path`. Raises InvalidConfiguration."""
    try:
        from fastmux.tunnel.settings.configuration_file import parse_tables
        from fastmux.tunnel.settings.configuration_reader import ConfigurationReader
    except ModuleNotFoundError as error:
        if error.name != "msgspec":
            raise
        raise InvalidConfiguration(
            "a configuration file takes msgspec, which is not installed; run: pip install 'fastmux[tunnel]'"
        ) from None
    try:
        tables = parse_tables(tomllib.loads(data.decode("utf-8")))
    except (ValueError, RecursionError) as error:  # of TOML, UTF-8 or the tables
        raise InvalidConfiguration(f"{path}: {error}") from None
    reader = ConfigurationReader(path)
    configuration = reader.configuration(tables)
    if reader.faults:
        raise InvalidConfiguration("\n".join(f"{path}: {fault}" for fault in reader.faults))
    return configuration


def _check_mode(configuration: Configuration, status: os.stat_result) -> None:
    if not _HAS_MODES:
        return
    path, mode = configuration.path, stat.S_IMODE(status.st_mode)
    forwards = configuration.client.forwards if configuration.client else ()
    if any(forward.users for forward in forwards):
        if mode & _OTHERS:
            raise InvalidConfiguration(
                f"{path} holds passwords, and with permissions {mode:04o} others can use it; "
                f"run: chmod 600 {path}"
            )
        if status.st_uid not in (os.geteuid(), 0):
            raise InvalidConfiguration(
                f"{path} holds passwords and belongs to another user (uid {status.st_uid})"
            )
    if mode & _WORLD_WRITE:
        raise InvalidConfiguration(
            f"anybody can write {path} (permissions {mode:04o}); run: chmod o-w {path}"
        )
