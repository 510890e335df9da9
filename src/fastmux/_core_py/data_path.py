"""The data path of one connection: every operation of the contract, handed to the part that knows.

Owns: the checks of arguments, and the life of the parts. May not know: how anything is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, final
from weakref import WeakSet

from fastmux._core_py._arguments import Uncopied, immutable, integer, kept, octets, seconds, sized, writable
from fastmux._core_py._forks import FORKED_TEXT, forks
from fastmux._core_py._parts import Limits, Parts
from fastmux._core_py.channel import Channel
from fastmux._core_py.message_channel import MessageChannel
from fastmux._core_py.protection import PacketProtection
from fastmux._core_py.stream_channel import StreamChannel
from fastmux.constants import (
    CONNECTION_CHANNEL,
    FRAME_MAX_DATA,
    KIND_MESSAGE,
    KIND_STREAM,
    MAX_CHANNELS_LIMIT,
    MAX_CONNECTION_ID_SIZE,
    MAX_LABEL_SIZE,
    MAX_PRIORITY,
    MAX_UDP_PAYLOAD,
    MIN_CONNECTION_ID_SIZE,
    MIN_SEGMENT_SIZE,
    UNRELIABLE,
)
from fastmux.exceptions import ClosedResourceError, MessageTooBig
from fastmux.records import AckSummary, Charges, Deadlines, OpenFields

if TYPE_CHECKING:
    from typing_extensions import Buffer, Unpack

_open_paths: WeakSet[DataPath] = WeakSet()


def live() -> tuple[int, int]:
    """(bytes, objects) held by open data paths and their channels."""
    held = [path._parts.held() for path in _open_paths if path._parts is not None]
    return sum(size for size, _ in held), sum(1 + channels for _, channels in held)


@final
class DataPath(Uncopied):
    """One connection: short-header packets in and out, channels in between. docs/core.md says it all.

    After `close`, and in a process that was forked off later, everything raises ClosedResourceError; an
    unknown channel id is a KeyError; a time that is negative or not finite a ValueError.
    """

    __slots__ = ("__weakref__", "_born", "_parts")

    def __init__(self, is_client: bool, local_id: Buffer, **limits: Unpack[Limits]) -> None:
        name = sized("local_id", local_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
        self._parts: Parts | None = Parts(bool(is_client), len(name), limits)
        self._born = forks.count
        _open_paths.add(self)

    @property
    def _seen(self) -> Parts:
        """For a look at figures, which harms nobody even in a child of fork."""
        if self._parts is None:
            raise ClosedResourceError("the data path is closed")
        return self._parts

    @property
    def _all(self) -> Parts:
        return self._check_open()

    def _check_open(self) -> Parts:
        parts = self._seen
        if self._born != forks.count:
            raise ClosedResourceError(FORKED_TEXT)
        return parts

    # --- packets --------------------------------------------------------------------------------------

    def set_keys(
        self,
        suite: int,
        send_key: Buffer,
        send_iv: Buffer,
        receive_key: Buffer,
        receive_iv: Buffer,
        *,
        sealed: int = 0,
        failed: int = 0,
    ) -> None:
        """The keys of both directions; until then nothing can be sent or opened.

        So many packets were sealed under them, and failed to open, before: this brings limits within reach.
        """
        self._check_open()
        failures = integer(failed)
        sending = PacketProtection(suite, send_key, send_iv, sealed=sealed)
        receiving = PacketProtection(suite, receive_key, receive_iv)
        parts = self._all
        parts.keys.set_keys(sending, receiving)
        parts.reader.counts["undecryptable_packets"] += failures

    def set_next_keys(
        self, send_key: Buffer, send_iv: Buffer, receive_key: Buffer, receive_iv: Buffer
    ) -> None:
        """The keys after the next update, of the same suite; ValueError while such keys are set."""
        suite = self._all.keys.next_suite()
        sending = PacketProtection(suite, send_key, send_iv)
        receiving = PacketProtection(suite, receive_key, receive_iv)
        self._all.keys.set_next(sending, receiving)

    def update_keys(self) -> bool:
        """Begins a key update; False while the last one is not acknowledged, or without next keys."""
        return self._all.keys.begin()

    def drop_old_keys(self) -> None:
        """Forgets the receiving keys from before the last update."""
        self._all.keys.drop_old()

    def set_peer(
        self,
        remote_id: Buffer,
        *,
        max_data: int,
        max_channel_data: int,
        max_streams: int,
        max_message_channels: int,
        max_message_size: int,
        max_datagram_frame_size: int,
    ) -> None:
        """The peer's id and what its parameters allow."""
        self._check_open()
        name = sized("remote_id", remote_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
        limits = {
            KIND_STREAM: integer(max_streams, 0, MAX_CHANNELS_LIMIT),
            KIND_MESSAGE: integer(max_message_channels, 0, MAX_CHANNELS_LIMIT),
        }
        data, channel_data = integer(max_data), integer(max_channel_data)
        message_size, datagram_size = integer(max_message_size), integer(max_datagram_frame_size)
        parts = self._all
        parts.writer.remote_id = name
        parts.credit.peer_limit = max(parts.credit.peer_limit, data)
        parts.table.scheduler.set_window(data)
        parts.table.set_peer(channel_data, limits)
        parts.max_message_size = message_size
        parts.datagrams.max_sent = datagram_size

    def set_remote_id(self, remote_id: Buffer) -> None:
        """Addresses packets to another id of the peer from now on."""
        self._check_open()
        name = sized("remote_id", remote_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
        self._all.writer.remote_id = name

    def receive(self, buffer: Buffer, start: int, size: int, segment_size: int, now: float) -> int:
        """Takes the packets of a train that have the id of the first; returns the bytes consumed."""
        self._check_open()
        first, length, segment = integer(start), integer(size), integer(segment_size)
        at = seconds("now", now)
        if segment < 1:
            raise ValueError("segment_size must be at least 1")
        view = octets(buffer)
        reader = self._all.reader
        if first + length > len(view):
            raise ValueError("the train is not inside the buffer")
        return reader.receive(view[first : first + length], segment, at)

    def fill(self, buffer: Buffer, segment_size: int, size_limit: int, now: float) -> tuple[int, int]:
        """Fills a train of packets: (size, segments)."""
        self._check_open()
        segment, limit, at = integer(segment_size), integer(size_limit), seconds("now", now)
        if not MIN_SEGMENT_SIZE <= segment <= MAX_UDP_PAYLOAD:
            raise ValueError(f"segment_size must be {MIN_SEGMENT_SIZE} to {MAX_UDP_PAYLOAD}")
        train = writable(buffer)
        return self._all.writer.fill(train, segment, limit, at)

    def build_packet(self, buffer: Buffer, payload: Buffer, size: int, token: int, now: float) -> int:
        """Builds one packet of encoded frames, padded to `size`; returns its size."""
        self._check_open()
        length, number, at = integer(size), integer(token), seconds("now", now)
        frames, packet = immutable(payload), writable(buffer)
        return self._all.writer.build(packet, frames, length, number, at)

    def close(self) -> None:
        """Frees everything; a child of fork may do that with its copy."""
        self._seen.clear()
        self._parts = None
        _open_paths.discard(self)

    # --- recovery -------------------------------------------------------------------------------------

    def take_ack_summary(self) -> AckSummary | None:
        """What was acknowledged or lost since the last call."""
        return self._all.recovery.sent.take_summary()

    def set_loss_delay(self, loss_delay: float) -> None:
        """How long after a later one a packet counts as lost, seconds (RFC 9002 §6.1.2)."""
        self._check_open()
        delay = seconds("loss_delay", loss_delay)
        self._all.recovery.loss_delay = delay

    def set_ack_policy(self, threshold: int, max_ack_delay: float, reordering_threshold: int) -> None:
        """When we acknowledge from now on, as the peer asked (draft-ietf-quic-ack-frequency §6)."""
        self._check_open()
        most, delay = integer(threshold), seconds("max_ack_delay", max_ack_delay)
        distance = integer(reordering_threshold)
        acks = self._all.acks
        acks.threshold, acks.max_ack_delay, acks.reordering_threshold = most, delay, distance

    def detect_losses(self, now: float) -> None:
        """Looks for packets that are lost by time."""
        self._check_open()
        at = seconds("now", now)
        self._all.recovery.detect_losses(at)

    def probe(self, count: int) -> None:
        """The next `count` packets are probes (RFC 9002 §6.2.4)."""
        self._check_open()
        number = integer(count)
        self._all.recovery.probe(number)

    def leave_path(self) -> None:
        """What was sent so far is in flight no more and in no summary to come (RFC 9000 §9.4)."""
        self._all.recovery.sent._leave_path()

    def skip_packet_number(self) -> int:
        """Leaves a packet number out and returns it."""
        return self._all.recovery.sent.skip()

    def expire(self, now: float) -> None:
        """Gives up messages whose lifetime ran out."""
        self._check_open()
        at = seconds("now", now)
        self._all.table.expire(at)

    def deadlines(self) -> Deadlines:
        """When to call again, and for what."""
        parts = self._all
        sent = parts.recovery.sent
        return Deadlines(parts.acks.due_at, sent.loss_at, sent.last_eliciting_sent_at, parts.table.expiry_at)

    # --- control --------------------------------------------------------------------------------------

    def queue_control(self, token: int, frame: Buffer) -> None:
        """An encoded frame to be sent once."""
        self._check_open()
        number, encoded = integer(token), immutable(frame)
        self._all.control.queue(number, encoded)

    def take_control(self) -> list[tuple[object, ...]]:
        """Rare frames of the peer, and what became of queued ones."""
        return list(self._all.control.take())

    # --- channels -------------------------------------------------------------------------------------

    def open(
        self,
        kind: int,
        label: Buffer = b"",
        priority: int = 0,
        ordered: bool = True,
        reliability: int = 0,
        value: int = 0,
    ) -> int:
        """Opens a channel; WouldBlock at the peer's limit."""
        self._check_open()
        name = sized("label", label, 0, MAX_LABEL_SIZE)
        name.decode()
        fields = OpenFields(
            name,
            integer(priority, 0, MAX_PRIORITY),
            bool(ordered),
            integer(reliability, 0, UNRELIABLE),
            integer(value),
        )
        number = integer(kind, KIND_STREAM, KIND_MESSAGE)
        return self._all.table.open(number, fields)

    def open_fields(self, channel_id: int) -> OpenFields:
        """What the channel's OPEN says."""
        number = self._id(channel_id)
        return self._all.table.fields_of(number)

    def set_priority(self, channel_id: int, priority: int) -> None:
        """What we send on the channel goes by this priority from now on; the peer is not told."""
        self._check_open()
        number, channel = integer(priority, 0, MAX_PRIORITY), self._channel(channel_id)
        self._all.table.scheduler.set_priority(channel, number)

    def write(self, channel_id: int, data: Buffer) -> int:
        """Takes all of `data`; returns the channel's unsent bytes."""
        self._stream(channel_id)
        taken = kept(data)
        return self._stream(channel_id).write(taken)

    def finish(self, channel_id: int) -> None:
        """Ends our direction after what was written."""
        self._channel(channel_id).finish()

    def read(self, channel_id: int, max_bytes: int) -> bytes | None:
        """At most `max_bytes` in order; b"" if nothing is there now, None at the end."""
        self._check_open()
        size = integer(max_bytes)
        return self._stream(channel_id).read(size)

    def read_into(self, channel_id: int, buffer: Buffer) -> int:
        """The count, 0 if nothing is there now, -1 at the end."""
        return self._stream(channel_id).read_into(buffer)

    def send_message(self, channel_id: int, data: Buffer, now: float) -> int:
        """Takes a message; returns the channel's unsent bytes. MessageTooBig above what the peer takes."""
        self._messages(channel_id)
        at = seconds("now", now)
        message = self._message(data)
        return self._messages(channel_id).send(message, at)

    def send_messages(self, channel_id: int, messages: Sequence[Buffer], now: float) -> int:
        """Takes messages while less than the write limit is unsent; returns how many."""
        self._messages(channel_id)
        at = seconds("now", now)
        whole = [self._message(data) for data in messages]
        taken, channel = 0, self._messages(channel_id)
        channel.check_writable()
        for data in whole:
            if channel.unsent_size >= channel.table.write_limit:
                break
            channel.send(data, at)
            taken += 1
        return taken

    def take_message(self, channel_id: int) -> bytes | None:
        """The next message, None if there is none now."""
        return self._messages(channel_id).take()

    def take_messages(self, channel_id: int, max_messages: int) -> list[bytes]:
        """At most `max_messages` messages."""
        self._check_open()
        count, taken = integer(max_messages), list[bytes]()
        channel = self._messages(channel_id)
        channel.check_readable()
        for _ in range(count):
            message = channel.take()
            if message is None:
                break
            taken.append(message)
        return taken

    def reset(self, channel_id: int, code: int) -> None:
        """Ends our direction at once: what is unsent or unacknowledged is dropped."""
        self._check_open()
        number = integer(code)
        self._channel(channel_id).reset(number)

    def stop(self, channel_id: int, code: int) -> None:
        """Asks the peer to end its direction; what came is dropped."""
        self._check_open()
        number = integer(code)
        self._channel(channel_id).stop(number)

    def release(self, channel_id: int) -> None:
        """The application needs the channel no more."""
        self._channel(channel_id).release()

    def watch_delivered(self, channel_id: int) -> bool:
        """True if everything written is acknowledged; else READY_DELIVERED will tell."""
        return self._channel(channel_id).watch_delivered()

    def unsent_size(self, channel_id: int) -> int:
        """Bytes (of messages: 128 times the units) never sent yet."""
        return self._channel(channel_id).unsent_size

    def readable_size(self, channel_id: int) -> int:
        """Bytes that can be taken now."""
        return self._channel(channel_id).readable_size

    def is_finished(self, channel_id: int) -> bool:
        """True when everything the peer sent up to its end was taken."""
        return self._channel(channel_id).is_receive_over

    def reset_code(self, channel_id: int) -> int | None:
        """The code of the peer's RESET."""
        return self._channel(channel_id).reset_code

    def stop_code(self, channel_id: int) -> int | None:
        """The code of the peer's STOP."""
        return self._channel(channel_id).stop_code

    def send_datagram(self, data: Buffer) -> bool:
        """False if there is no room; MessageTooBig above what the peer takes."""
        self._check_open()
        datagram = immutable(data)
        return self._all.datagrams.send(datagram)

    def take_datagrams(self) -> list[bytes]:
        """Datagrams that came since the last call."""
        return self._all.datagrams.take()

    # --- credit ---------------------------------------------------------------------------------------

    def set_limit(self, channel_id: int, limit: int, window: int) -> None:
        """Raises what the peer may send, on a channel or (CONNECTION_CHANNEL) on all."""
        self._check_open()
        bound, size = integer(limit), integer(window)
        number = CONNECTION_CHANNEL if channel_id == CONNECTION_CHANNEL else self._id(channel_id)
        parts = self._all
        if number != CONNECTION_CHANNEL:
            parts.table.get_unseen(number).set_limit(bound, size)
        elif parts.credit.raise_limit(bound, size):
            parts.table.pending[FRAME_MAX_DATA, 0] = None

    def set_channel_limit(self, kind: int, limit: int) -> None:
        """Raises how many channels of `kind` the peer may open in all."""
        self._check_open()
        number, which = integer(limit, 0, MAX_CHANNELS_LIMIT), integer(kind, KIND_STREAM, KIND_MESSAGE)
        self._all.table.raise_limit(which, number)

    def take_credit(self) -> list[tuple[int, int, int, int]]:
        """(channel id, consumed, charged, limit) of what wants a higher limit."""
        return self._all.credit.take()

    def take_ready(self) -> list[tuple[int, int]]:
        """Each channel with news since the last call, and its flags."""
        return self._all.table.take_ready()

    # --- figures --------------------------------------------------------------------------------------

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of the packets in flight."""
        return self._seen.recovery.sent.bytes_in_flight

    @property
    def largest_lost(self) -> int:
        """The largest packet number declared lost, -1 before any."""
        return self._seen.recovery.sent.largest_lost

    @property
    def has_pending(self) -> bool:
        """True if `fill` with room would send something."""
        return self._all.writer.has_pending

    def wants_fill(self, now: float) -> bool:
        """True if `fill` with room would send something now: as `has_pending`, or a delayed ACK is due."""
        self._check_open()
        at = seconds("now", now)
        return self._all.writer.wants_fill(at)

    @property
    def has_news(self) -> bool:
        """True if `take_ready` or `take_credit` would list something."""
        return bool(self._all.table.ready) or self._all.credit.is_due

    @property
    def is_idle(self) -> bool:
        """True when nothing is unsent, unacknowledged or waiting."""
        return self._all.is_idle

    @property
    def held_size(self) -> int:
        """Bytes that received data occupies."""
        return self._seen.credit.held_size + self._seen.datagrams.incoming.size

    def charges(self) -> Charges:
        """All that is held, by kind: docs/limits.md. O(channels)."""
        return self._all.charges()

    @property
    def channel_count(self) -> int:
        """Channels that are not released."""
        return len(self._seen.table.channels)

    @property
    def last_received_at(self) -> float:
        """When the last authenticated packet came, 0.0 before any."""
        return self._all.reader.last_received_at

    @property
    def largest_non_probing(self) -> int:
        """The largest number of a packet that did more than to probe (RFC 9000 §9.1), -1 before any."""
        return self._all.reader.largest_non_probing

    def counters(self) -> dict[str, int]:
        """All counters by name."""
        return self._seen.counters()

    # --- help -----------------------------------------------------------------------------------------

    def _id(self, channel_id: int) -> int:
        """The integer, of a path that is open before and after: a foreign `__index__` may close it."""
        self._check_open()
        number = index(channel_id)
        self._check_open()
        return number

    def _channel(self, channel_id: int) -> Channel:
        number = self._id(channel_id)
        return self._all.table.get(number)

    def _stream(self, channel_id: int) -> StreamChannel:
        channel = self._channel(channel_id)
        if not isinstance(channel, StreamChannel):
            raise ValueError("the channel is not a stream")
        return channel

    def _messages(self, channel_id: int) -> MessageChannel:
        channel = self._channel(channel_id)
        if not isinstance(channel, MessageChannel):
            raise ValueError("the channel is not a message channel")
        return channel

    def _message(self, data: Buffer) -> bytes | memoryview:
        message = kept(data)
        if len(message) > self._all.max_message_size:
            raise MessageTooBig("the message is larger than the peer takes")
        return message
