"""A server in virtual time with a well-behaved client beside whoever attacks it.

Owns: the nodes, what the server's application does, trains of hostile datagrams, what all of it holds. May
not know: what any attack is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ConnectionClosed
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import Address, ChannelsReady, Closed, Event
from network import Conditions, Network, Node
from protocol.scripted import SMALL, Script, ScriptedHandshake

PATH = Conditions(delay=0.005, rate=2_500_000.0)  # 20 Mbit/s, 10 ms
_READ_SIZE = 1 << 20
_RECORDED = 512


class Shot(NamedTuple):
    """One hostile datagram, and the address that it seems to come from."""

    data: bytes
    source: Address


@dataclass(frozen=True, slots=True)
class Client:
    """A client's node and both ends of its connection."""

    node: Node
    near: Connection
    far: Connection


class World:
    """All ends have the same configuration.

    The server reads what the connections in `readers` send, and nothing of anybody else's. `heard` are the
    newest datagrams of a client that was recorded.
    """

    def __init__(
        self, seed: int = 1, *, configuration: Configuration | None = None, script: Script = SMALL
    ) -> None:
        self.network = Network(seed, PATH)
        self.network.drop = self._overhear
        self.script = script
        self._configuration = configuration
        self.server = self.network.add("server", configuration, accept=self._make_handshake)
        self.server.application = self._on_event
        self.readers: set[Connection] = set()
        self.heard: deque[bytes] = deque(maxlen=_RECORDED)
        self.errors: dict[Connection, ConnectionError] = {}  # with which the server's ends closed
        self.ended_at: float | None = None  # when a reader's stream was read to its end
        self.numbers: dict[bytes, list[int]] = {}  # of the server's packets, by the id of the muted client
        self._listens_to: Connection | None = None

    def _make_handshake(self) -> ScriptedHandshake:
        return ScriptedHandshake(False, self.script)

    def _overhear(self, index: int, data: bytes) -> bool:
        if self._listens_to is not None and data[1:9] == self._listens_to.ids.local:
            self.heard.append(data)
        numbers = self.numbers.get(data[1:9])
        if numbers is not None and not data[0] & c.FORM_LONG:
            numbers.append(int.from_bytes(data[9:13], "big"))
        return False

    # --- clients ----------------------------------------------------------------------------------------

    def connect(self, name: str, *, is_read: bool = False) -> Client:
        """Open a connection from a node of its own; the server's application reads it if asked to."""
        node = self.network.add(name, self._configuration)
        known = len(self.server.accepted)
        handshake = ScriptedHandshake(True, self.script)
        near = node.endpoint.connect(self.server.address, handshake, self.network.now)
        self.network.run(lambda: near.has_opened and len(self.server.accepted) > known)
        client = Client(node, near, self.server.accepted[-1])
        if is_read:
            self.readers.add(client.far)
        return client

    def mute(self, client: Client) -> None:
        """Let nothing pass by itself any more, either way: what the server hears is what it is shot."""
        dark = Conditions(dark=((0.0, float("inf")),))
        self.network.link(client.node, self.server).conditions = dark
        self.network.link(self.server, client.node).conditions = dark
        self.numbers[client.near.ids.local] = []

    def record(self, client: Client, size: int = 30_000) -> None:
        """Overhear what a client says."""
        self._listens_to = client.far
        self.transfer(client, size)
        self._listens_to = None

    def code(self, connection: Connection) -> int | None:
        """The code with which the server's end closed, None while it did not."""
        error = self.errors.get(connection)
        return error.code if isinstance(error, ConnectionClosed) else None

    def _on_event(self, connection: Connection, event: Event) -> None:
        if isinstance(event, Closed):
            self.errors[connection] = event.error
        elif connection in self.readers and isinstance(event, ChannelsReady):
            for channel_id, flags in event.ready:
                if flags & c.READY_READABLE:
                    self._read(connection, channel_id)
            connection.touch()

    def _read(self, connection: Connection, channel_id: int) -> None:
        piece: bytes | None = b"?"
        while piece:
            piece = connection.data_path.read(channel_id, _READ_SIZE)
        if piece is None:
            self.ended_at = self.network.now
            connection.data_path.release(channel_id)

    # --- shots ------------------------------------------------------------------------------------------

    def shoot(self, shots: Iterable[Shot]) -> int:
        """Let hostile datagrams arrive now, joined to trains as a network card would; returns how many."""
        count = 0
        for train in trains(shots):
            self.server.receive([shot.data for shot in train], train[0].source, self.network.now)
            count += len(train)
        self.network.run_for(0.0)
        return count

    def forget(self) -> None:
        """Drop what only the harness keeps, so that it does not count as growth."""
        for node in self.network.nodes.values():
            node.events.clear()

    # --- the well-behaved connection --------------------------------------------------------------------

    def begin(self, client: Client, size: int) -> None:
        """Have a well-behaved client begin to send so much, which the server reads."""
        self.ended_at = None
        data_path = client.near.data_path
        channel_id = data_path.open(c.KIND_STREAM)
        data_path.write(channel_id, bytes(size))
        data_path.finish(channel_id)
        client.near.touch()

    def transfer(self, client: Client, size: int) -> float:
        """How many virtual seconds that takes."""
        start = self.network.now
        self.begin(client, size)
        self.network.run(lambda: self.ended_at is not None)
        return self.network.now - start


def trains(shots: Iterable[Shot]) -> Iterator[list[Shot]]:
    """What one receiving call would give: from one address, all of one size, the last perhaps shorter."""
    train: list[Shot] = []
    for shot in shots:
        if train and not _goes_on(train, shot):
            yield train
            train = []
        train.append(shot)
    if train:
        yield train


def _goes_on(train: list[Shot], shot: Shot) -> bool:
    first, last = train[0], train[-1]
    return (
        shot.source == first.source
        and 0 < len(shot.data) <= len(last.data) == len(first.data)
        and len(train) < c.MAX_TRAIN_SEGMENTS
        and (len(train) + 1) * len(first.data) <= c.MAX_TRAIN_SIZE
    )


def live_size() -> int:
    """Bytes that the core holds."""
    size: int = core.live()[0]
    return size
