"""What happened, as one hash: two runs with the same seed must give the same.

Owns: the hash. May not know: who tells it what.
"""

from __future__ import annotations

import hashlib
import struct


class Trace:
    """SHA-256 over all datagrams sent and all events, with their times."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._told = hashlib.sha256()  # of the events alone
        self.datagrams = 0
        self.events = 0

    def datagram(self, source: str, target: str, data: bytes, now: float) -> None:
        """A datagram was sent."""
        self.datagrams += 1
        self._add(b"d", f"{source}>{target}".encode(), data, now)

    def event(self, node: str, event: object, now: float) -> None:
        """A connection told its user something."""
        self.events += 1
        text = repr(event).encode()
        self._add(b"e", node.encode(), text, now)
        self._told.update(struct.pack("!d", now) + text)

    def digest(self) -> str:
        """The hash so far."""
        return self._hash.hexdigest()

    def told(self) -> str:
        """The hash of the events so far, without the datagrams."""
        return self._told.hexdigest()

    def _add(self, kind: bytes, name: bytes, data: bytes, now: float) -> None:
        self._hash.update(kind + struct.pack("!dII", now, len(name), len(data)))
        self._hash.update(name + data)
