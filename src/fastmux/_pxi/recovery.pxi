# What becomes of the frames of a packet: acknowledged, lost, sent again for a probe; and when an ACK is due.
# Owns: the meaning of frame records. May not know: how packets are built or parsed, windows.

cdef enum:
    RECORD_CONTROL = 0xFF  # `start` is a token that Python gave


cdef int stream_or_message_lost(Path *path, Channel *channel, Record *record, bint is_probe) noexcept nogil:
    """Data goes again; a message may be given up instead, but not for a probe."""
    cdef int status
    if record.kind == FRAME_STREAM:
        status = stream_out_lost(&as_stream(channel).sending, record.start, record.stop, record.fin)
    elif record.kind == FRAME_MESSAGE_FIN:
        status = OK
        if not as_messages(channel).sending.fin_acked:
            status = pending_add(path, PENDING_MESSAGE_FIN, channel)
    elif record.kind == FRAME_MESSAGE_ABANDON:
        status = queue_abandon_lost(&as_messages(channel).sending, record.start)
        if status == OK:
            status = messages_after_abandon(path, channel)
    elif is_probe:
        status = queue_again(
            &as_messages(channel).sending, record.start, record.stop >> 32, <uint32_t>record.stop, record.aux
        )
    else:
        status = queue_lost(
            &as_messages(channel).sending, record.start, record.stop >> 32, <uint32_t>record.stop, record.aux
        )
        if status == OK:
            status = messages_after_abandon(path, channel)
    channel_schedule(path, channel)
    return min(status, 0)


cdef int channel_frame_lost(Path *path, Channel *channel, Record *record, bint is_probe) noexcept nogil:
    """A frame of this channel was lost: what it says goes again if it still matters."""
    if record.kind == FRAME_OPEN:
        return OK if channel.is_open_acked else pending_add(path, PENDING_OPEN, channel)
    if record.kind == FRAME_RESET:
        return OK if channel.is_reset_acked else pending_add(path, PENDING_RESET, channel)
    if record.kind == FRAME_STOP:
        return OK if channel_is_receive_over(channel) else pending_add(path, PENDING_STOP, channel)
    if record.kind == FRAME_MAX_CHANNEL_DATA:
        if record.start != channel.limit or channel_is_size_known(channel):
            return OK
        return pending_add(path, PENDING_MAX_CHANNEL_DATA, channel)
    if channel.is_reset:
        return OK
    return stream_or_message_lost(path, channel, record, is_probe)


cdef int record_lost(Path *path, Record *record, bint is_probe) noexcept nogil:
    cdef Channel *channel
    if record.kind == FRAME_ACK:
        return OK
    if record.kind == RECORD_CONTROL:
        return OK if is_probe else report_add(path, CONTROL_LOST, record.start, NULL, REPORT_CHARGE)
    if record.kind == FRAME_MAX_DATA:
        return pending_add(path, PENDING_MAX_DATA, NULL) if record.start == path.limit else OK
    if record.kind == FRAME_MAX_CHANNELS:
        if record.start != path.local_limits[record.aux]:
            return OK
        return pending_add(path, PENDING_MAX_STREAMS + <int>record.aux, NULL)
    channel = table_get(path, record.channel_id)
    return OK if channel == NULL else channel_frame_lost(path, channel, record, is_probe)


cdef int channel_frame_acked(Path *path, Channel *channel, Record *record) noexcept nogil:
    """A frame of this channel arrived."""
    cdef MessageQueue *queue
    cdef int64_t released
    cdef int status = OK
    if record.kind == FRAME_OPEN:
        channel.is_open_acked = True
    elif record.kind == FRAME_RESET:
        channel.is_reset_acked = True
    elif not channel.is_reset and record.kind != FRAME_STOP and record.kind != FRAME_MAX_CHANNEL_DATA:
        if record.kind == FRAME_STREAM:
            released = stream_out_acked(&as_stream(channel).sending, record.start, record.stop, record.fin)
            if released < 0:
                return NO_MEMORY
            path.sent_released += released
        else:
            queue = &as_messages(channel).sending
            released = queue.released
            if record.kind == FRAME_MESSAGE_FIN:
                queue.fin_acked = True
            elif record.kind == FRAME_MESSAGE_ABANDON:
                status = queue_abandon_acked(queue, record.start)
            else:
                status = queue_acked(queue, record.start, record.stop >> 32, <uint32_t>record.stop)
            path.sent_released += queue.released - released
        channel_check_watch(path, channel)
    channel_note_busy(path, channel)
    return status if status < 0 else channel_check_done(path, channel)


cdef int record_acked(Path *path, Record *record) noexcept nogil:
    cdef Channel *channel
    if record.kind == FRAME_STREAM:
        channel = table_get(path, record.channel_id)
        return OK if channel == NULL else channel_frame_acked(path, channel, record)
    if record.kind == FRAME_ACK:  # nothing at or below it needs reporting any more (RFC 9000 §13.2.4)
        path.received.report_from = max(path.received.report_from, record.start + 1)
        return OK
    if record.kind == RECORD_CONTROL:
        return report_add(path, CONTROL_ACKED, record.start, NULL, REPORT_CHARGE)
    if record.kind == FRAME_MAX_DATA or record.kind == FRAME_MAX_CHANNELS:
        return OK
    channel = table_get(path, record.channel_id)
    return OK if channel == NULL else channel_frame_acked(path, channel, record)


cdef RecordChunk *chunks_reversed(RecordChunk *chunk) noexcept nogil:
    """The same chain, oldest chunk first."""
    cdef RecordChunk *before = NULL
    cdef RecordChunk *after
    while chunk != NULL:
        after = chunk.next
        chunk.next = before
        before = chunk
        chunk = after
    return before


cdef enum:
    WAS_ACKED = 0
    WAS_LOST = 1
    IS_PROBED = 2  # goes again for a probe


cdef inline int record_became(Path *path, Record *record, int what) noexcept nogil:
    return record_acked(path, record) if what == WAS_ACKED else record_lost(path, record, what == IS_PROBED)


cdef void each_record(Path *path, SentPacket *packet, int what) noexcept nogil:
    """Every record of a packet, in the order of its frames; `what` became of it."""
    cdef uint32_t position
    cdef uint32_t left
    cdef RecordChunk *chunk
    cdef int status = OK
    if packet.record_count == 0:
        return
    status = record_became(path, &packet.record, what)
    left = packet.record_count - 1
    if left:
        packet.more = chunks_reversed(packet.more)
        chunk = packet.more
        while left:
            for position in range(min(left, <uint32_t>RECORDS_PER_CHUNK)):
                status = min(status, record_became(path, &chunk.records[position], what))
                left -= 1
            chunk = chunk.next
        packet.more = chunks_reversed(packet.more)
    if status < 0:
        path.status = status


cdef void on_packet_acked(void *owner, int64_t number, SentPacket *packet) noexcept nogil:
    (<Path *>owner).counters.packets_acked += 1
    each_record(<Path *>owner, packet, WAS_ACKED)


cdef void on_packet_lost(void *owner, int64_t number, SentPacket *packet) noexcept nogil:
    (<Path *>owner).counters.packets_lost += 1
    each_record(<Path *>owner, packet, WAS_LOST)


cdef int path_detect_losses(Path *path, double now) noexcept nogil:
    """Queues again what the packets carried that are now lost.

    The sample of an ACK counts for what it declares lost (RFC 9002 §6.1.2, A.7): `loss_delay` is older.
    """
    cdef double delay = path.loss_delay
    cdef int status
    if path.sent.summary.is_there:
        delay = max(delay, K_TIME_THRESHOLD * path.sent.summary.latest_rtt)
    status = sent_detect_losses(&path.sent, delay, now, on_packet_lost, path)
    return min(status, path.status)


cdef int path_on_ack(
    Path *path, const Range *ranges, size_t count, double ack_delay, double now
) noexcept nogil:
    """An ACK frame of the peer, checked before."""
    cdef int status = sent_acknowledge(&path.sent, ranges, count, ack_delay, now, on_packet_acked, path)
    path_set_send_limit(path)
    return status if status < 0 else path_detect_losses(path, now)


cdef int path_probe(Path *path, int64_t count) noexcept nogil:
    """The next `count` packets are probes (RFC 9002 §6.2.4): they carry again what the oldest carry."""
    cdef Sent *sent = &path.sent
    cdef int64_t number = sent.first
    cdef uint32_t place = 0
    cdef SentPacket *packet
    cdef uint8_t wanted = PACKET_ELICITING | PACKET_IN_FLIGHT
    path.probes = max(path.probes, count)
    while count > 0 and number < sent.next_number:
        if place < sent.done.count and range_at(&sent.done, place).start <= number:
            number = range_at(&sent.done, place).stop
            place += 1
            continue
        packet = sent_at_number(sent, number)
        if packet.flags & wanted == wanted:
            each_record(path, packet, IS_PROBED)
            count -= 1
        number += 1
    return path.status


# --- when an ACK is due (RFC 9000 §13.2, draft-ietf-quic-ack-frequency §6): at once after more than
# ack_threshold ack-eliciting packets, counted by trains, or for a gap; else delayed

cdef inline int ack_on_packet(Path *path, int64_t number, double now, bint eliciting) noexcept nogil:
    """A new packet was applied."""
    if eliciting:
        path.ack_eliciting += 1
        if number != path.received.largest + 1:
            path.ack_out_of_order = True
    return min(received_add(&path.received, number, now), 0)


cdef inline bint ack_tells_of_a_gap(Path *path) noexcept nogil:
    """True if an ACK now says of a missing packet what no ACK has said yet (§6.2 of the draft)."""
    cdef int64_t distance = path.ack_reordering
    cdef int64_t missing
    if distance <= 1:
        return distance == 1 and path.ack_out_of_order
    missing = received_first_missing(&path.received, max(path.ack_largest_sent - distance + 1, 0))
    return path.received.largest - missing >= distance


cdef inline void ack_on_train(Path *path, double now) noexcept nogil:
    """All packets of a train were applied."""
    if not path.ack_eliciting:
        return
    if path.ack_eliciting > path.ack_threshold or ack_tells_of_a_gap(path):
        path.ack_due_at = now
        path.ack_is_due_now = True
    elif path.ack_due_at < 0.0:
        path.ack_due_at = now + path.max_ack_delay


cdef inline bint ack_is_due(Path *path, double now) noexcept nogil:
    return path.ack_due_at >= 0.0 and (path.ack_is_due_now or path.ack_due_at <= now)


cdef inline void ack_on_sent(Path *path) noexcept nogil:
    path.ack_due_at = -1.0
    path.ack_is_due_now = False
    path.ack_out_of_order = False
    path.ack_eliciting = 0
    path.ack_largest_sent = path.received.largest
