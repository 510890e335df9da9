"""A connection whose two ends have its keys already, from one that they trust: it needs no handshake.

Owns: how such a connection begins, and how the end that does not know the peer's port learns it. May not
know: where keys and ids come from, sockets.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import Address, Opened, Transmit
from fastmux.protocol.handshake import PacketKeys, PeerIdentity
from fastmux.protocol.parameters import Parameters
from fastmux.protocol.surroundings import Ids, Surroundings


class Session(NamedTuple):
    """What a keyed connection begins with.

    `keys` were never used before, else nonces would repeat; `ids.first` is empty; `limits` are what the peer
    announced, `peer` who it is.
    """

    keys: PacketKeys
    ids: Ids
    limits: Parameters
    peer: PeerIdentity


class KeyedConnection(Connection):
    """One end of a connection that is open from the start. Made through `Endpoint.add`.

    The client knows the server's address and speaks first. The server knows the client's host, not its port:
    the source of the first authentic packet from that host is the peer's address from then on, so it is
    proved by the keys, and whoever repeats packets from elsewhere gets no answer.

    Invariant: until `is_reached` nothing is sent, and nothing is due.
    """

    __slots__ = ("_session", "is_reached")

    def __init__(
        self, is_client: bool, address: Address, session: Session, surroundings: Surroundings
    ) -> None:
        super().__init__(is_client, address, None, session.ids, surroundings)
        self._session: Session | None = session
        self.is_reached = is_client

    def start(self, now: float) -> None:
        """Install the keys and open. A client's first packet, if only a PING, tells the server its port."""
        session, self._session = self._session, None
        if session is None:
            return
        data = self._data
        data.liveness.on_handshake_packet(now)
        self._install(session.keys, session.ids.remote, session.limits)
        data.confirm(now)
        self.peer = session.peer
        self.is_open = True
        self._events.append(Opened(session.peer))
        if self.is_client:
            data.control.keep_alive()
        self.touch()

    def receive(
        self,
        buffer: bytearray | memoryview,
        start: int,
        stop: int,
        segment_size: int,
        address: Address,
        now: float,
        via: int = 0,
    ) -> int:
        """Take packets as any connection does; the first authentic one says where the client is."""
        if self.is_reached:
            return super().receive(buffer, start, stop, segment_size, address, now, via)
        if self.is_closed or address[0] != self.address[0]:
            return min(segment_size, stop - start)
        before, place = self._received(), self._path.address
        self._path.address = address
        consumed = super().receive(buffer, start, stop, segment_size, address, now, via)
        self.is_reached = self._closing is not None or self._received() > before
        if self.is_reached:
            self._path.validate()
        else:
            self._path.address = place
        return consumed

    def forget(self, now: float) -> None:
        """Both ends have everything and know it, or the peer hears it otherwise: end without a packet."""
        if not self.is_closed:
            self._end(ConnectionClosed(), [], now, is_gone=True)
        with suppress(ClosedResourceError):  # a close of this end had done it
            self.data_path.close()

    def _received(self) -> int:
        return self.data_path.counters()["packets_received"]

    def wants_transmit(self, now: float) -> bool:
        """False if `transmit` would surely give nothing."""
        return self.is_reached and super().wants_transmit(now)

    def transmit(self, buffer: bytearray | memoryview, now: float) -> Transmit | None:
        """Fill trains as any connection does; nothing may go while nobody knows where to."""
        return super().transmit(buffer, now) if self.is_reached else None

    def deadline(self) -> float | None:
        """When to call `handle_timeout`; whoever waits for the client has a limit of his own."""
        return super().deadline() if self.is_reached or self.is_closed else None
