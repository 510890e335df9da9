"""What a peer may reach and open: rules and revocations, put to each request.

Owns: the decisions, and the addresses that may be dialled. May not know: connections, sockets, how a refusal
travels.

Deny by default: what no rule allows is refused. A name is resolved once, here; each of its addresses is
judged, and only those that passed are returned, so that the address that was checked is the one to dial.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final, Literal

from fastmux.protocol.events import Address
from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.names import IPAddress, printable
from fastmux.security.peer_names import name_of
from fastmux.tunnel.access import judgement
from fastmux.tunnel.access.host_patterns import HostPattern
from fastmux.tunnel.access.identity_patterns import identity_text
from fastmux.tunnel.access.lookups import Lookups
from fastmux.tunnel.access.revocation import NOTHING_REVOKED, Revocations, expiry
from fastmux.tunnel.access.rules import HostPorts, Rule
from fastmux.tunnel.access.special_addresses import same_host
from fastmux.tunnel.constants import MAX_KNOWN_PEERS
from fastmux.tunnel.notation.hosts import canonical_host, host_and_port
from fastmux.tunnel.notation.paths import PathPattern, socket_path
from fastmux.tunnel.notation.ports import MAX_PORT

__all__ = ["Access", "AccessDenied", "SocketAddress"]

SocketAddress = Address
_Protocol = Literal["tcp", "udp"]
_KINDS: Final = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_ALL_INTERFACES: Final = (ipaddress.IPv4Address("0.0.0.0"), ipaddress.IPv6Address("::"))
_LOOPBACKS: Final = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
_SHOWN_REASONS: Final = 3

_logger: Final = logging.getLogger("fastmux.tunnel.access")


class AccessDenied(Exception):
    """A request that the rules refuse.

    `str()` is for the log: the reason, and the rule that would allow it. `peer_text` is what the peer may
    learn: nothing of rules, nor of addresses that a name has here.
    """

    def __init__(self, reason: str, peer_text: str) -> None:
        super().__init__(reason)
        self.peer_text = peer_text


class Access:
    """The rules of a server. Immutable: a reload makes a new one.

    Without rules it refuses everything.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        revoked: Revocations = NOTHING_REVOKED,
        *,
        lookups: Lookups | None = None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        """`lookups` is handed from one `Access` to the next at a reload: it counts what still runs."""
        self._rules = tuple(rules)
        self._revoked = revoked
        self.lookups = lookups or Lookups()
        self._now = now
        self._rules_for = functools.lru_cache(MAX_KNOWN_PEERS)(self._find_rules)

    def check_identity(self, peer: PeerIdentity) -> None:
        """Pass a peer that has a rule and is neither revoked nor past its certificate's end.

        To be asked when a connection opens and for each one at a reload. Raises AccessDenied.
        """
        who = f"{name_of(peer)} ({peer.pin})" if peer.pin else "a peer without a certificate"
        reason = "has no identity" if not peer.pin else self._revoked.reason(peer)
        if reason:
            raise AccessDenied(f"{who}: {reason}", "this identity is not accepted")
        end = expiry(peer.certificate) if peer.certificate else None
        if end is not None and end <= self._now():
            raise AccessDenied(
                f"{who}: the certificate ended at {end:%Y-%m-%d %H:%M:%S} UTC; renew it where it was made",
                "the certificate has expired",
            )
        if not self._rules_for(peer):
            raise AccessDenied(
                f"{who}: no rule is for this identity; such a one starts with {identity_text(peer)}=",
                "this identity may not do anything here",
            )

    async def resolve(
        self, peer: PeerIdentity, protocol: _Protocol, host: str, port: int
    ) -> list[tuple[int, SocketAddress]]:
        """Return `(family, address)` of what may be dialled for a request, in the order to try.

        Addresses of a name that are not allowed are left out. Raises AccessDenied if nothing is allowed, and
        OSError (`socket.gaierror`, `TimeoutError`) if a name cannot be resolved.
        """
        target = _canonical(host, "a host to reach")
        if not 1 <= port <= MAX_PORT:
            raise AccessDenied(f"{port} is not a port to reach", f"port {port} cannot be reached")
        patterns = self._patterns(peer, protocol, port, listens=False)
        if not isinstance(target, str):
            reason = judgement.refusal(patterns, None, target)
            if reason:
                raise self._denied(peer, protocol, target, port, reason)
            return [_socket_address(target, port)]
        if not judgement.may_allow_an_address_of(patterns, target):
            raise self._denied(peer, protocol, target, port, "no rule is for it")
        absolute = f"{target}." if host.endswith(".") else target
        found = await self.lookups.addresses(peer.pin, absolute, port, _KINDS[protocol])
        return self._allowed(peer, protocol, target, port, [_address_of(each) for each in found], patterns)

    def check_unix(self, peer: PeerIdentity, path: str) -> None:
        """Pass a peer that may dial the Unix socket at `path`. Raises AccessDenied."""
        self._check_path(peer, path, listens=False)

    def check_listen(self, peer: PeerIdentity, protocol: _Protocol, host: str, port: int) -> None:
        """Pass a peer that may have a listener at `host` and `port`. Raises AccessDenied.

        `host` is an address, `localhost` (127.0.0.1 and ::1), or "" or "*" for all interfaces (0.0.0.0 and
        ::); each of them must be covered. Other names are refused: what they are bound to could not be told.
        Port 0, any free one, takes a rule for all ports from 1024 on.
        """
        if not 0 <= port <= MAX_PORT:
            raise AccessDenied(f"{port} is not a port to listen on", f"port {port} cannot be listened on")
        addresses = _bind_addresses(host)
        patterns = self._patterns(peer, protocol, port, listens=True)
        for address in addresses:
            if not judgement.allows_binding(patterns, address):
                ports = "1024-65535" if port == 0 else str(port)
                rule = f"{identity_text(peer)}=listen:{_rule_host(host, address)}:{ports}{_suffix(protocol)}"
                asked = host_and_port(printable(host), port) + _suffix(protocol)
                raise AccessDenied(
                    f"{name_of(peer)} may not listen on {asked}: no rule covers {address}, such as {rule}",
                    f"listening on {asked} is not allowed",
                )

    def check_listen_unix(self, peer: PeerIdentity, path: str) -> None:
        """Pass a peer that may have a Unix socket made at `path`. Raises AccessDenied."""
        self._check_path(peer, path, listens=True)

    def _find_rules(self, peer: PeerIdentity) -> tuple[Rule, ...]:
        return tuple(rule for rule in self._rules if rule.identity.matches(peer))

    def _patterns(
        self, peer: PeerIdentity, protocol: _Protocol, port: int, *, listens: bool
    ) -> list[HostPattern]:
        """The host patterns of all rules that are for this peer, protocol and port."""
        every = (
            rule.destination
            for rule in self._rules_for(peer)
            if rule.listens is listens and isinstance(rule.destination, HostPorts)
        )
        return [
            each.host
            for each in every
            if each.protocol == protocol and (port in each.ports if port else each.ports.covers_any_port)
        ]

    def _allowed(
        self,
        peer: PeerIdentity,
        protocol: _Protocol,
        name: str,
        port: int,
        addresses: list[IPAddress],
        patterns: list[HostPattern],
    ) -> list[tuple[int, SocketAddress]]:
        allowed, reasons = [], []
        for address in addresses:
            reason = judgement.refusal(patterns, name, address)
            if reason:
                reasons.append(reason)
            else:
                allowed.append(_socket_address(address, port))
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, f"{name} has no IPv4 or IPv6 address")
        if not allowed:
            shown = ", ".join(reasons[:_SHOWN_REASONS])
            more = len(reasons) - _SHOWN_REASONS
            shown += f" and {more} more" if more > 0 else ""
            raise self._denied(peer, protocol, name, port, shown, example=addresses[0])
        if reasons:
            _logger.debug("not dialled for %s:%d: %s", name, port, ", ".join(reasons[:_SHOWN_REASONS]))
        return list(dict.fromkeys(allowed))

    def _denied(
        self,
        peer: PeerIdentity,
        protocol: _Protocol,
        host: str | IPAddress,
        port: int,
        reason: str,
        example: IPAddress | None = None,
    ) -> AccessDenied:
        asked = host_and_port(host, port) + _suffix(protocol)
        rule = f"{identity_text(peer)}={host_and_port(example or host, port)}{_suffix(protocol)}"
        return AccessDenied(
            f"{name_of(peer)} may not reach {asked}: {reason}; it would take a rule such as {rule}",
            f"{asked} is not allowed",
        )

    def _check_path(self, peer: PeerIdentity, path: str, *, listens: bool) -> None:
        verb = "listen on" if listens else "reach"
        shown = printable(path)
        try:
            plain = socket_path(path)
        except ValueError as error:
            raise AccessDenied(f"{name_of(peer)} may not {verb} a socket: {error}", str(error)) from None
        for rule in self._rules_for(peer):
            pattern = rule.destination
            if rule.listens is listens and isinstance(pattern, PathPattern) and pattern.covers(plain):
                return
        kind = "listen:unix" if listens else "unix"
        raise AccessDenied(
            f"{name_of(peer)} may not {verb} {shown}: it would take a rule such as "
            f"{identity_text(peer)}={kind}:{shown}",
            f"{shown} is not allowed",
        )


def _canonical(host: str, what: str) -> str | IPAddress:
    try:
        return canonical_host(host)
    except ValueError as error:
        raise AccessDenied(f"not {what}: {error}", str(error)) from None


def _bind_addresses(host: str) -> tuple[IPAddress, ...]:
    if host in ("", "*"):
        return _ALL_INTERFACES
    address = _canonical(host, "a host to listen on")
    if address == judgement.LOCALHOST:
        return _LOOPBACKS
    if isinstance(address, str):
        reason = f"listening on {address} is not allowed: name an address, localhost, or * for all"
        raise AccessDenied(reason, reason)
    return (address,)


def _rule_host(host: str, address: IPAddress) -> str:
    if host in ("", "*"):
        return "*"
    return f"[{address}]" if address.version == 6 else str(address)


def _suffix(protocol: _Protocol) -> str:
    return "/udp" if protocol == "udp" else ""


def _address_of(found: tuple[int, SocketAddress]) -> IPAddress:
    """The address that was found for a name, with its zone, which a rule must name."""
    _, address = found
    host = address[0].partition("%")[0]
    scope = address[3] if len(address) == 4 else 0
    return ipaddress.ip_address(f"{host}%{scope}" if scope else host)


def _socket_address(address: IPAddress, port: int) -> tuple[int, SocketAddress]:
    host = same_host(address)[0]
    if isinstance(host, ipaddress.IPv4Address):
        return socket.AF_INET, (str(host), port)
    zone = host.scope_id
    if zone is None:
        return socket.AF_INET6, (str(host), port, 0, 0)
    scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    return socket.AF_INET6, (str(host).partition("%")[0], port, 0, scope)
