"""The connection ids by which this end is addressed (RFC 9000 §5.1).

Owns: which of them the peer has, their numbers, and what a RETIRE_ID means. May not know: how ids and reset
tokens are made, when a frame is sent, what the peer does with an id.
"""

from __future__ import annotations

from typing import Protocol

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError


class IdTable(Protocol):
    """Whoever finds the connection of a packet by its destination id."""

    def new_id(self, known: bytes) -> bytes:
        """Make an unused id and let it lead to the connection that `known` leads to."""
        ...

    def drop_id(self, local_id: bytes) -> None:
        """Let this id lead nowhere."""
        ...

    def reset_token(self, local_id: bytes) -> bytes:
        """The 16 bytes that a stateless reset for this id ends in."""
        ...

    def watch_token(self, token: bytes, known: bytes) -> None:
        """Let a stateless reset with this token of the peer's end the connection that `known` leads to."""
        ...

    def forget_token(self, token: bytes) -> None:
        """Let this token of a peer's mean nothing any more."""
        ...


class LocalIds:
    """Ids of ours that the peer may use.

    Invariant: `ids` are those in the table, in the order of their `_numbers`, at most as many as both ends
    allow; there is always one. A number is never given twice.
    """

    __slots__ = ("_limit", "_next_number", "_numbers", "_table", "ids")

    def __init__(self, first: bytes, table: IdTable) -> None:
        """`first`, number 0, is that of the handshake and is in the table."""
        self.ids: tuple[bytes, ...] = (first,)
        self._numbers: tuple[int, ...] = (0,)
        self._next_number = 1
        self._limit = 1
        self._table = table

    def allow(self, active_id_limit: int) -> None:
        """The peer holds so many ids."""
        self._limit = min(active_id_limit, c.ISSUED_IDS)

    def complete_first(self) -> list[bytes]:
        """Give a NEW_ID frame with the reset token of the handshake's id, which the peer has without one."""
        first = self.ids[0]
        return [core.encode_frame((c.FRAME_NEW_ID, 0, 0, first, self._table.reset_token(first)))]

    def supply(self) -> list[bytes]:
        """Give NEW_ID frames for the ids that the peer lacks."""
        return self._issue(self.ids[0])

    def retire(self, number: int) -> list[bytes]:
        """The peer uses an id no more: gives the NEW_ID frames that replace it.

        Raises `ProtocolError` (PROTOCOL_VIOLATION) for one that was never given.
        """
        if number >= self._next_number:
            raise ProtocolError(c.PROTOCOL_VIOLATION, "an id retired that was never given")
        if number not in self._numbers:
            return []
        place = self._numbers.index(number)
        retired = self.ids[place]
        self._numbers = self._numbers[:place] + self._numbers[place + 1 :]
        self.ids = self.ids[:place] + self.ids[place + 1 :]
        frames = self._issue(retired)
        self._table.drop_id(retired)
        return frames

    def _issue(self, known: bytes) -> list[bytes]:
        frames: list[bytes] = []
        while len(self.ids) < self._limit:
            made = self._table.new_id(known)
            token = self._table.reset_token(made)
            frames.append(core.encode_frame((c.FRAME_NEW_ID, self._next_number, 0, made, token)))
            self.ids = (*self.ids, made)
            self._numbers = (*self._numbers, self._next_number)
            self._next_number += 1
        return frames
