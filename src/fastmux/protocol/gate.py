"""How many connections may be half-open: those whose peer has not proved itself (wire-format §4, H2).

Owns: their count, in all and for each network, and who yields when there is no place left. May not know: what
a connection is.
"""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Address
from fastmux.protocol.places import Places
from fastmux.protocol.rates import prefix_of

Guest = TypeVar("Guest")


class Gate(Generic[Guest]):
    """Invariant: `guests` are half-open, with their address; `_prefixes` counts them by network, and has no
    entry of zero; each has a place in `_places`, where a network is a larger one (SHARED_PREFIX_BITS).
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.guests: dict[Guest, Address] = {}
        self._prefixes: Counter[str] = Counter()
        self._places: Places[Guest] = Places()

    @property
    def is_empty(self) -> bool:
        """True if nobody is half-open."""
        return not self.guests

    def __len__(self) -> int:
        return len(self.guests)

    def __contains__(self, guest: object) -> bool:
        return guest in self.guests

    def admits(self, address: Address, connections: int) -> bool:
        """True if one more from this address may begin, with so many connections there already."""
        return not self.is_full and self.bears(address, connections)

    @property
    def is_full(self) -> bool:
        """True if no place is left."""
        return len(self.guests) >= self._configuration.max_half_open

    def bears(self, address: Address, connections: int) -> bool:
        """As `admits`, were there a place."""
        configuration = self._configuration
        return (
            connections < configuration.max_connections
            and self._prefixes[prefix_of(address)] < configuration.max_half_open_per_address
        )

    def who_yields(self, address: Address, now: float) -> Guest | None:
        """Who must go for one more from this address, which is proved, once it is full.

        It is the oldest of the network that has the most places: so who comes from few addresses, and stays
        half-open, locks out only himself. None while that one is younger than HALF_OPEN_GRACE.
        """
        network = prefix_of(address, c.SHARED_PREFIX_BITS)
        return self._places.who_yields(network, now - c.HALF_OPEN_GRACE)

    def is_crowded(self, address: Address) -> bool:
        """True if so many are half-open that an address must be proved before one more is."""
        configuration = self._configuration
        return (
            len(self.guests) * c.RETRY_SHARE >= configuration.max_half_open
            or self._prefixes[prefix_of(address)] * c.RETRY_SHARE >= configuration.max_half_open_per_address
        )

    def enter(self, guest: Guest, address: Address, now: float) -> None:
        """Count a half-open connection."""
        self.guests[guest] = address
        self._prefixes[prefix_of(address)] += 1
        self._places.add(guest, prefix_of(address, c.SHARED_PREFIX_BITS), now)

    def leave(self, guest: Guest) -> None:
        """It has opened or is gone; nothing happens if it was not counted."""
        address = self.guests.pop(guest, None)
        if address is not None:
            self._places.remove(guest, prefix_of(address, c.SHARED_PREFIX_BITS))
            prefix = prefix_of(address)
            self._prefixes[prefix] -= 1
            if not self._prefixes[prefix]:
                del self._prefixes[prefix]
