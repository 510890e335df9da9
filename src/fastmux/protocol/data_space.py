"""The application packet-number space: the core's data path with the policies that drive it.

Owns: what happens once a batch and once a train, and in which order. May not know: the handshake that gave
the keys, how a connection ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.control import Control, Outcome
from fastmux.protocol.credit import Credit
from fastmux.protocol.events import ChannelsReady, DatagramsReceived
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.key_updates import KeyUpdates
from fastmux.protocol.liveness import Liveness
from fastmux.protocol.parameters import Parameters
from fastmux.protocol.path_state import PathState
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.statistics import ConnectionStatistics, gather
from fastmux.protocol.traffic import Traffic, earlier

_LAST_PACKET_SIZE = c.BASE_PLPMTU
_NOTHING_SAID = Parameters()


class Progress(NamedTuple):
    """How many packets came, and the number of the newest that did more than to probe."""

    packets: int
    newest: int


class DataSpace:
    """One end's application packets.

    Invariant: nothing is sent or opened before `install`; the user hears of channels and datagrams only after
    `confirm`, and only then are credit, pings and MTU probes sent.
    """

    __slots__ = (
        "_credit",
        "_peer",
        "_suite",
        "control",
        "data_path",
        "has_more",
        "is_confirmed",
        "key_updates",
        "liveness",
        "traffic",
    )

    def __init__(
        self,
        is_client: bool,
        local_id: bytes,
        rtt: RttEstimator,
        configuration: Configuration,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.data_path = make_data_path(is_client, local_id, configuration)
        self.has_more = False  # another `fill` may give a train at once
        self.is_confirmed = False
        self.traffic = Traffic(self.data_path, rtt, configuration, random_bytes)
        self.control = Control(self.data_path, self.traffic)
        self.key_updates = KeyUpdates(self.data_path, self.traffic, configuration)
        self.liveness = Liveness(self.data_path, configuration, is_client=is_client)
        self._credit = Credit(self.data_path, configuration)
        self._suite: int | None = None
        self._peer = _NOTHING_SAID

    @property
    def has_keys(self) -> bool:
        """True after `install`."""
        return self._suite is not None

    @property
    def is_key_exhausted(self) -> bool:
        """True if the sending key may seal no more."""
        updates = self.key_updates
        return self.traffic.sent_packets >= updates.look_at and updates.is_exhausted

    @property
    def is_idle(self) -> bool:
        """True if everything that was accepted for sending, the end of the handshake too, is acknowledged."""
        return self.data_path.is_idle and self.control.is_settled

    def install(self, keys: PacketKeys, remote_id: bytes, peer: Parameters) -> None:
        """Take the keys and the peer's limits."""
        self._suite = keys.suite
        self._peer = peer
        self.data_path.set_keys(keys.suite, keys.send_key, keys.send_iv, keys.receive_key, keys.receive_iv)
        self.data_path.set_peer(
            remote_id,
            max_data=peer.initial_max_data,
            max_channel_data=peer.initial_max_channel_data,
            max_streams=peer.initial_max_streams,
            max_message_channels=peer.initial_max_message_channels,
            max_message_size=peer.max_message_size,
            max_datagram_frame_size=peer.max_datagram_frame_size,
        )
        self.traffic.on_keys()
        self.key_updates.install(keys)

    def confirm(self, now: float) -> None:
        """The peer is verified (a server) or has confirmed the handshake (a client): everything may go."""
        if self._suite is None:
            raise ProtocolError(c.PROTOCOL_VIOLATION, "the handshake ended before the keys")
        self.is_confirmed = True
        self.traffic.on_confirmed(self._peer)
        self.key_updates.on_confirmed()
        self.liveness.start(self._peer, self._suite, now)
        self._peer = _NOTHING_SAID  # everybody has what he needs of it

    # --- once a batch ---------------------------------------------------------------------------------

    def receive(
        self, buffer: bytearray | memoryview | bytes, start: int, size: int, segment_size: int, now: float
    ) -> int:
        """Take packets, as `DataPath.receive`; returns the bytes consumed. Raises `ProtocolError`."""
        return self.data_path.receive(buffer, start, size, segment_size, now)

    def progress(self) -> Progress:
        """Give what two calls tell apart: whether a train brought something."""
        data_path = self.data_path
        return Progress(data_path.counters()["packets_received"], data_path.largest_non_probing)

    def take_batch(self, now: float) -> Outcome:
        """Let the policies see what came, and give what the connection must know. Raises `ProtocolError`."""
        self.traffic.on_batch(now)
        self.liveness.on_batch(now)
        outcome = self.control.take(now)
        if outcome.is_handshake_done and not self.is_confirmed:
            self.confirm(now)
        if not self.is_confirmed:
            outcome.events.clear()  # only that there may be more channels, while there may be none yet
        if outcome.are_keys_updated:
            self.key_updates.on_updated(now)
        self.take_ready(outcome)
        return outcome

    def take_ready(self, outcome: Outcome) -> None:
        """Add what channels and datagrams have for the user; sending, too, makes channels writable.

        Before the handshake is confirmed the user hears of nothing.
        """
        if not self.is_confirmed:
            return
        ready = self.data_path.take_ready()
        if ready:
            for channel_id, flags in ready:
                if flags & c.READY_DONE:
                    self._credit.forget(channel_id)
            outcome.events.append(ChannelsReady(ready))
        datagrams = self.data_path.take_datagrams()
        if datagrams:
            outcome.events.append(DatagramsReceived(datagrams))

    # --- once a train ---------------------------------------------------------------------------------

    def wants_fill(self, now: float) -> bool:
        """False if `fill` would surely give nothing."""
        return self.data_path.wants_fill(now) or self.data_path.has_news or self.control.is_due(now)

    def fill(self, buffer: bytearray | memoryview, now: float, limit: int | None = None) -> tuple[int, int]:
        """Fill a train. Returns `(size, segment_size)`, sizes of 0 if nothing may go now.

        `limit` is what may go by a path that is not validated, in bytes: no probes then.
        """
        size = segment_size = 0
        if self.traffic.sent_packets >= self.key_updates.look_at:
            self.key_updates.begin_if_due(now)
        if self.is_confirmed:
            if self.data_path.has_news:
                self._credit.update(now, self.traffic.rtt)
            if limit is None:
                size, segment_size = self.control.fill(buffer, now)
        if limit is not None:
            buffer = memoryview(buffer)[:limit]
        self.has_more = size > 0
        if not size and self.data_path.wants_fill(now):
            segment_size = self.traffic.mtu.current
            size = self.traffic.fill(buffer, now)
            self.has_more = size > 0 and self.data_path.has_pending and self.traffic.has_room
        if size and self.traffic.eliciting_sent_at == now:
            self.liveness.on_sent(now)
        return size, segment_size if segment_size < size else size

    def last_packet(self, close: bytes, now: float) -> bytes:
        """Seal a packet with a close frame."""
        buffer = bytearray(_LAST_PACKET_SIZE)
        size = self.traffic.build(buffer, close, 0, 0, now)
        return bytes(buffer[:size])

    # --- time ---------------------------------------------------------------------------------------

    def deadline(self, limit: int | None = None) -> float | None:
        """When to call `handle_timeout`, or to fill; None for never.

        `limit` as of `fill`: nothing is due that it would not let go.
        """
        at = self.key_updates.deadline()
        if self._may_send(limit):
            at = earlier(at, self.traffic.deadline(probes_mtu=limit is None))
        return earlier(at, self.liveness.deadline(self.traffic.pto()))

    def _may_send(self, limit: int | None) -> bool:
        return limit is None or limit >= self.traffic.mtu.current

    def handle_timeout(self, now: float, limit: int | None = None) -> None:
        """Find losses, probe, keep the path alive. The idle timeout is the connection's to ask about."""
        if self._may_send(limit) and self.traffic.handle_timeout(now):
            self.control.on_probe_timeout()
            self.liveness.on_probe_timeout(self.traffic.recovery.pto_count)
        self.key_updates.handle_timeout(now)
        if self.liveness.is_keep_alive_due(now):
            self.control.keep_alive()

    def change_path(self, known: PathState | None) -> PathState:
        """Go on with what is `known` of another path; gives what is known of this one."""
        self.control.forget_mtu_probes()
        return self.traffic.change_path(known)

    def statistics(self, migrations: int, paths_validated: int) -> ConnectionStatistics:
        """Give the figures of now; those about paths are handed in."""
        return gather(self.data_path, self.traffic, self.liveness.last_seen, migrations, paths_validated)


def make_data_path(is_client: bool, local_id: bytes, configuration: Configuration) -> core.DataPath:
    """Make the core's part of a connection with the configured limits."""
    return core.DataPath(
        is_client,
        local_id,
        max_data=configuration.connection_window,
        max_channel_data=configuration.channel_window,
        max_streams=configuration.max_streams,
        max_message_channels=configuration.max_message_channels,
        max_message_size=configuration.max_message_size,
        max_datagram_frame_size=configuration.max_datagram_frame_size,
        max_ack_delay=configuration.max_ack_delay,
        write_limit=configuration.write_limit,
        budget=configuration.budget,
    )
