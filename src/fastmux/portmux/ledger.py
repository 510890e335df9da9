"""Which channels there are: their numbers, their limits and the secrets that are used up with them.

Owns: the order of ids and the two counts. May not know: sockets, messages, what a channel carries.
"""

from __future__ import annotations

from fastmux import constants as c
from fastmux.exceptions import ProtocolError, WouldBlock
from fastmux.portmux.keys import KeyChain, Root


class Ledger:
    """The channels of one connection, of both ends.

    `own_limit` and `peer_limit` are how many channels each end may have opened at once.

    Invariant: `_own` and `_peers` are the ids of the channels that are open, within the limits; an id below
    the next index was used and is never used again, and so its secret was taken from its opener's chain.
    """

    def __init__(self, is_client: bool, root: Root, own_limit: int, peer_limit: int) -> None:
        self._role = c.ROLE_CLIENT if is_client else c.ROLE_SERVER
        self._own_limit, self._peer_limit = own_limit, peer_limit
        self._own: set[int] = set()
        self._peers: set[int] = set()
        self._next_own = self._next_peer = 0
        self._own_chain = KeyChain(root, is_client)
        self._peer_chain = KeyChain(root, not is_client)

    def __len__(self) -> int:
        return len(self._own) + len(self._peers)

    def __contains__(self, channel_id: object) -> bool:
        return channel_id in self._own or channel_id in self._peers

    def is_own(self, channel_id: int) -> bool:
        """Whether this end opens channels of that number."""
        return channel_id & 1 == self._role

    def check_room(self) -> None:
        """Raise `WouldBlock` where `open` would."""
        if len(self._own) >= self._own_limit:
            raise WouldBlock(f"{self._own_limit} channels of this end are open")

    def open(self, kind: int) -> tuple[int, bytes]:
        """The id and the secret of a new channel of this end. Raises `WouldBlock` at the limit."""
        self.check_room()
        channel_id = self._next_own << 2 | kind << 1 | self._role
        self._next_own += 1
        self._own.add(channel_id)
        return channel_id, self._own_chain.take()

    def accept(self, channel_id: int) -> bytes:
        """The secret of a channel that the peer opens.

        Raises `ProtocolError`: CHANNEL_STATE_ERROR out of order, CHANNEL_LIMIT_ERROR above the limit.
        """
        if self.is_own(channel_id) or channel_id >> 2 != self._next_peer:
            raise ProtocolError(c.CHANNEL_STATE_ERROR, f"channel {channel_id} is not the next one to open")
        if len(self._peers) >= self._peer_limit:
            raise ProtocolError(c.CHANNEL_LIMIT_ERROR, f"more than {self._peer_limit} ports at once")
        self._next_peer += 1
        self._peers.add(channel_id)
        return self._peer_chain.take()

    def was_opened(self, channel_id: int) -> bool:
        """Whether the channel is open, or was."""
        return channel_id >> 2 < (self._next_own if self.is_own(channel_id) else self._next_peer)

    def close(self, channel_id: int) -> bool:
        """Free the place of a channel. False if it was free already."""
        for ids in (self._own, self._peers):
            if channel_id in ids:
                ids.remove(channel_id)
                return True
        return False
