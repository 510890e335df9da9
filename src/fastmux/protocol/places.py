"""Who has a place among few, by network: who came first, and which network has the most.

Owns: the order, and who yields. May not know: what a guest is, how many places there are.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Guest = TypeVar("Guest")


class Places(Generic[Guest]):
    """Guests of networks, each with the time at which it came (seconds). Everything takes O(1).

    Invariant: `_guests` has an entry for each network with a guest, in order of arrival; `_sizes[n]` names
    the networks with n guests, in the order in which they came to have so many, and has no empty entry;
    `_most` is the largest such n, 0 without guests.
    """

    __slots__ = ("_guests", "_most", "_sizes")

    def __init__(self) -> None:
        self._guests: dict[str, dict[Guest, float]] = {}
        self._sizes: dict[int, dict[str, None]] = {}
        self._most = 0

    def __len__(self) -> int:
        """How many networks there are."""
        return len(self._guests)

    def add(self, guest: Guest, network: str, now: float) -> None:
        """Give a place to a guest that has none."""
        guests = self._guests.setdefault(network, {})
        guests[guest] = now
        self._resize(network, len(guests) - 1, len(guests))

    def remove(self, guest: Guest, network: str) -> None:
        """Take the place of a guest of this network that has one."""
        guests = self._guests[network]
        del guests[guest]
        self._resize(network, len(guests) + 1, len(guests))
        if not guests:
            del self._guests[network]

    def _resize(self, network: str, before: int, after: int) -> None:
        if before:
            same = self._sizes[before]
            del same[network]
            if not same:
                del self._sizes[before]
        if after:
            self._sizes.setdefault(after, {})[network] = None
        # one guest more or less: the largest network has one more, or one less
        if after > self._most or self._most not in self._sizes:
            self._most = after

    def who_yields(self, network: str, came_before: float) -> Guest | None:
        """Who must make room for one more of this network: the oldest of the network with the most guests.

        It is the newcomer's own network if none has more, so nobody yields to one whose network would then
        have more places than his has now. None if the oldest did not come at or before `came_before`.
        """
        if not self._most:
            return None
        largest = self._sizes[self._most]
        guests = self._guests[network if network in largest else next(iter(largest))]
        guest, came_at = next(iter(guests.items()))
        return guest if came_at <= came_before else None
