"""What is carried over a stage: streams of known bytes in one direction, compared by SHA-256 (rule G1).

Owns: the writing, the reading and the comparison. May not know: the link.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from random import Random
from typing import Any

from fastmux import constants as c
from fastmux.exceptions import WouldBlock
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import ChannelsReady, Closed, Event
from faults.stage import Broken, Stage

WRITE_LIMIT = c.WRITE_LIMIT
PATTERN = Random(11).randbytes(1 << 20)  # what all content is cut from; its period is longer than a window


class Sender:
    """Writes `size` bytes to one stream, from a place in PATTERN that is its own."""

    def __init__(self, connection: Connection, channel_id: int, size: int, number: int) -> None:
        self._connection = connection
        self._channel_id = channel_id
        self._left = size
        self._at = number * 7919 % len(PATTERN)
        self.digest = hashlib.sha256()

    def write(self) -> bool:
        """Write as much as may wait; True once everything is written."""
        data_path = self._connection.data_path
        while self._left and data_path.unsent_size(self._channel_id) < WRITE_LIMIT:
            size = min(self._left, WRITE_LIMIT, len(PATTERN) - self._at)
            piece = PATTERN[self._at : self._at + size]
            data_path.write(self._channel_id, piece)
            self.digest.update(piece)
            self._at = (self._at + size) % len(PATTERN)
            self._left -= size
        if not self._left:
            data_path.finish(self._channel_id)
        self._connection.touch()
        return not self._left


class Transfer:
    """Streams of these sizes, opened by the sending end as soon as it is open and its peer allows.

    `arrivals` says when something came and how much there was by then. `paused` stops the reading, `read`
    takes it up again. A stage may have several transfers of either direction, one each.
    """

    def __init__(self, stage: Stage, sizes: Sequence[int], *, upload: bool = False) -> None:
        self._stage = stage
        self._upload = upload
        self._sizes = sizes
        self._senders: dict[int, Sender] = {}
        self._digests: dict[int, Any] = {}
        self._expected: dict[int, str] = {}
        self._ready: dict[int, None] = {}
        self._opened = 0
        self._over: set[int] = set()
        self.paused = False
        self.received = 0
        self.arrivals: list[tuple[float, int]] = []
        source, sink = (stage.client, stage.server) if upload else (stage.server, stage.client)
        stage.hear(source, self._on_source)
        stage.hear(sink, self._on_sink)

    @property
    def size(self) -> int:
        """Bytes of all streams."""
        return sum(self._sizes)

    @property
    def source(self) -> Connection:
        """The sending end."""
        return self._stage.connection if self._upload else self._stage.accepted

    @property
    def sink(self) -> Connection:
        """The reading end."""
        return self._stage.accepted if self._upload else self._stage.connection

    @property
    def is_done(self) -> bool:
        """True once every stream was read to its end."""
        return len(self._over) == len(self._sizes)

    def run(self, timeout: float = 600.0) -> float:
        """Run until everything arrived; gives the seconds since the stage began."""
        self._stage.network.run(lambda: self.is_done, timeout)
        self.check()
        return self._stage.elapsed

    def check(self) -> None:
        """G1: everything is there, byte by byte. Raises `Broken`."""
        found = {channel_id: digest.hexdigest() for channel_id, digest in self._digests.items()}
        if found != self._expected:
            raise Broken(f"{self.received} of {self.size} bytes came, or others than were sent")

    def longest_gap(self) -> float:
        """The longest time in which nothing came, in seconds."""
        times = [at for at, _ in self.arrivals]
        return max((after - before for before, after in pairwise(times)), default=0.0)

    def received_by(self, seconds: float) -> int:
        """How many bytes had come so many seconds after the beginning."""
        at = self._stage.began_at + seconds
        place = bisect_right(self.arrivals, at, key=itemgetter(0))
        return self.arrivals[place - 1][1] if place else 0

    def next_arrival(self, seconds: float) -> float:
        """How long after that time something came. Raises `Broken` if nothing did."""
        at = self._stage.began_at + seconds
        for when, _ in self.arrivals:
            if when >= at:
                return when - at
        raise Broken(f"nothing came after {seconds} s")

    def _is_ours(self, connection: Connection, *, at_client: bool) -> bool:
        """True for the first connection's end, once it is open; at the server others may come later."""
        if at_client:
            return connection is self._stage.connection and connection.is_open
        accepted = self._stage.server.accepted
        return bool(accepted) and connection is accepted[0] and connection.is_open

    # --- the sending end ---------------------------------------------------------------------------------

    def _on_source(self, connection: Connection, event: Event) -> None:
        if isinstance(event, Closed) or not self._is_ours(connection, at_client=self._upload):
            return
        self._open(connection)
        if not isinstance(event, ChannelsReady):
            return
        for channel_id, flags in event.ready:
            if channel_id in self._senders:
                self._write(channel_id)
            elif flags & c.READY_READABLE and channel_id in self._expected:
                connection.data_path.read(channel_id, 1)
                connection.data_path.release(channel_id)
                connection.touch()

    def _open(self, connection: Connection) -> None:
        while self._opened < len(self._sizes):
            try:
                channel_id = connection.data_path.open(c.KIND_STREAM)
            except WouldBlock:
                return
            self._senders[channel_id] = Sender(
                connection, channel_id, self._sizes[self._opened], self._opened
            )
            self._opened += 1
            self._write(channel_id)

    def _write(self, channel_id: int) -> None:
        if self._senders[channel_id].write():
            self._expected[channel_id] = self._senders.pop(channel_id).digest.hexdigest()

    # --- the reading end ---------------------------------------------------------------------------------

    def _on_sink(self, connection: Connection, event: Event) -> None:
        if isinstance(event, ChannelsReady) and self._is_ours(connection, at_client=not self._upload):
            mine = self._upload ^ 1
            self._ready |= {channel_id: None for channel_id, _ in event.ready if channel_id & 1 == mine}
            if not self.paused:
                self.read()

    def read(self) -> None:
        """Read all that is there."""
        ready, self._ready = self._ready, {}
        data_path = self.sink.data_path
        for channel_id in ready:
            if channel_id in self._over:
                continue
            digest = self._digests.setdefault(channel_id, hashlib.sha256())
            while piece := data_path.read(channel_id, WRITE_LIMIT):
                digest.update(piece)
                self.received += len(piece)
            if piece is None:
                self._over.add(channel_id)
                data_path.finish(channel_id)
                data_path.release(channel_id)
        self.arrivals.append((self._stage.network.now, self.received))
        self.sink.touch()
