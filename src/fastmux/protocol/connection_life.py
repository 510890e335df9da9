"""What a connection consists of, what is known of it, and how it ends, whoever ends it.

Owns: its parts, its events, and the way from open to closed. May not know: how datagrams and time drive it
(`Connection` does).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ClosedResourceError, ConnectionClosed, HandshakeError, ProtocolError
from fastmux.protocol.budget import Budget
from fastmux.protocol.closing import Closing, encode_close
from fastmux.protocol.data_space import DataSpace
from fastmux.protocol.events import Address, Closed, Event
from fastmux.protocol.handshake import Handshake, PeerIdentity
from fastmux.protocol.handshake_packets import HandshakePackets
from fastmux.protocol.handshake_space import HandshakeSpace
from fastmux.protocol.handshaking import Handshaking, failure_of
from fastmux.protocol.mobility import Mobility
from fastmux.protocol.parameters import encode_parameters, parameters_of
from fastmux.protocol.path import Path
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.statistics import ConnectionStatistics
from fastmux.protocol.surroundings import Ids, Surroundings

FAILURES: Final = (ProtocolError, MemoryError)
"""What ends a connection wherever it comes up: the peer broke a rule, or there is no memory to go on with."""

_GREASE_SIZE = 5


class ConnectionLife(ABC):
    """Invariant: `_handshaking` is there until the handshake is confirmed, `_mobility` as soon as there are
    keys, `_closing` from the moment `is_closed`; the events are `Opened` at most once, then others, then
    `Closed` once and nothing after it. `_path` is the path in use.
    """

    __slots__ = (
        "__weakref__",
        "_batch_at",
        "_closing",
        "_data",
        "_events",
        "_final_statistics",
        "_handshaking",
        "_id_table",
        "_mobility",
        "_path",
        "_random_bytes",
        "_rearm",
        "_shutdown",
        "_touch",
        "configuration",
        "ids",
        "is_client",
        "is_closed",
        "is_open",
        "origin",
        "peer",
        "user_data",
    )

    def __init__(
        self,
        is_client: bool,
        address: Address,
        handshake: Handshake | None,
        ids: Ids,
        surroundings: Surroundings,
    ) -> None:
        """`handshake` is None where both ends have the keys already (`fastmux.protocol.keyed`)."""
        configuration, random_bytes, self._touch, self._rearm, self._id_table = surroundings
        self.is_client = is_client
        self.configuration = configuration
        self.ids = ids
        self.peer: PeerIdentity | None = None
        self.is_open = False
        self.is_closed = False
        self.user_data: object = None
        rtt = RttEstimator(configuration.initial_rtt)
        self._random_bytes = random_bytes
        self._events: list[Event] = []
        self.origin = address  # where the peer was at the handshake
        self._path = Path(address, is_validated=is_client, local_id=ids.local)
        self._mobility: Mobility | None = None
        self._handshaking = None if handshake is None else self._make_handshaking(handshake, rtt)
        self._data = DataSpace(is_client, ids.local, rtt, configuration, random_bytes)
        self._batch_at: float | None = None  # when something came that no policy has seen yet
        self._closing: Closing | None = None
        self._shutdown: tuple[int, str] | None = None
        self._final_statistics: ConnectionStatistics | None = None

    def _make_handshaking(self, handshake: Handshake, rtt: RttEstimator) -> Handshaking:
        configuration, ids = self.configuration, self.ids
        packets = HandshakePackets(
            is_client=self.is_client,
            version=handshake.version,
            local_id=ids.local,
            remote_id=ids.remote,
            first_id=ids.first,
        )
        grease = self._random_bytes(_GREASE_SIZE)
        return Handshaking(
            handshake,
            HandshakeSpace(packets, rtt, is_client=self.is_client),
            self._path,
            is_client=self.is_client,
            parameters=encode_parameters(parameters_of(configuration), grease=grease),
            first_id=ids.first,
            retry=ids.retry,
        )

    @property
    def data_path(self) -> core.DataPath:
        """The channels."""
        return self._data.data_path

    @property
    def address(self) -> Address:
        """Where the peer is."""
        return self._path.address

    @property
    def local_ids(self) -> tuple[bytes, ...]:
        """The ids by which this end is addressed."""
        return (self.ids.local,) if self._mobility is None else self._mobility.local_ids

    @property
    def reset_tokens(self) -> tuple[bytes, ...]:
        """By which of the endpoint's tokens the peer can say that it knows this connection no more."""
        return () if self._mobility is None else self._mobility.reset_tokens

    @property
    def has_opened(self) -> bool:
        """True once the handshake was over, whatever came later."""
        return self.peer is not None

    @property
    def last_seen(self) -> float:
        """When the last authentic packet came (when the connection began, before the first)."""
        return self._data.liveness.last_seen

    # --- what the user does --------------------------------------------------------------------------

    @abstractmethod
    def touch(self) -> None:
        """Something was done with the connection: it may have something to send or to say."""

    def statistics(self) -> ConnectionStatistics:
        """Give the figures of now, or of the end."""
        mobility = self._mobility
        counts = (0, 0) if mobility is None else (mobility.migrations, mobility.paths_validated)
        return self._final_statistics or self._data.statistics(*counts)

    def budget(self) -> Budget:
        """Give what the connection holds now; O(channels). `budget_of` says how much that may become.

        Raises `ClosedResourceError` when everything is freed.
        """
        handshake = 0 if self._handshaking is None else self._handshaking.held_size
        return Budget(self.data_path.charges(), handshake, self._data.control.kept_size)

    def shutdown(self, code: int, reason: str, now: float) -> None:
        """Close as soon as everything that was accepted for sending is acknowledged."""
        if not self.is_closed and self._shutdown is None:
            self._shutdown = (code, reason)
            self.is_open = False
            self.touch()

    def close(self, code: int, reason: str, now: float) -> None:
        """Close at once, with a code of the application: what is unsent or unread is lost."""
        self._leave(c.FRAME_APPLICATION_CLOSE, code, reason, ConnectionClosed(code, reason), now)

    def fail(self, code: int, reason: str, now: float) -> None:
        """Close at once because a rule of the transport was broken."""
        error: ConnectionError = ConnectionClosed(code, reason)
        if not self.has_opened:
            error = HandshakeError(f"{reason} (code {code:#x})")
        self._leave(c.FRAME_CONNECTION_CLOSE, code, reason, error, now)

    def fail_by(self, error: ProtocolError | MemoryError, now: float) -> None:
        """Close at once for what one of `FAILURES` says. What was under way is in no state to go on."""
        if isinstance(error, MemoryError):
            self.fail(c.INTERNAL, "out of memory", now)
        else:
            self.fail(error.code, error.reason, now)

    def discard(self) -> None:
        """After the end: free what was still kept for reading."""
        if self.is_closed:
            self.data_path.close()

    def forsake(self) -> ConnectionClosed | None:
        """In a child of fork: the connection is the parent's. It ends here without a word, keys freed.

        Gives the error, for whoever waits here; None if the end was told before. No observer hears of it: its
        record is the parent's.
        """
        was_told = self.is_closed and not self._events
        reason = "this process was forked off: the connection stays with the parent"
        error = ConnectionClosed(c.FORKED, reason)
        if not self.is_closed:
            self._end(error, [], 0.0, is_gone=True)
        self._events.clear()
        with suppress(ClosedResourceError):  # it ended before the fork
            self.data_path.close()
        return None if was_told else error

    # --- the end ------------------------------------------------------------------------------------

    def on_stateless_reset(self, now: float) -> None:
        """The peer says that it knows this connection no more: there is nobody to say anything to."""
        if not self.is_closed:
            text = "the peer knows this connection no more: it was restarted, or has given it up"
            error = ConnectionClosed(c.CONNECTION_UNKNOWN, text, remote=True)
            self._end(error, [], now, is_gone=True)

    def abandon(self, error: ConnectionError, now: float) -> None:
        """End without a word to the peer, because nothing can be sent any more."""
        if not self.is_closed:
            self._end(error, [], now, is_gone=True)

    def _finish_shutdown(self, now: float) -> None:
        if self._shutdown is not None and not self.is_closed and self._data.is_idle:
            self.close(*self._shutdown, now)

    def _fail_handshake(self, error: HandshakeError, now: float) -> None:
        code, reason = failure_of(error)
        self._leave(c.FRAME_CONNECTION_CLOSE, code, reason, error, now)

    def _leave(self, frame_type: int, code: int, reason: str, error: ConnectionError, now: float) -> None:
        """Seal the last packets, under every kind of keys that the peer may have, and end."""
        if self.is_closed:
            return
        packets: list[bytes] = []
        with suppress(MemoryError):  # then it ends without a word
            if self._handshaking is not None:
                packets += self._handshaking.last_packets(frame_type, code, reason, now)
            if self._data.has_keys:
                packets.append(self._data.last_packet(encode_close(frame_type, code, reason), now))
        self._end(error, packets, now)
        self.data_path.close()

    def _end(
        self, error: ConnectionError, packets: list[bytes], now: float, *, is_gone: bool = False
    ) -> None:
        """Become closed. `is_gone`: there is nobody to wait for."""
        self._final_statistics = self.statistics()
        self.is_open = False
        self.is_closed = True
        pto = 0.0 if is_gone else self._data.traffic.pto()
        self._closing = Closing(packets, self._path, pto, now)
        self._handshaking = None
        # without its traceback: whoever keeps the error must not keep the connection with it
        self._events.append(Closed(error.with_traceback(None)))
        self.touch()
