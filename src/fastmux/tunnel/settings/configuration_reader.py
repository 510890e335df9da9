"""From the texts of a configuration file to settings: each is parsed, each fault is noted with its place.

Owns: which parser a key has. May not know: TOML, files and their permissions.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from fastmux.constants import MAX_WORKERS
from fastmux.security.names import printable
from fastmux.tunnel.access.identity_patterns import IdentityKind, parse_identity
from fastmux.tunnel.access.revocation import NOTHING_REVOKED, parse_revoked
from fastmux.tunnel.access.rules import Rule, parse_destination
from fastmux.tunnel.constants import CONGESTION_CONTROLLERS, DEFAULT_PORT, MAX_RULES, RETRY_CHOICES
from fastmux.tunnel.notation.hosts import canonical_host
from fastmux.tunnel.notation.targets import LOOPBACK, Protocol, parse_address, parse_bind, parse_target
from fastmux.tunnel.notation.units import parse_duration, parse_rate
from fastmux.tunnel.settings.configuration import (
    Client,
    ClientForward,
    Configuration,
    ForwardKind,
    Limits,
    Revoked,
    Server,
    TlsFiles,
)
from fastmux.tunnel.settings.configuration_file import (
    AllowTable,
    ClientTable,
    FileTables,
    ForwardTable,
    LimitsTable,
    LocalTable,
    RemoteTable,
    RevokedTable,
    ServerTable,
    Socks5Table,
    TlsTable,
)

S = TypeVar("S")
T = TypeVar("T")

_LOG_FORMATS: Final = ("text", "json")
_MAX_CREDENTIAL_SIZE: Final = 255  # bytes of a name or password (RFC 1929 §2)


class ConfigurationReader:
    """Understands the texts of a file's tables, and collects every fault with its place."""

    def __init__(self, path: Path) -> None:
        """`path` is the file: other files are named relative to it."""
        self.faults: list[str] = []
        self._path = path

    def configuration(self, tables: FileTables) -> Configuration:
        """Return what was understood; it is of use only if there are no `faults`."""
        return Configuration(
            path=self._path,
            server=self._server(tables.server) if tables.server else None,
            client=self._client(tables.client) if tables.client else None,
            tls=self._tls(tables.tls),
            limits=self._limits(tables.limits),
            rules=self._rules(tables.allow),
            revoked=self._revoked(tables.revoked),
        )

    def _server(self, table: ServerTable) -> Server:
        listen = [table.listen] if isinstance(table.listen, str) else table.listen
        places = ["listen"] if isinstance(table.listen, str) else [f"listen[{n}]" for n in range(len(listen))]
        found = [
            self._parse(f"server.{place}", _server_address, text)
            for place, text in zip(places, listen, strict=True)
        ]
        return Server(
            listen=tuple(address for address in found if address),
            workers=self._count("server.workers", table.workers, MAX_WORKERS),
            metrics=self._parse("server.metrics", _local_address, table.metrics),
            control=self._parse("server.control", self._control, table.control),
            log_format=self._parse("server.log_format", _log_format, table.log_format),
            congestion=self._parse("server.congestion", _congestion, table.congestion),
            retry=self._parse("server.retry", _retry, table.retry),
            drain_timeout=self._parse("server.drain_timeout", parse_duration, table.drain_timeout),
        )

    def _client(self, table: ClientTable) -> Client:
        forwards = [
            self._forward(f"client.forward[{number}]", forward)
            for number, forward in enumerate(table.forward)
        ]
        return Client(
            server=self._parse("client.server", _remote_address, table.server),
            server_name=self._parse("client.server_name", _host, table.server_name),
            metrics=self._parse("client.metrics", _local_address, table.metrics),
            control=self._parse("client.control", self._control, table.control),
            log_format=self._parse("client.log_format", _log_format, table.log_format),
            congestion=self._parse("client.congestion", _congestion, table.congestion),
            limit=self._parse("client.limit", parse_rate, table.limit),
            retry_max=self._parse("client.retry_max", parse_duration, table.retry_max),
            forwards=tuple(forward for forward in forwards if forward),
        )

    def _forward(self, place: str, table: ForwardTable) -> ClientForward | None:
        if isinstance(table, LocalTable | RemoteTable):
            to = self._parse(f"{place}.to", parse_target, table.to)
            protocol: Protocol = "udp" if to and to.protocol == "udp" else "tcp"
            if table.listen.startswith("/"):
                protocol = "unix"
            listen = self._parse(f"{place}.listen", lambda text: parse_bind(text, protocol), table.listen)
            if to and to.protocol == "udp" and protocol == "unix":
                self.faults.append(f"{place}.listen: UDP listens on a port, not on a Unix socket")
            kind: ForwardKind = "local" if isinstance(table, LocalTable) else "remote"
            return ClientForward(kind, listen, to) if listen and to else None
        listen = self._parse(f"{place}.listen", parse_bind, table.listen)
        for name, password in table.users.items():
            self._parse(f"{place}.users", lambda pair: _check_credential(*pair), (name, password))
        kind = "socks5" if isinstance(table, Socks5Table) else "http"
        return ClientForward(kind, listen, users=dict(table.users)) if listen else None

    def _tls(self, table: TlsTable) -> TlsFiles:
        pins = [self._parse(f"tls.pins[{number}]", _pin, text) for number, text in enumerate(table.pins)]
        return TlsFiles(
            cert=self._parse("tls.cert", self._file, table.cert),
            key=self._parse("tls.key", self._file, table.key),
            ca=self._parse("tls.ca", self._file, table.ca),
            pins=tuple(pin for pin in pins if pin),
            reload=table.reload,
        )

    def _limits(self, table: LimitsTable) -> Limits:
        return Limits(
            total=self._parse("limits.total", parse_rate, table.total),
            per_identity=self._parse("limits.per_identity", parse_rate, table.per_identity),
            sockets_per_identity=self._count("limits.sockets_per_identity", table.sockets_per_identity),
            max_connections=self._count("limits.max_connections", table.max_connections),
        )

    def _rules(self, tables: Iterable[AllowTable]) -> tuple[Rule, ...]:
        rules = []
        for number, table in enumerate(tables):
            place = f"allow[{number}]"
            names = [table.identity] if isinstance(table.identity, str) else table.identity
            if not names or not table.rules:
                self.faults.append(f"{place}: 'identity' and 'rules' hold at least one each")
            for identity in [self._parse(f"{place}.identity", parse_identity, name) for name in names]:
                for index, text in enumerate(table.rules):
                    rule = self._parse(f"{place}.rules[{index}]", _destination, text)
                    if rule and identity:
                        rules.append(dataclasses.replace(rule, identity=identity))
        if len(rules) > MAX_RULES:
            self.faults.append(f"allow: more than {MAX_RULES} rules (each identity counts its own)")
        self.faults[:] = dict.fromkeys(self.faults)  # of a rule for several identities once
        return tuple(rules)

    def _revoked(self, table: RevokedTable) -> Revoked:
        revoked = self._parse("revoked", lambda pair: parse_revoked(*pair), (table.identities, table.serials))
        return Revoked(revoked or NOTHING_REVOKED, self._parse("revoked.crl", self._file, table.crl))

    def _parse(self, place: str, parser: Callable[[S], T], value: S | None) -> T | None:
        """Understand a value, if there is one; a fault is noted with its place."""
        if value is None:
            return None
        try:
            return parser(value)
        except ValueError as error:
            self.faults.append(f"{place}: {error}")
            return None

    def _count(self, place: str, value: int | None, maximum: int = 2**31 - 1) -> int | None:
        if value is not None and not 1 <= value <= maximum:
            self.faults.append(f"{place}: {value} is not a number from 1 to {maximum}")
        return value

    def _file(self, text: str) -> Path:
        if not text or not text.isprintable():
            raise ValueError(f"{printable(text)!r} is not the name of a file")
        return Path(os.path.abspath(self._path.parent / os.path.expanduser(text)))

    def _control(self, text: str) -> str:
        return text if text == "none" else str(self._file(text))


def _server_address(text: str) -> tuple[str, int]:
    return parse_address(text, default_host="", default_port=DEFAULT_PORT)


def _local_address(text: str) -> tuple[str, int]:
    return parse_address(text, default_host=LOOPBACK)


def _remote_address(text: str) -> tuple[str, int]:
    return parse_address(text, default_port=DEFAULT_PORT, min_port=1)


def _host(text: str) -> str:
    return str(canonical_host(text))


def _destination(text: str) -> Rule:
    try:
        return parse_destination(text)
    except ValueError as error:
        hint = "; the identity stands in 'identity', not here" if "=" in text else ""
        raise ValueError(f"{error}{hint}") from None


def _congestion(text: str) -> str:
    if text not in CONGESTION_CONTROLLERS:
        raise ValueError(f"{printable(text)!r} is none of {', '.join(CONGESTION_CONTROLLERS)}")
    return text


def _retry(text: str) -> str:
    if text not in RETRY_CHOICES:
        raise ValueError(f"{printable(text)!r} is none of {', '.join(RETRY_CHOICES)}")
    return text


def _log_format(text: str) -> str:
    if text not in _LOG_FORMATS:
        raise ValueError(f"{printable(text)!r} is none of {', '.join(_LOG_FORMATS)}")
    return text


def _pin(text: str) -> str:
    if parse_identity(text).kind is not IdentityKind.PIN:
        raise ValueError(f"{printable(text)!r} is not a pin; `fastmux cert pin FILE` prints one")
    return text


def _check_credential(name: str, password: str) -> None:
    """Refuse what SOCKS5 and Basic (RFC 7617 §2) cannot carry. No password gets into the message."""
    shown = printable(name)
    if not name or not password:
        raise ValueError(f"user {shown!r}: name and password have at least one character each")
    if max(len(name.encode()), len(password.encode())) > _MAX_CREDENTIAL_SIZE:
        raise ValueError(f"user {shown!r}: name and password have at most {_MAX_CREDENTIAL_SIZE} bytes each")
    if ":" in name or not name.isprintable() or not password.isprintable():
        raise ValueError(f"user {shown!r}: a name has no colon, and neither has control characters")
