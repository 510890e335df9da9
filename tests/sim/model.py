"""What may be delivered: one object for each direction of a channel, told by both ends what they did and saw.

Owns: the rules of delivery. May not know: packets, connections, how anything is carried. It takes sides with
nobody: every call either fits what was said before or raises `Wrong`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from enum import Enum
from hashlib import blake2b

from sim.content import message_content, stream_content


class Wrong(AssertionError):
    """Something was delivered that must not be, or was not although it must."""


class Fate(Enum):
    """How the receiving end saw its direction end."""

    NONE = "nothing"
    END = "the end"
    RESET = "a reset"
    STOPPED = "its own stop"


class Flow(ABC):
    """One direction of a channel. Sizes are bytes.

    `waiting`, set while the receiver is there, gives the bytes that it could take now.
    """

    def __init__(self, name: str) -> None:
        self.key = name.encode()
        self.name = name
        self.written_size = 0
        self.received_size = 0
        self.finished = False
        self.reset_code: int | None = None
        self.stop_code: int | None = None
        self.fate = Fate.NONE
        self.waiting: Callable[[], int] | None = None

    def require(self, holds: bool, text: str) -> None:
        """Raise `Wrong` unless `holds`."""
        if not holds:
            raise Wrong(f"{self.name}: {text} ({self})")

    def __str__(self) -> str:
        return (
            f"written {self.written_size}, received {self.received_size}, finished {self.finished}, "
            f"reset {self.reset_code}, stopped {self.stop_code}, saw {self.fate.value}"
        )

    # --- what the sender did and saw -----------------------------------------------------------------

    def finish(self) -> None:
        """The sender ended it."""
        self.finished = True

    def reset(self, code: int) -> None:
        """The sender gave it up (after its end too: then either may be seen)."""
        if self.reset_code is None:
            self.reset_code = code

    def saw_stop(self, code: int | None) -> None:
        """The sender was told that the receiver wants no more."""
        self.require(code is not None and code == self.stop_code, f"a stop with code {code}")

    def saw_delivered(self) -> None:
        """The sender was told that all is acknowledged: then the receiver has it, or had it."""
        if self.waiting is not None and self.fate is Fate.NONE and self.is_complete_when_acked:
            waiting = self.waiting()
            self.require(self.received_size + waiting == self.written_size, f"delivered, {waiting} waiting")

    # --- what the receiver did and saw -----------------------------------------------------------------

    def stop(self, code: int) -> None:
        """The receiver wants no more."""
        self._end(Fate.STOPPED)
        self.stop_code = code

    def saw_end(self) -> None:
        """The receiver was told that this is all."""
        self._end(Fate.END)
        self.require(self.finished, "an end that nobody wrote")
        self.require(self.is_whole, "an end before everything came")

    def saw_reset(self, code: int) -> None:
        """The receiver was told that the sender gave up."""
        self._end(Fate.RESET)
        self.require(code == self.reset_code, f"a reset with code {code}")

    def _end(self, fate: Fate) -> None:
        self.require(self.fate is Fate.NONE, f"{fate.value} after the end")
        self.fate = fate
        self.waiting = None

    # --- the verdict -------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything is over: what was not cut off by its own ends must have arrived."""
        if self.stop_code is not None:
            return
        if self.reset_code is not None:
            seen = (Fate.RESET, Fate.END) if self.finished else (Fate.RESET,)
            self.require(self.fate in seen, "a reset that was not seen")
        elif self.finished:
            self.require(self.fate is Fate.END, "an end that was not seen")

    @property
    @abstractmethod
    def is_whole(self) -> bool:
        """True if everything that has to arrive has arrived."""

    @property
    @abstractmethod
    def is_complete_when_acked(self) -> bool:
        """True if acknowledged means delivered, for all that was written."""


class StreamFlow(Flow):
    """Bytes: all of them, in order."""

    def next_piece(self, size: int) -> bytes:
        """Give the next `size` bytes to write."""
        data = stream_content(self.key, self.written_size, size)
        self.written_size += size
        return data

    def arrived(self, data: bytes) -> None:
        """The receiver got these bytes."""
        self.require(self.fate is Fate.NONE, "bytes after the end")
        start = self.received_size
        self.received_size += len(data)
        self.require(self.received_size <= self.written_size, f"{len(data)} bytes that nobody wrote")
        self.require(data == stream_content(self.key, start, len(data)), f"wrong bytes at {start}")

    @property
    def is_whole(self) -> bool:
        return self.received_size == self.written_size

    @property
    def is_complete_when_acked(self) -> bool:
        return True


class MessageFlow(Flow):
    """Messages: each at most once and whole; all of them if reliable; in their order if ordered."""

    def __init__(self, name: str, *, ordered: bool, reliable: bool) -> None:
        super().__init__(name)
        self._ordered = ordered
        self._reliable = reliable
        self._sent: list[bytes] = []
        self._next = 0
        self._outstanding: Counter[bytes] = Counter()
        self._received_count = 0

    def next_message(self, size: int) -> bytes:
        """Give the next message to send, of `size` bytes."""
        data = message_content(self.key, len(self._sent), size)
        digest = blake2b(data, digest_size=16).digest()
        self._sent.append(digest)
        self._outstanding[digest] += 1
        self.written_size += size
        return data

    def take_back(self, data: bytes) -> None:
        """The newest message was not taken by the sending end after all."""
        digest = self._sent.pop()
        self.require(digest == blake2b(data, digest_size=16).digest(), "another message taken back")
        self._outstanding[digest] -= 1
        self.written_size -= len(data)

    def arrived(self, data: bytes) -> None:
        """The receiver got this message."""
        self.require(self.fate is Fate.NONE, "a message after the end")
        digest = blake2b(data, digest_size=16).digest()
        if self._ordered:
            self._arrived_in_order(digest, len(data))
        else:
            self.require(self._outstanding[digest] > 0, f"{len(data)} bytes never sent, or twice")
            self._outstanding[digest] -= 1
        self.received_size += len(data)
        self._received_count += 1

    def _arrived_in_order(self, digest: bytes, size: int) -> None:
        for index in range(self._next, len(self._sent)):
            if self._sent[index] == digest:
                left_out = index - self._next
                self.require(not (left_out and self._reliable), f"{left_out} messages left out")
                self._next = index + 1
                return
        self.require(False, f"{size} bytes never sent, twice or out of order")

    @property
    def is_whole(self) -> bool:
        return not self._reliable or self._received_count == len(self._sent)

    @property
    def is_complete_when_acked(self) -> bool:
        return self._reliable


class DatagramFlow(MessageFlow):
    """Datagrams: each at most once and whole, in any order. One of up to `small` bytes fits every path."""

    def __init__(self, name: str, small: int) -> None:
        super().__init__(name, ordered=False, reliable=False)
        self._small = small
        self._small_left = 0

    def next_message(self, size: int) -> bytes:
        self._small_left += size <= self._small
        return super().next_message(size)

    def take_back(self, data: bytes) -> None:
        self._small_left -= len(data) <= self._small
        super().take_back(data)

    def arrived(self, data: bytes) -> None:
        super().arrived(data)
        self._small_left -= len(data) <= self._small

    def check(self) -> None:
        """The network lost nothing: no small one may be missing."""
        self.require(self._small_left == 0, f"{self._small_left} datagrams are missing")
