"""The connection ids by which the peer is addressed (RFC 9000 §5.1).

Owns: which of them may be used, are used or were retired, and the rules of NEW_ID. May not know: paths, when
a RETIRE_ID is sent.
"""

from __future__ import annotations

from typing import NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError


class RemoteId(NamedTuple):
    """An id of the peer's, its number, and the token of a stateless reset for it.

    Number 0 has none until a NEW_ID with this number and the same id brings it.
    """

    number: int
    name: bytes
    token: bytes = b""

    def __repr__(self) -> str:
        """Without the token: who has it can end the connection."""
        return f"RemoteId(number={self.number}, name={self.name!r})"


class RemoteIds:
    """Ids that the peer gave.

    Invariant: every number that came and is not in `_gone` is in `used` or `_spare`, together at most
    ACTIVE_ID_LIMIT, none of them below `_retire_before`. `_gone`, made when something is first retired, has
    at most MAX_ID_GAPS ranges.
    """

    __slots__ = ("_gone", "_retire_before", "_spare", "used")

    def __init__(self, first: bytes) -> None:
        """`first`, number 0, is that of the handshake; it is in use."""
        self.used: tuple[RemoteId, ...] = (RemoteId(0, first),)
        self._spare: tuple[RemoteId, ...] = ()
        self._retire_before = 0
        self._gone: core.RangeSet | None = None

    def knows(self, number: int) -> bool:
        """True if this number came before."""
        return self._is_gone(number) or any(known.number == number for known in self._all)

    def add(self, given: RemoteId, retire_before: int) -> list[int]:
        """Take a NEW_ID: gives the numbers that must be retired now.

        Raises `ProtocolError`: ID_LIMIT_ERROR for more ids than were allowed, PROTOCOL_VIOLATION for an id
        that contradicts another, has another length, or leaves out too many numbers.
        """
        if len(given.name) != len(self._all[0].name):
            raise ProtocolError(c.PROTOCOL_VIOLATION, "an id of another length")
        self._complete_first(given)
        is_new = not self.knows(given.number)
        for known in self._all:
            if (known.number == given.number or known.name == given.name) and known != given:
                raise ProtocolError(c.PROTOCOL_VIOLATION, "an id given again that is not the same")
        if is_new:
            self._spare = (*self._spare, given)
        self._retire_before = max(self._retire_before, retire_before)
        return self._retire_old()

    def _complete_first(self, given: RemoteId) -> None:
        """The id of the handshake gets its token, which no handshake packet could carry."""
        bare = RemoteId(given.number, given.name)
        if given.number == 0 and bare in self.used:
            self.used = tuple(given if known == bare else known for known in self.used)

    def _retire_old(self) -> list[int]:
        old = [known.number for known in self._all if known.number < self._retire_before]
        for number in old:
            self.retire(number)
        if len(self._all) > c.ACTIVE_ID_LIMIT:
            raise ProtocolError(c.ID_LIMIT_ERROR, f"more than {c.ACTIVE_ID_LIMIT} ids")
        return old

    @property
    def tokens(self) -> tuple[bytes, ...]:
        """Those of the ids in use: only these may end the connection (RFC 9000 §10.3.1)."""
        return tuple(known.token for known in self.used if known.token)

    @property
    def has_spare(self) -> bool:
        """True if `take` would give one."""
        return bool(self._spare)

    def take(self) -> RemoteId | None:
        """Give an id that was never used, to be used from now on; None if there is none."""
        if not self._spare:
            return None
        taken, self._spare = self._spare[0], self._spare[1:]
        self.used = (*self.used, taken)
        return taken

    def retire(self, number: int) -> None:
        """Never use this id again; the peer must then be told."""
        self.used = tuple(known for known in self.used if known.number != number)
        self._spare = tuple(known for known in self._spare if known.number != number)
        if self._gone is None:
            self._gone = core.RangeSet()
        self._gone.add(number, number + 1)
        if len(self._gone) > c.MAX_ID_GAPS:
            raise ProtocolError(c.PROTOCOL_VIOLATION, "too many numbers of ids left out")

    @property
    def _all(self) -> tuple[RemoteId, ...]:
        return self.used + self._spare

    def _is_gone(self, number: int) -> bool:
        return self._gone is not None and number in self._gone
