"""One path to the peer: whether it is really there, and how much it may be sent until that is known.

Owns: the anti-amplification account (RFC 9000 §8.1) and the challenge of the handshake. May not know:
packets, where random bytes come from, which path is used.
"""

from __future__ import annotations

from fastmux.constants import AMPLIFICATION_FACTOR, MAX_PATH_CHALLENGES
from fastmux.protocol.events import Address
from fastmux.protocol.path_state import PathState
from fastmux.protocol.remote_ids import RemoteId
from fastmux.protocol.validation import Validation


class Path:
    """An address of the peer, the local path `via` (which socket) by which it is reached, and what is known.

    Sizes are UDP payload bytes. `remote` is the peer's id for packets on it, `local_id` the one of ours that
    packets on it came with; `state` is what was learnt on it when it was left, `leaves_at` when it may be
    forgotten, `wants_use`: use it as soon as it is validated.

    Invariant: while not validated, `sent <= AMPLIFICATION_FACTOR * received`, as long as the owner keeps to
    `send_limit`. At most MAX_PATH_CHALLENGES challenges, the newest, can still be answered.
    """

    __slots__ = (
        "_challenges",
        "_received_size",
        "_sent_size",
        "address",
        "is_validated",
        "leaves_at",
        "local_id",
        "remote",
        "state",
        "validation",
        "via",
        "wants_use",
    )

    def __init__(self, address: Address, is_validated: bool, via: int = 0, local_id: bytes = b"") -> None:
        self.address = address
        self.via = via
        self.is_validated = is_validated
        self.local_id = local_id
        self.remote: RemoteId | None = None
        self.validation: Validation | None = None
        self.state: PathState | None = None
        self.leaves_at: float | None = None
        self.wants_use = False
        self._received_size = 0
        self._sent_size = 0
        self._challenges: tuple[bytes, ...] = ()

    @property
    def send_limit(self) -> int | None:
        """The bytes that may still be sent, None for any number."""
        if self.is_validated:
            return None
        return max(AMPLIFICATION_FACTOR * self._received_size - self._sent_size, 0)

    def on_received(self, size: int) -> None:
        """A datagram came from the address, whether or not its packet could be read."""
        self._received_size += size

    def on_sent(self, size: int) -> None:
        """A datagram went to the address."""
        self._sent_size += size

    def challenge(self, data: bytes) -> None:
        """Remember the 8 random bytes of a PATH_CHALLENGE that is being sent.

        Raises `ValueError` if they are not 8.
        """
        if len(data) != 8:
            raise ValueError(f"a path challenge has 8 bytes, not {len(data)}")
        self._challenges = (*self._challenges, data)[-MAX_PATH_CHALLENGES:]

    def on_response(self, data: bytes) -> bool:
        """Take a PATH_RESPONSE. Return True if it answers a challenge, which validates the path."""
        if data not in self._challenges:
            return False
        self.validate()
        return True

    def validate(self) -> None:
        """The address is real: proved by a token, a response or a verified Finished."""
        self.is_validated = True
        self._challenges = ()
