"""Whether patterns allow an address: the one place where a special address is let through or not.

Owns: that decision. May not know: identities, ports, resolving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fastmux.security.names import IPAddress
from fastmux.tunnel.access.host_patterns import AnyHost, HostPattern, NamePattern, NetworkPattern
from fastmux.tunnel.access.own_addresses import is_own
from fastmux.tunnel.access.special_addresses import LOOPBACK, embedded, same_host, special_range

LOCALHOST: Final = "localhost"


def allows_name(patterns: Iterable[HostPattern], name: str) -> bool:
    """Tell whether one of the patterns is for a canonical name."""
    return any(
        isinstance(pattern, AnyHost) or (isinstance(pattern, NamePattern) and pattern.matches(name))
        for pattern in patterns
    )


def may_allow_an_address_of(patterns: Sequence[HostPattern], name: str) -> bool:
    """Tell whether a name is worth resolving: it is allowed itself, or its addresses may be."""
    return allows_name(patterns, name) or any(isinstance(pattern, NetworkPattern) for pattern in patterns)


def refusal(
    patterns: Sequence[HostPattern],
    name: str | None,
    address: IPAddress,
    is_own: Callable[[IPAddress], bool] = is_own,
) -> str:
    """Say why an address may not be dialled, "" if it may. `name` is what resolved to it, if anything did.

    A public address needs a pattern for its name, for it, or for any host. A special one (private, loopback,
    metadata …) needs a pattern that names it by address or network, and so does each IPv4 address embedded
    in it. The name `localhost` in a rule names loopback, for whoever asks for `localhost`. A public address
    that `is_own`, this host's, takes a pattern of that very address: what listens there may be meant for
    nobody outside. Raises OSError if that cannot be told.
    """
    hosts = same_host(address)
    for each in (*hosts, *embedded(address)):
        special = special_range(each)
        if special is not None and not _is_named(patterns, name, each, special.kind):
            inside = "" if each == address else f" leads to {each}, which"
            return f"{address}{inside} is {special.kind}"
        if special is None and not _is_very_address(patterns, each) and is_own(each):
            inside = "" if each == address else f" leads to {each}, which"
            return f"{address}{inside} is this host's own"
    if name is not None and allows_name(patterns, name):
        return ""
    for pattern in patterns:
        if isinstance(pattern, NetworkPattern) and any(pattern.covers(each) for each in hosts):
            return ""
        if isinstance(pattern, AnyHost):
            return ""
    return f"{address} is in no rule"


def _is_named(patterns: Iterable[HostPattern], name: str | None, address: IPAddress, kind: str) -> bool:
    for pattern in patterns:
        if isinstance(pattern, NetworkPattern) and pattern.names(address):
            return True
        if name == LOCALHOST and kind == LOOPBACK and pattern == NamePattern(LOCALHOST):
            return True
    return False


def _is_very_address(patterns: Iterable[HostPattern], address: IPAddress) -> bool:
    return any(
        isinstance(pattern, NetworkPattern) and pattern.network.num_addresses == 1 and pattern.covers(address)
        for pattern in patterns
    )


def allows_binding(patterns: Iterable[HostPattern], address: IPAddress) -> bool:
    """Tell whether a listener may bind an address: it is covered by an address, a network or `*`.

    No address of one's own host is special to a listener, but the one that means all of them: only `*`, that
    address itself and the network of all addresses cover it.
    """
    host = same_host(address)[0]
    for pattern in patterns:
        if isinstance(pattern, AnyHost):
            return True
        if isinstance(pattern, NetworkPattern) and pattern.covers(host):
            size = pattern.network.prefixlen
            if not host.is_unspecified or size in (0, pattern.network.max_prefixlen):
                return True
    return False
