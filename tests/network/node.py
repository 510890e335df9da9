"""One endpoint in the network, and what its application does.

Owns: the endpoint's driving: events drained, trains sent. May not know: where datagrams go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from fastmux.protocol.connection import Connection
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address, Closed, Event, Transmit

Application = Callable[[Connection, Event], None]
Send = Callable[[bytes, Address, int], None]  # datagram, to whom, by which local path
MAX_ROUNDS = 1000


class Node:
    """`application(connection, event)` may act at once on what it hears; `events` keeps all of it.

    `addresses` are where its datagrams seem to come from, by local path: behind a NAT they change.
    """

    def __init__(self, name: str, address: Address, endpoint: Endpoint) -> None:
        self.name = name
        self.addresses = [address]
        self.endpoint = endpoint
        self.application: Application | None = None
        self.tamper: Callable[[bytes], list[bytes]] | None = None  # what becomes of each datagram it sends
        self.accepted: list[Connection] = []
        self.events: dict[Connection, list[Event]] = defaultdict(list)
        self._buffer = bytearray(65536)

    @property
    def address(self) -> Address:
        """That of the first local path."""
        return self.addresses[0]

    def closed(self, connection: Connection) -> ConnectionError | None:
        """The error of the Closed event, None before it."""
        for event in self.events[connection]:
            if isinstance(event, Closed):
                return event.error
        return None

    def receive(self, train: list[bytes], source: Address, now: float, via: int = 0) -> None:
        """Take datagrams that came together: all of one size, the last may be shorter."""
        data = b"".join(train)
        self._buffer[: len(data)] = data
        self.endpoint.receive(self._buffer, len(data), len(train[0]), source, now, via)

    def drive(self, now: float, send: Send, hear: Callable[[Event], None]) -> None:
        """Drain events and send trains until nobody has anything more for now."""
        for _ in range(MAX_ROUNDS):
            self.accepted += self.endpoint.take_accepted()
            touched = self.endpoint.take_touched()
            for connection in touched:
                self._drain(connection, hear)
                while (transmit := connection.transmit(self._buffer, now)) is not None:
                    self._send(transmit, send)
                self._drain(connection, hear)
                self._check_timer(connection)
            while (transmit := self.endpoint.transmit(self._buffer, now)) is not None:
                self._send(transmit, send)
            if not touched:
                return
        raise AssertionError(f"{self.name} is touched again and again at {now}")

    def _check_timer(self, connection: Connection) -> None:
        """Whoever owes something has a timer armed: without one a single loss would be for ever."""
        if connection.is_closed:
            return
        data_path = connection.data_path
        if data_path.bytes_in_flight or data_path.has_pending or not connection.has_opened:
            assert connection.deadline() is not None, f"{self.name} owes something and has no timer"

    def _drain(self, connection: Connection, hear: Callable[[Event], None]) -> None:
        while (event := connection.next_event()) is not None:
            self.events[connection].append(event)
            hear(event)
            if self.application is not None:
                self.application(connection, event)

    def _send(self, transmit: Transmit, send: Send) -> None:
        size, segment_size, address, _, via = transmit
        assert 0 < size <= 65507
        assert segment_size > 0
        assert -(-size // segment_size) <= 64
        for start in range(0, size, segment_size):
            send(bytes(self._buffer[start : min(start + segment_size, size)]), address, via)
