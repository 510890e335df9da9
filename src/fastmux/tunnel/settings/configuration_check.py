"""What can be said of a configuration before it is used: the files it names, and what it leaves open.

Owns: the findings of `fastmux check-config`. May not know: how they are printed, the command line.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from fastmux.security.config import TLSConfig
from fastmux.tunnel.access.host_patterns import AnyHost
from fastmux.tunnel.access.identity_patterns import IdentityKind
from fastmux.tunnel.access.rules import HostPorts
from fastmux.tunnel.notation.hosts import host_and_port
from fastmux.tunnel.settings.certificate_check import end_warnings, role_fault
from fastmux.tunnel.settings.configuration import (
    Client,
    Configuration,
    InvalidConfiguration,
    Server,
    TlsFiles,
)
from fastmux.tunnel.settings.open_proxies import open_proxy_warning


@dataclass(frozen=True, slots=True)
class Findings:
    """What a configuration does, a line each, and what is worth a second look."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def check(configuration: Configuration, now: datetime.datetime | None = None) -> Findings:
    """Read the files that a configuration names, too. Raises InvalidConfiguration, OSError, ValueError."""
    now = now or datetime.datetime.now(datetime.UTC)
    if configuration.server is None and configuration.client is None:
        raise InvalidConfiguration(
            f"{configuration.path}: neither [server] nor [client] is there, so it is of no use to "
            "`fastmux serve` or `fastmux tunnel`"
        )
    lines, warnings = [], []
    if configuration.server is not None:
        lines += _server_lines(configuration.server)
        lines += [f"allow    {rule}" for rule in configuration.rules]
        warnings += _rule_warnings(configuration)
    if configuration.client is not None:
        lines += _client_lines(configuration.client)
        warnings += [text for each in configuration.client.forwards if (text := open_proxy_warning(each))]
    roles = [("server", configuration.server), ("client", configuration.client)]
    warnings += _tls_findings(configuration.tls, [name for name, table in roles if table], now)
    if configuration.revoked.crl is not None and configuration.tls.ca is not None:
        revoked = configuration.revoked.load(configuration.tls.ca)
        lines.append(f"revoked  {sum(map(len, revoked.lists.values()))} in {configuration.revoked.crl}")
    return Findings(tuple(lines), tuple(warnings))


def _server_lines(server: Server) -> list[str]:
    lines = [f"listen   {host_and_port(*address)}" for address in server.listen]
    if server.metrics is not None:
        lines.append(f"metrics  {host_and_port(*server.metrics)}")
    return lines


def _client_lines(client: Client) -> list[str]:
    lines = [f"server   {host_and_port(*client.server)}"] if client.server is not None else []
    for forward in client.forwards:
        to = f" to {forward.to}" if forward.to is not None else ""
        users = f" with passwords ({len(forward.users)})" if forward.users else ""
        lines.append(f"{forward.kind:<8} {forward.listen}{to}{users}")
    return lines


def _rule_warnings(configuration: Configuration) -> list[str]:
    if not configuration.rules:
        return ["no [[allow]]: `fastmux serve` does not start unless --allow gives it a rule"]
    warnings = []
    for rule in configuration.rules:
        if rule.identity.kind is not IdentityKind.ANYBODY or not isinstance(rule.destination, HostPorts):
            continue
        if isinstance(rule.destination.host, AnyHost):
            verb = "listen on" if rule.listens else "reach"
            warnings.append(f"{rule}: everybody with a certificate of the CA may {verb} any host")
    return warnings


def _tls_findings(tls: TlsFiles, roles: list[str], now: datetime.datetime) -> list[str]:
    """Read certificate, key and CA as a connection would, and look at role and end of the certificate."""
    if tls.cert is None or tls.key is None or tls.ca is None:
        missing = [name for name in ("cert", "key", "ca") if getattr(tls, name) is None]
        return [f"[tls] lacks {', '.join(missing)}: to be given as --{' --'.join(missing)}"]
    from fastmux.security.contexts import make_context

    make_context(TLSConfig(tls.cert, tls.key, tls.ca, pins=tls.pins))
    warnings = [text for path in (tls.cert, tls.ca) for text in end_warnings(path, now)]
    faults = (role_fault(tls.cert, role) for role in roles)
    return [*warnings, *(fault for fault in faults if fault)]
