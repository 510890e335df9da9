# Packing frames into a payload: ACK, control, limits, openings and ends first, then data of channels in turn.
# Owns: the layout of frames. May not know: headers, keys, trains, which channel comes next.

cdef enum:
    MAX_ACK_FRAME = 40 + 16 * MAX_ACK_RANGES_SENT
    MAX_CHANNEL_FRAME = 32 + MAX_LABEL_SIZE

# One payload being written: [start, at) of at most [start, stop). `packet` is its slot in the ledger. Where
# `source` is set, the bytes from source_at on are not copied yet: they are sealed from where they are.
cdef struct Packing:
    uint8_t *start
    uint8_t *at
    uint8_t *stop
    SentPacket *packet
    const uint8_t *source
    uint8_t *source_at
    bint eliciting
    int status


cdef inline int64_t packing_room(Packing *self) noexcept nogil:
    return self.stop - self.at


cdef inline bint packing_record(
    Packing *self, uint8_t kind, int64_t channel_id, int64_t start, int64_t stop
) noexcept nogil:
    """Notes a frame for acknowledgement and loss; False without memory."""
    cdef Record *record = packet_record(self.packet)
    if record == NULL:
        self.status = NO_MEMORY
        return False
    record.kind = kind
    record.fin = 0
    record.aux = 0
    record.channel_id = channel_id
    record.start = start
    record.stop = stop
    return True


cdef inline Record *packing_last_record(Packing *self) noexcept nogil:
    """The record noted last."""
    cdef uint32_t position = self.packet.record_count - 1
    if position == 0:
        return &self.packet.record
    return &self.packet.more.records[(position - 1) % RECORDS_PER_CHUNK]


cdef uint8_t *put_ack(uint8_t *at, Received *received, uint32_t count, double delay) noexcept nogil:
    """An ACK of the newest `count` ranges."""
    cdef Range *item = range_at(&received.ranges, received.ranges.count - 1)
    cdef int64_t start = item.start
    cdef uint64_t units = <uint64_t>min(delay * ACK_DELAY_UNITS + 0.5, <double>MAX_VARINT)  # up to 2^62
    at[0] = FRAME_ACK
    at = put_varint(at + 1, item.stop - 1)
    at = put_varint(at, min(units, <uint64_t>MAX_VARINT))
    at = put_varint(at, count - 1)
    at = put_varint(at, item.stop - 1 - start)
    while count > 1:
        count -= 1
        item -= 1
        at = put_varint(at, start - item.stop - 1)
        at = put_varint(at, item.stop - 1 - item.start)
        start = item.start
    return at


cdef void pack_ack(Path *path, Packing *self, int64_t room, double now) noexcept nogil:
    """What the peer may not know of, newest first; fewer ranges where they do not fit."""
    cdef uint8_t frame[MAX_ACK_FRAME]
    cdef Received *received = &path.received
    cdef uint32_t count = 0
    cdef Py_ssize_t size
    cdef double delay = max(0.0, now - received.largest_at)
    while count < received.ranges.count and count < MAX_ACK_RANGES_SENT:
        if range_at(&received.ranges, received.ranges.count - 1 - count).stop <= received.report_from:
            break
        count += 1
    if count == 0:  # an acknowledged ACK told all of it already
        ack_on_sent(path)
        return
    size = put_ack(frame, received, count, delay) - frame
    while size > room:
        count //= 2
        size = put_ack(frame, received, count, delay) - frame
    memcpy(self.at, frame, size)
    self.at += size
    packing_record(self, FRAME_ACK, -1, received.largest, 0)


cdef void pack_control(Path *path, Packing *self) noexcept nogil:
    """Frames that Python queued."""
    cdef ControlFrame waiting
    cdef Py_ssize_t size
    cdef uint8_t kind
    while path.control_count and self.status == OK:
        waiting = path.control[path.control_first]
        size = fm_bytes_size(waiting.frame)
        if size > packing_room(self):
            return
        memcpy(self.at, fm_bytes_data(waiting.frame), size)
        kind = self.at[0]
        if is_eliciting(kind):
            self.eliciting = True
        self.at += size
        path.control_size -= size
        path.control_first += 1
        path.control_count -= 1
        if path.control_count == 0:
            path.control_first = 0
        let_go(waiting.frame)
        if waiting.token:
            packing_record(self, RECORD_CONTROL, -1, waiting.token, 0)


cdef Py_ssize_t put_channel_frame(uint8_t *frame, Channel *channel, int what) noexcept nogil:
    """The frame that says how a channel stands: its size."""
    cdef uint8_t *at
    cdef Py_ssize_t label_size
    if what == PENDING_OPEN:
        label_size = fm_bytes_size(channel.label)
        frame[0] = FRAME_OPEN
        at = put_varint(frame + 1, channel.id)
        at[0] = channel.priority
        at[1] = <uint8_t>(channel.reliability << 1 | channel.ordered)
        at = put_varint(at + 2, channel.value)
        at = put_varint(at, label_size)
        memcpy(at, fm_bytes_data(channel.label), label_size)
        return at + label_size - frame
    if what == PENDING_RESET:
        frame[0] = FRAME_RESET
        at = put_varint(frame + 1, channel.id)
        at = put_varint(at, channel.our_reset_code)
        at = put_varint(at, channel.our_final_size)
        return put_varint(at, channel.our_charged) - frame
    if what == PENDING_STOP:
        frame[0] = FRAME_STOP
        return put_varint(put_varint(frame + 1, channel.id), channel.stopped_code) - frame
    if what == PENDING_MESSAGE_FIN:
        frame[0] = FRAME_MESSAGE_FIN
        return put_varint(put_varint(frame + 1, channel.id), as_messages(channel).sending.next_id) - frame
    frame[0] = FRAME_MAX_CHANNEL_DATA
    return put_varint(put_varint(frame + 1, channel.id), channel.limit) - frame


cdef bint pack_abandoned(Packing *self, Channel *channel) noexcept nogil:
    """Messages that were given up, as many as fit; True if none is left to be told of."""
    cdef MessageQueue *queue = &as_messages(channel).sending
    cdef int64_t count = min((packing_room(self) - 20) // 12, queue.due.covered)
    cdef int64_t message_id
    if count <= 0:
        return queue.due.covered == 0
    self.at[0] = FRAME_MESSAGE_ABANDON
    self.at = put_varint(put_varint(self.at + 1, channel.id), count)
    while count > 0:
        message_id = queue_take_due(queue)
        count -= 1
        self.at = put_varint(put_varint(self.at, message_id), queue_abandoned_units(queue, message_id))
        if not packing_record(self, FRAME_MESSAGE_ABANDON, channel.id, message_id, 0):
            return False
    return queue.due.covered == 0


cdef bint pack_connection_frame(Path *path, Packing *self, int what) noexcept nogil:
    """MAX_DATA or MAX_CHANNELS; False if there is no room."""
    cdef uint8_t frame[MAX_CHANNEL_FRAME]
    cdef int64_t limit = path.limit
    cdef int kind = what - PENDING_MAX_STREAMS
    cdef uint8_t *at
    if what == PENDING_MAX_DATA:
        frame[0] = FRAME_MAX_DATA
        at = frame + 1
    else:
        limit = path.local_limits[kind]
        frame[0] = FRAME_MAX_CHANNELS
        at = put_varint(frame + 1, kind)
    at = put_varint(at, limit)
    if at - frame > packing_room(self):
        return False
    memcpy(self.at, frame, at - frame)
    self.at += at - frame
    if packing_record(self, frame[0], -1, limit, 0) and what != PENDING_MAX_DATA:
        packing_last_record(self).aux = <uint32_t>kind
    return True


cdef bint pack_one_pending(Path *path, Packing *self, Channel *channel, int what) noexcept nogil:
    """One pending frame of a channel; False if it must wait for room, or a part of it."""
    cdef uint8_t frame[MAX_CHANNEL_FRAME]
    cdef Py_ssize_t size
    if what == PENDING_MESSAGE_ABANDON:
        return pack_abandoned(self, channel)
    size = put_channel_frame(frame, channel, what)
    if size > packing_room(self):
        return False
    memcpy(self.at, frame, size)
    self.at += size
    packing_record(self, frame[0], channel.id, channel.limit if what == PENDING_MAX_CHANNEL_DATA else 0, 0)
    return True


cdef void pack_pending(Path *path, Packing *self) noexcept nogil:
    """Frames of the pending queue, as many as fit."""
    cdef PendingQueue *queue = &path.pending_frames
    cdef PendingFrame waiting
    cdef Channel *channel
    while queue.count and self.status == OK:
        waiting = queue.items[queue.first]
        if waiting.channel_id < 0:
            if not pack_connection_frame(path, self, waiting.what):
                return
            path.pending &= ~<uint32_t>(1 << waiting.what)
            path.pending_count -= 1
        else:
            channel = table_get(path, waiting.channel_id)
            if channel != NULL and channel.pending & (1 << waiting.what):
                if not pack_one_pending(path, self, channel, waiting.what):
                    return
                pending_cancel(path, waiting.what, channel)
        pending_pop(path)


cdef void pack_datagrams(Path *path, Packing *self) noexcept nogil:
    cdef int64_t capacity = self.stop - self.start
    cdef void *data
    cdef int64_t size, whole_size
    while path.outgoing.items.count:
        data = fifo_at(&path.outgoing.items, 0)[0]
        size = fm_bytes_size(data)
        whole_size = 1 + varint_length(size) + size
        if whole_size > capacity:  # larger than any packet of this path
            let_go(datagram_pop(&path.outgoing))
            path.counters.datagrams_dropped += 1
            continue
        if whole_size > packing_room(self):
            return
        self.at[0] = FRAME_DATAGRAM | FRAME_LENGTH
        self.at = put_varint(self.at + 1, size)
        fm_copy(self.at, fm_bytes_data(data), size)
        self.at += size
        let_go(datagram_pop(&path.outgoing))


# --- data --------------------------------------------------------------------------------------------------

cdef inline uint8_t *pack_head(
    Packing *self, uint8_t kind, const uint8_t *place, int64_t place_size, int64_t size
) noexcept nogil:
    """A frame of data up to its data: with a length where that fits, else up to the very end without one."""
    cdef int64_t left = packing_room(self) - 1 - place_size - size
    cdef uint8_t *at = self.at
    if left >= varint_length(size):
        at[0] = kind | FRAME_LENGTH
        memcpy(at + 1, place, place_size)
        at = put_varint(at + 1 + place_size, size)
    else:
        if left:
            memset(at, 0, left)  # PADDING before it
            at += left
        at[0] = kind
        memcpy(at + 1, place, place_size)
        at += 1 + place_size
    self.at = at + size
    return at


cdef inline bint pack_source(
    Path *path, Packing *self, StreamOut *sending, const Run *run, uint8_t *at
) noexcept nogil:
    """Leaves the last data of a full packet where it is, if it is in one piece and EVP can seal it."""
    cdef Piece *piece
    if path.sealer.context == NULL or run.start == run.stop:
        return False
    piece = stream_out_find(sending, run.start)
    if run.stop > piece.start + piece.size:
        return False
    self.source = piece.data + (run.start - piece.start)
    self.source_at = at
    return True


cdef inline void pack_stream(Path *path, Packing *self, Channel *channel, int64_t held) noexcept nogil:
    """As many runs of the stream as fit; `held` is credit of the connection that it may not use."""
    cdef StreamOut *sending = &as_stream(channel).sending
    cdef uint8_t place[16]
    cdef uint8_t *offset_at = put_varint(place, channel.id)
    cdef int64_t sent, room, offset, limit
    cdef int64_t place_size
    cdef uint8_t *at
    cdef Run run
    while True:
        offset = range_at(&sending.lost, 0).start if sending.lost.count else sending.next
        place_size = put_varint(offset_at, offset) - place
        room = packing_room(self) - 1 - place_size
        if room < MIN_ROOM // 2:
            return
        sent = sending.next
        limit = sent + max(path.send_limit - path.sent_charged - held, <int64_t>0)
        if not stream_out_next(sending, room, min(channel.peer_limit, limit), &run):
            return
        path.sent_charged += sending.next - sent
        if run.start < sent:
            path.counters.retransmitted_bytes += run.stop - run.start
        at = pack_head(
            self, FRAME_STREAM | (STREAM_FIN if run.fin else 0), place, place_size, run.stop - run.start
        )
        if self.at < self.stop or not pack_source(path, self, sending, &run, at):
            stream_out_copy(sending, run.start, run.stop, at)
        if not packing_record(self, FRAME_STREAM, channel.id, run.start, run.stop):
            return
        if run.fin:
            packing_last_record(self).fin = 1


cdef inline bint messages_may_start(Path *path, Channel *channel, int64_t held) noexcept nogil:
    """True while the credit of the connection is above `held`, and that of the channel above zero."""
    if path.send_limit - path.sent_charged <= held:
        return False
    return as_messages(channel).sending.charged < channel.peer_limit


cdef void pack_messages(Path *path, Packing *self, Channel *channel, int64_t held) noexcept nogil:
    """As many runs of messages as fit, in whole units but for the end of a message; `held` as pack_stream."""
    cdef MessageQueue *sending = &as_messages(channel).sending
    cdef uint8_t place[32]
    cdef uint8_t *id_at = put_varint(place, channel.id)
    cdef uint8_t *at
    cdef int64_t room, size, stop, charge, place_size, message_id
    cdef bint is_again
    cdef UnitRun run
    while queue_next_run(sending, messages_may_start(path, channel, held), &run):
        message_id = sending.next_id if run.message.id < 0 else run.message.id
        place_size = put_varint(
            put_varint(put_varint(id_at, message_id), run.start), run.message.count
        ) - place
        room = packing_room(self) - place_size - 1
        stop = run.stop
        size = min(stop * FRAGMENT_UNIT, run.message.size) - run.start * FRAGMENT_UNIT
        if size > room:
            stop = run.start + room // FRAGMENT_UNIT
            size = (stop - run.start) * FRAGMENT_UNIT
        if room < 0 or stop <= run.start:
            return
        is_again = run.start < run.message.next_unit
        charge = queue_send(sending, &run, stop)
        if charge < 0:
            self.status = NO_MEMORY
            return
        path.sent_charged += charge
        if is_again:
            path.counters.retransmitted_bytes += size
        at = pack_head(self, FRAME_MESSAGE, place, place_size, size)
        fm_copy(at, run.message.data + run.start * FRAGMENT_UNIT, size)
        if not packing_record(self, FRAME_MESSAGE, channel.id, message_id, run.start << 32 | stop):
            return
        packing_last_record(self).aux = <uint32_t>run.attempt


cdef inline void pack_channels(Path *path, Packing *self) noexcept nogil:
    """Data of channels, as the scheduler has them. O(1) per channel that sends or leaves."""
    cdef uint32_t capacity = <uint32_t>(self.stop - self.start)
    cdef uint8_t *before
    cdef Channel *channel
    cdef Turn turn
    while packing_room(self) >= MIN_ROOM and self.status == OK:
        if not scheduler_next(path, capacity, &turn):
            return
        channel = turn.channel
        before = self.at
        if is_message_id(channel.id):
            pack_messages(path, self, channel, turn.held)
            if self.at > before and messages_after_sending(path, channel) < 0:
                self.status = NO_MEMORY
        else:
            pack_stream(path, self, channel, turn.held)
            if self.at > before:
                channel_tell_writer(path, channel)
        channel_schedule(path, channel)
        if scheduler_after(path, &turn, <uint32_t>(self.at - before), capacity):
            return
