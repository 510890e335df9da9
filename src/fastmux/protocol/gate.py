"""Who may come in: the limits on connections whose peer has not proved itself (docs/wire-format.md §4, H2).

Owns: the count of half-open connections, in all and per address. May not know: what a connection is.
"""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Address

Guest = TypeVar("Guest")


class Gate(Generic[Guest]):
    """Invariant: `_hosts` counts the guests by host and has no entry of zero, so it never outgrows them."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._guests: dict[Guest, str] = {}
        self._hosts: Counter[str] = Counter()

    @property
    def is_empty(self) -> bool:
        """True if nobody is half-open."""
        return not self._guests

    def __len__(self) -> int:
        return len(self._guests)

    def __contains__(self, guest: object) -> bool:
        return guest in self._guests

    def admits(self, address: Address, connections: int) -> bool:
        """True if one more from this address may begin, with so many connections there already."""
        configuration = self._configuration
        return (
            connections < configuration.max_connections
            and len(self._guests) < configuration.max_half_open
            and self._hosts[address[0]] < configuration.max_half_open_per_address
        )

    def enter(self, guest: Guest, address: Address) -> None:
        """Count a half-open connection."""
        self._guests[guest] = address[0]
        self._hosts[address[0]] += 1

    def leave(self, guest: Guest) -> None:
        """It has opened or is gone; nothing happens if it was not counted."""
        host = self._guests.pop(guest, None)
        if host is not None:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
