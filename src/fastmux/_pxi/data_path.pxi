# The data path of one connection: every operation of the contract, handed to the part that knows.
# Owns: the checks of arguments, and the life of the state. May not know: how anything is done.

@final
cdef class DataPath:
    """One connection: short-header packets in and out, channels in between. docs/core.md says it all.

    After `close`, and in a process that was forked off later, everything raises ClosedResourceError; an
    unknown channel id is a KeyError; a time that is negative or not finite a ValueError.
    """

    cdef Path *path
    cdef int64_t born  # how many forks had led to this process
    cdef object __weakref__

    def __init__(
        self,
        is_client,
        local_id,
        *,
        max_data=INITIAL_CONNECTION_WINDOW,
        max_channel_data=INITIAL_CHANNEL_WINDOW,
        max_streams=DEFAULT_MAX_STREAMS,
        max_message_channels=DEFAULT_MAX_MESSAGE_CHANNELS,
        max_message_size=MAX_MESSAGE_SIZE,
        max_datagram_frame_size=MAX_DATAGRAM_FRAME_SIZE,
        max_ack_delay=_constants.MAX_ACK_DELAY,
        write_limit=WRITE_LIMIT,
        budget=CONNECTION_BUDGET,
        initial_packet_number=0,
    ):
        cdef bytes name = as_sized("local_id", local_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
        cdef Path *made = path_new(bool(is_client), name)
        try:
            path_set_limits(made, (
                max_data, max_channel_data, max_streams, max_message_channels,
                max_message_size, max_datagram_frame_size, write_limit, budget,
            ))
            made.max_ack_delay = as_seconds("max_ack_delay", max_ack_delay)
            sent_init(&made.sent, as_wire(initial_packet_number))
        except BaseException:
            path_free(made)
            raise
        self.free()
        self.path = made
        self.born = forks

    def __dealloc__(self):
        self.free()

    cdef void free(self) noexcept:
        cdef Path *path = self.path
        self.path = NULL
        if path != NULL:
            path_free(path)

    def __reduce__(self):
        raise TypeError("cannot pickle or copy DataPath")

    cdef Path *seen_path(self) except NULL:
        """For a look at figures, which harms nobody even in a child of fork."""
        if self.path == NULL:
            raise ClosedResourceError("the data path is closed")
        return self.path

    cdef Path *open_path(self) except NULL:
        self.seen_path()
        if self.born != forks:
            raise ClosedResourceError(_forked_text)
        return self.path

    cdef Channel *channel(self, object channel_id) except NULL:
        """The channel; KeyError if the application has none of this id."""
        cdef Channel *channel = self.unseen_channel(channel_id)
        if not channel.has_fields:
            raise KeyError(channel_id)
        return channel

    cdef Channel *unseen_channel(self, object channel_id) except NULL:
        """The same, even if its OPEN is not here yet: it has credit all the same."""
        self.open_path()
        cdef int overflow = 0
        cdef int64_t number = PyLong_AsLongLongAndOverflow(index(channel_id), &overflow)
        cdef Path *path = self.open_path()  # again: a foreign __index__ may have closed it
        cdef Channel *channel = NULL if overflow or number < 0 else table_get(path, number)
        if channel == NULL or channel.is_released:
            raise KeyError(channel_id)
        return channel

    cdef Channel *stream(self, object channel_id) except NULL:
        cdef Channel *channel = self.channel(channel_id)
        if is_message_id(channel.id):
            raise ValueError("the channel is not a stream")
        return channel

    cdef Channel *messages(self, object channel_id) except NULL:
        cdef Channel *channel = self.channel(channel_id)
        if not is_message_id(channel.id):
            raise ValueError("the channel is not a message channel")
        return channel

    cdef object message(self, object data):
        message = as_kept(data)
        if len(message) > self.open_path().peer_max_message_size:
            raise MessageTooBig("the message is larger than the peer takes")
        return message

    # --- packets ------------------------------------------------------------------------------------------

    def set_keys(self, suite, send_key, send_iv, receive_key, receive_iv, *, sealed=0, failed=0):
        """The keys of both directions; until then nothing can be sent or opened.

        So many packets were sealed under them, and failed to open, before: this brings limits within reach.
        """
        self.open_path()
        cdef int64_t failures = as_wire(failed)
        cdef PacketProtection sending = PacketProtection(suite, send_key, send_iv, sealed=sealed)
        cdef PacketProtection receiving = PacketProtection(suite, receive_key, receive_iv)
        cdef Path *path = self.open_path()
        path.sealer, sending.sealer = sending.sealer, path.sealer
        path.opener, receiving.opener = receiving.opener, path.opener
        path.counters.undecryptable_packets += failures
        key_update_restart(path)

    def set_next_keys(self, send_key, send_iv, receive_key, receive_iv):
        """The keys after the next update, of the same suite; ValueError while such keys are set."""
        cdef int suite = key_update_suite(self.open_path())
        cdef Cipher sealer, opener
        memset(&sealer, 0, sizeof(Cipher))
        memset(&opener, 0, sizeof(Cipher))
        try:
            cipher_init(&sealer, suite, send_key, send_iv, False, True)
            cipher_init(&opener, suite, receive_key, receive_iv, True, True)
            key_update_suite(self.open_path())
        except BaseException:
            cipher_free(&sealer)
            cipher_free(&opener)
            raise
        self.path.keys.next_sealer = sealer
        self.path.keys.next_opener = opener
        wipe(&sealer, sizeof(Cipher))
        wipe(&opener, sizeof(Cipher))

    def update_keys(self):
        """Begins a key update; False while the last one is not acknowledged, or without next keys."""
        return bool(key_update_begin(self.open_path()))

    def drop_old_keys(self):
        """Forgets the receiving keys from before the last update."""
        cipher_free(&self.open_path().keys.old_opener)

    def set_peer(
        self,
        remote_id,
        *,
        max_data,
        max_channel_data,
        max_streams,
        max_message_channels,
        max_message_size,
        max_datagram_frame_size,
    ):
        """The peer's id and what its parameters allow."""
        self.open_path()
        cdef bytes name = as_sized("remote_id", remote_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
        cdef int64_t streams = as_integer(max_streams, 0, MAX_CHANNELS_LIMIT)
        cdef int64_t message_channels = as_integer(max_message_channels, 0, MAX_CHANNELS_LIMIT)
        cdef int64_t data = as_wire(max_data)
        cdef int64_t channel_data = as_wire(max_channel_data)
        cdef int64_t message_size = as_wire(max_message_size)
        cdef int64_t datagram_size = as_wire(max_datagram_frame_size)
        cdef Path *path = self.open_path()
        path_set_remote_id(path, name)
        path.peer_limit = max(path.peer_limit, data)
        path_set_send_limit(path)
        scheduler_set_window(path, data)
        path_set_peer(path, channel_data, streams, message_channels)
        path.peer_max_message_size = message_size
        path.max_datagram_sent = datagram_size

    def set_remote_id(self, remote_id):
        """Addresses packets to another id of the peer from now on."""
        self.open_path()
        cdef bytes name = as_sized("remote_id", remote_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
        path_set_remote_id(self.open_path(), name)

    def receive(self, buffer, start, size, segment_size, now):
        """Takes the packets of a train that have the id of the first; returns the bytes consumed."""
        self.open_path()
        cdef int64_t first = as_wire(start)
        cdef int64_t length = as_wire(size)
        cdef int64_t segment = as_wire(segment_size)
        cdef double at = as_seconds("now", now)
        cdef Py_ssize_t taken
        cdef Py_buffer view
        if segment < 1:
            raise ValueError("segment_size must be at least 1")
        take_buffer(buffer, &view)
        if self.path == NULL or first + length > view.len:
            PyBuffer_Release(&view)
            self.open_path()
            raise ValueError("the train is not inside the buffer")
        taken = receive_train(self.path, <const uint8_t *>view.buf + first, length, segment, at)
        PyBuffer_Release(&view)
        if taken < 0:
            raise_status(<int>taken)
        return taken

    def fill(self, buffer, segment_size, size_limit, now):
        """Fills trains of packets, one behind the other: (size, segments)."""
        self.open_path()
        cdef int64_t segment = as_wire(segment_size)
        cdef int64_t limit = as_wire(size_limit)
        cdef double at = as_seconds("now", now)
        cdef Train train
        cdef int status
        cdef Py_buffer view
        if not MIN_SEGMENT_SIZE <= segment <= MAX_UDP_PAYLOAD:
            raise ValueError(f"segment_size must be {MIN_SEGMENT_SIZE} to {MAX_UDP_PAYLOAD}")
        take_writable(buffer, &view)
        if self.path == NULL:
            PyBuffer_Release(&view)
            self.open_path()
        status = fill_trains(self.path, &train, <uint8_t *>view.buf, view.len, segment, limit, at)
        PyBuffer_Release(&view)
        if status < 0:
            raise_status(status)
        return train.at, train.segments

    def build_packet(self, buffer, payload, size, token, now):
        """Builds one packet of encoded frames, padded to `size`; returns its size."""
        self.open_path()
        cdef int64_t length = as_wire(size)
        cdef int64_t number = as_wire(token)
        cdef double at = as_seconds("now", now)
        cdef Py_ssize_t built
        cdef Py_buffer view
        cdef bytes frames = as_bytes(payload)
        take_writable(buffer, &view)
        if self.path == NULL or not self.path.sealer.is_set:
            PyBuffer_Release(&view)
            self.open_path()
            raise ValueError("no keys are set")
        built = writer_build(
            self.path, <uint8_t *>view.buf, view.len, bytes_at(frames), len(frames), length, number, at
        )
        PyBuffer_Release(&view)
        if built < 0:
            raise_status(<int>built)
        if built == 0:
            raise ValueError("the packet does not fit")
        return built

    def close(self):
        """Frees everything; a child of fork may do that with its copy."""
        self.seen_path()
        self.free()

    # --- recovery -----------------------------------------------------------------------------------------

    def take_ack_summary(self):
        """What was acknowledged or lost since the last call."""
        return sent_take_summary(&self.open_path().sent)

    def set_loss_delay(self, loss_delay):
        """How long after a later one a packet counts as lost, seconds (RFC 9002 §6.1.2)."""
        self.open_path()
        cdef double delay = as_seconds("loss_delay", loss_delay)
        self.open_path().loss_delay = delay

    def set_ack_policy(self, threshold, max_ack_delay, reordering_threshold):
        """When we acknowledge from now on, as the peer asked (draft-ietf-quic-ack-frequency §6)."""
        self.open_path()
        cdef int64_t most = as_wire(threshold)
        cdef double delay = as_seconds("max_ack_delay", max_ack_delay)
        cdef int64_t distance = as_wire(reordering_threshold)
        cdef Path *path = self.open_path()
        path.ack_threshold = most
        path.max_ack_delay = delay
        path.ack_reordering = distance

    def detect_losses(self, now):
        """Looks for packets that are lost by time."""
        self.open_path()
        cdef double at = as_seconds("now", now)
        cdef int status = path_detect_losses(self.open_path(), at)
        if status < 0:
            raise_status(status)

    def probe(self, count):
        """The next `count` packets are probes (RFC 9002 §6.2.4)."""
        self.open_path()
        cdef int64_t number = as_wire(count)
        if path_probe(self.open_path(), number) < 0:
            raise MemoryError

    def leave_path(self):
        """What was sent so far is in flight no more and in no summary to come (RFC 9000 §9.4)."""
        sent_leave_path(&self.open_path().sent)

    def skip_packet_number(self):
        """Leaves a packet number out and returns it."""
        cdef Path *path = self.open_path()
        if sent_skip(&path.sent) < 0:
            raise MemoryError
        return path.sent.next_number - 1

    def expire(self, now):
        """Gives up messages whose lifetime ran out."""
        self.open_path()
        cdef double at = as_seconds("now", now)
        if table_expire(self.open_path(), at) < 0:
            raise MemoryError

    def deadlines(self):
        """When to call again, and for what."""
        cdef Path *path = self.open_path()
        cdef Sent *sent = &path.sent
        return Deadlines(
            none_below_zero(path.ack_due_at),
            none_below_zero(sent.loss_at),
            sent.last_eliciting_sent_at if sent.eliciting_in_flight else None,
            none_below_zero(table_expiry_at(path)),
        )

    # --- control ------------------------------------------------------------------------------------------

    def queue_control(self, token, frame):
        """An encoded frame to be sent once."""
        self.open_path()
        cdef int64_t number = as_wire(token)
        cdef bytes encoded = as_bytes(frame)
        path_queue_control(self.open_path(), number, encoded)

    def take_control(self):
        """Rare frames of the peer, and what became of queued ones."""
        return take_reports(self.open_path())

    # --- channels -----------------------------------------------------------------------------------------

    def open(self, kind, label=b"", priority=0, ordered=True, reliability=0, value=0):
        """Opens a channel; WouldBlock at the peer's limit."""
        self.open_path()
        cdef bytes name = as_sized("label", label, 0, MAX_LABEL_SIZE)
        name.decode()
        fields = (
            as_integer(priority, 0, MAX_PRIORITY),
            bool(ordered),
            as_integer(reliability, 0, UNRELIABLE),
            as_wire(value),
        )
        cdef int number = <int>as_integer(kind, KIND_STREAM, KIND_MESSAGE)
        return path_open(self.open_path(), number, name, fields)

    def open_fields(self, channel_id):
        """What the channel's OPEN says."""
        cdef Channel *channel = self.channel(channel_id)
        return OpenFields(
            <object>channel.label, channel.priority, bool(channel.ordered), channel.reliability, channel.value
        )

    def set_priority(self, channel_id, priority):
        """What we send on the channel goes by this priority from now on; the peer is not told."""
        self.open_path()
        cdef int number = <int>as_integer(priority, 0, MAX_PRIORITY)
        if scheduler_set_priority(self.path, self.channel(channel_id), number) < 0:
            raise MemoryError

    def write(self, channel_id, data):
        """Takes all of `data`; returns the channel's unsent bytes."""
        self.stream(channel_id)
        taken = as_kept(data)
        cdef Kept kept = kept_of(taken)
        cdef Channel *channel = self.stream(channel_id)
        check_writable(channel)
        if stream_out_write(&as_stream(channel).sending, &kept) < 0:
            raise MemoryError
        return channel_after_write(self.path, channel)

    def finish(self, channel_id):
        """Ends our direction after what was written."""
        if channel_finish(self.path, self.channel(channel_id)) < 0:
            raise MemoryError

    def read(self, channel_id, max_bytes):
        """At most `max_bytes` in order; b"" if nothing is there now, None at the end."""
        self.open_path()
        cdef int64_t size = as_wire(max_bytes)
        cdef Channel *channel = self.stream(channel_id)
        check_readable(channel)
        data = stream_in_take(&as_stream(channel).received, size)
        channel_after_receiving(self.path, channel)
        return data

    def read_into(self, channel_id, buffer):
        """The count, 0 if nothing is there now, -1 at the end."""
        cdef Py_buffer view
        cdef StreamIn *stream
        cdef int64_t size
        cdef Channel *channel
        check_readable(self.stream(channel_id))
        take_writable(buffer, &view)
        try:
            channel = self.stream(channel_id)
            check_readable(channel)
            stream = &as_stream(channel).received
            size = min(<int64_t>view.len, stream_in_readable(stream))
            if size == 0:
                return -1 if stream_in_is_finished(stream) else 0
            stream_in_read(stream, <uint8_t *>view.buf, size)
            channel_after_receiving(self.path, channel)
            return size
        finally:
            PyBuffer_Release(&view)

    def send_message(self, channel_id, data, now):
        """Takes a message; returns the channel's unsent bytes. MessageTooBig above what the peer takes."""
        self.messages(channel_id)
        cdef double at = as_seconds("now", now)
        taken = [self.message(data)]
        cdef Channel *channel = self.messages(channel_id)
        check_writable(channel)
        path_send_messages(self.path, channel, taken, at, False)
        return channel_unsent(channel)

    def send_messages(self, channel_id, messages, now):
        """Takes messages while less than the write limit is unsent; returns how many."""
        self.messages(channel_id)
        cdef double at = as_seconds("now", now)
        cdef list taken = [self.message(data) for data in messages]
        cdef Channel *channel = self.messages(channel_id)
        check_writable(channel)
        return path_send_messages(self.path, channel, taken, at, True)

    def take_message(self, channel_id):
        """The next message, None if there is none now."""
        taken = self.take_messages(channel_id, 1)
        return taken[0] if taken else None

    def take_messages(self, channel_id, max_messages):
        """At most `max_messages` messages."""
        self.open_path()
        cdef int64_t count = as_wire(max_messages)
        cdef list taken = []
        cdef Channel *channel = self.messages(channel_id)
        check_readable(channel)
        while count > 0 and as_messages(channel).inbox.ready.count:
            taken.append(inbox_take(&as_messages(channel).inbox))
            count -= 1
        if taken:
            channel_after_receiving(self.path, channel)
        return taken

    def reset(self, channel_id, code):
        """Ends our direction at once: what is unsent or unacknowledged is dropped."""
        self.open_path()
        cdef int64_t number = as_wire(code)
        if channel_reset(self.path, self.channel(channel_id), number) < 0:
            raise MemoryError

    def stop(self, channel_id, code):
        """Asks the peer to end its direction; what came is dropped."""
        self.open_path()
        cdef int64_t number = as_wire(code)
        if channel_stop(self.path, self.channel(channel_id), number) < 0:
            raise MemoryError

    def release(self, channel_id):
        """The application needs the channel no more."""
        if channel_release(self.path, self.channel(channel_id)) < 0:
            raise MemoryError

    def watch_delivered(self, channel_id):
        """True if everything written is acknowledged; else READY_DELIVERED will tell."""
        cdef Channel *channel = self.channel(channel_id)
        if channel.stop_code >= 0:
            raise BrokenResourceError("the peer stopped this channel")
        if channel.is_reset:
            raise ClosedResourceError("this direction of the channel was reset")
        if channel_is_acknowledged(channel):
            return True
        channel.is_watching = True
        return False

    def unsent_size(self, channel_id):
        """Bytes (of messages: 128 times the units) never sent yet."""
        return channel_unsent(self.channel(channel_id))

    def readable_size(self, channel_id):
        """Bytes that can be taken now."""
        cdef Channel *channel = self.channel(channel_id)
        if is_message_id(channel.id):
            return as_messages(channel).inbox.ready_size
        return stream_in_readable(&as_stream(channel).received)

    def is_finished(self, channel_id):
        """True when everything the peer sent up to its end was taken."""
        return bool(channel_is_receive_over(self.channel(channel_id)))

    def reset_code(self, channel_id):
        """The code of the peer's RESET."""
        cdef int64_t code = self.channel(channel_id).reset_code
        return None if code < 0 else code

    def stop_code(self, channel_id):
        """The code of the peer's STOP."""
        cdef int64_t code = self.channel(channel_id).stop_code
        return None if code < 0 else code

    def send_datagram(self, data):
        """False if there is no room; MessageTooBig above what the peer takes."""
        self.open_path()
        cdef bytes taken = as_bytes(data)
        cdef Path *path = self.open_path()
        if len(taken) > path.max_datagram_sent:
            raise MessageTooBig("the datagram is larger than the peer takes")
        cdef int status = datagram_push(path, &path.outgoing, <void *>taken)
        if status < 0:
            raise_status(status)
        return status == 1

    def take_datagrams(self):
        """Datagrams that came since the last call."""
        cdef list taken = []
        cdef Path *path = self.open_path()
        while path.incoming.items.count:
            taken.append(hand_over(datagram_pop(&path.incoming)))
        return taken

    # --- credit -------------------------------------------------------------------------------------------

    def set_limit(self, channel_id, limit, window):
        """Raises what the peer may send, on a channel or (CONNECTION_CHANNEL) on all."""
        self.open_path()
        cdef int64_t bound = as_wire(limit)
        cdef int64_t size = as_wire(window)
        cdef int status
        if channel_id == CONNECTION_CHANNEL:
            status = path_set_limit(self.open_path(), bound, size)
        else:
            status = channel_set_limit(self.path, self.unseen_channel(channel_id), bound, size)
        if status < 0:
            raise_status(status)

    def set_channel_limit(self, kind, limit):
        """Raises how many channels of `kind` the peer may open in all."""
        self.open_path()
        cdef int64_t number = as_integer(limit, 0, MAX_CHANNELS_LIMIT)
        cdef int which = <int>as_integer(kind, KIND_STREAM, KIND_MESSAGE)
        if table_raise_limit(self.open_path(), which, number) < 0:
            raise MemoryError

    def take_credit(self):
        """(channel id, consumed, charged, limit) of what wants a higher limit."""
        return path_take_credit(self.open_path())

    def take_ready(self):
        """Each channel with news since the last call, and its flags."""
        return path_take_ready(self.open_path())

    # --- figures ------------------------------------------------------------------------------------------

    @property
    def bytes_in_flight(self):
        """Bytes of the packets in flight."""
        return self.seen_path().sent.bytes_in_flight

    @property
    def largest_lost(self):
        """The largest packet number declared lost, -1 before any."""
        return self.seen_path().sent.largest_lost

    @property
    def has_pending(self):
        """True if `fill` with room would send something."""
        return bool(path_has_pending(self.open_path()))

    def wants_fill(self, now):
        """True if `fill` with room would send something now: as `has_pending`, or a delayed ACK is due."""
        self.open_path()
        cdef double at = as_seconds("now", now)
        cdef Path *path = self.open_path()
        return bool(path_has_pending(path) or (path.sealer.is_set and ack_is_due(path, at)))

    @property
    def has_news(self):
        """True if `take_ready` or `take_credit` would list something."""
        cdef Path *path = self.open_path()
        return bool(
            path.lists[LIST_READY].first != NULL or path.lists[LIST_DUE].first != NULL or path_is_due(path)
        )

    @property
    def is_idle(self):
        """True when nothing is unsent, unacknowledged or waiting."""
        return bool(path_is_idle(self.open_path()))

    @property
    def held_size(self):
        """Bytes that received data occupies."""
        return self.seen_path().held_size + self.path.incoming.size

    def charges(self):
        """All that is held, by kind: docs/limits.md. O(channels)."""
        return path_charges(self.open_path())

    @property
    def channel_count(self):
        """Channels whose slot is taken."""
        return self.seen_path().channels.count

    @property
    def last_received_at(self):
        """When the last authenticated packet came, 0.0 before any."""
        return self.open_path().last_received_at

    @property
    def largest_non_probing(self):
        """The largest number of a packet that did more than to probe (RFC 9000 §9.1), -1 before any."""
        return self.open_path().largest_non_probing

    def counters(self):
        """All counters by name."""
        return counters_dict(self.seen_path().counters)
