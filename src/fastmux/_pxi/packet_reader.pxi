# Receiving: a train is cut into packets, each is opened, checked whole and then applied.
# Owns: the order of these steps and what each frame does. May not know: how anything is sent.

cdef uint8_t opened[MAX_UDP_PAYLOAD]  # one payload at a time; no Python runs meanwhile


cdef int reader_channel(Path *path, Frame *frame, Channel **found) noexcept nogil:
    """The channel a frame speaks of, made if it is new; NULL if it is over."""
    cdef int status = table_find(path, <int64_t>frame.channel_id, found)
    if status == FOUND_RELEASED:
        path.was_useless = True
        return OK
    if status == FOUND_NEW:
        found[0] = table_create(path, <int64_t>frame.channel_id)
        return NO_MEMORY if found[0] == NULL else OK
    return min(status, 0)


cdef inline int glitch_unless(Path *path, int useful) noexcept nogil:
    """Notes what was of no use; hands a status on."""
    if useful == 0:
        path.was_useless = True
    return min(useful, 0)


cdef int apply_open(Path *path, Channel *channel, Frame *frame) noexcept nogil:
    cdef void *label = fm_bytes(frame.data, frame.size)
    if label == NULL:
        fm_clear_error()
        return NO_MEMORY
    return glitch_unless(
        path,
        channel_on_open(
            path, channel, <int>frame.a, frame.b & 1, <int>(frame.b >> 1), <int64_t>frame.c, label
        ),
    )


cdef int apply_to_channel(Path *path, Frame *frame) noexcept nogil:
    """Frames about one channel, all but STREAM."""
    cdef Channel *channel
    cdef uint32_t kind = frame.type
    cdef int64_t limit, consumed
    cdef int status
    if reader_channel(path, frame, &channel) < 0:
        return NO_MEMORY
    if channel == NULL:
        return OK
    if kind == FRAME_MESSAGE:
        return glitch_unless(
            path,
            messages_receive(
                path, channel, <int64_t>frame.a, <int64_t>frame.b, <int64_t>frame.c, frame.data, frame.size
            ),
        )
    if kind == FRAME_MAX_CHANNEL_DATA:
        limit = <int64_t>frame.a
        glitch_unless(path, limit > channel.peer_limit)
        channel_on_peer_limit(path, channel, limit)
        return OK
    if kind == FRAME_OPEN:
        return apply_open(path, channel, frame)
    if kind == FRAME_RESET:
        glitch_unless(path, channel.reset_code < 0 and not channel_is_receive_over(channel))
        return channel_on_reset(path, channel, <int64_t>frame.a, <int64_t>frame.b, <int64_t>frame.c)
    if kind == FRAME_STOP:
        glitch_unless(path, not channel_is_sending_over(channel))
        return channel_on_stop(path, channel, <int64_t>frame.a)
    if kind == FRAME_MESSAGE_FIN:
        glitch_unless(path, as_messages(channel).inbox.final_count < 0)
        return messages_on_finish(path, channel, <int64_t>frame.a)
    consumed = path.consumed
    status = messages_on_abandon(path, channel, frame)
    glitch_unless(path, path.consumed > consumed)
    return status


cdef int apply_to_connection(Path *path, Frame *frame) noexcept nogil:
    """Frames about the connection, all but ACK."""
    cdef uint32_t kind = frame.type
    if kind == FRAME_MAX_DATA:
        glitch_unless(path, <int64_t>frame.a > path.peer_limit)
        path.peer_limit = max(path.peer_limit, <int64_t>frame.a)
        path_set_send_limit(path)
        return OK
    if kind == FRAME_MAX_CHANNELS:
        if <int64_t>frame.b <= path.peer_limits[frame.a]:
            path.was_useless = True
            return OK
        path.peer_limits[frame.a] = <int64_t>frame.b
        return report_frame(path, frame)
    if kind == FRAME_DATAGRAM:
        return datagram_receive(path, frame.data, frame.size)
    if (
        kind == FRAME_PING
        or kind == FRAME_DATA_BLOCKED
        or kind == FRAME_CHANNEL_DATA_BLOCKED
        or kind == FRAME_CHANNELS_BLOCKED
    ):
        return OK
    return report_frame(path, frame)


cdef inline int apply_stream(Path *path, Frame *frame) noexcept nogil:
    cdef Channel *channel
    if reader_channel(path, frame, &channel) < 0:
        return NO_MEMORY
    if channel == NULL:
        return OK
    return glitch_unless(
        path, stream_receive(path, channel, <int64_t>frame.a, frame.data, frame.size, frame.fin)
    )


cdef inline int apply_other(Path *path, PacketFrames *frames, Frame *frame, double now) noexcept nogil:
    """Any frame but STREAM and PADDING."""
    if frame.type == FRAME_ACK or frame.type == FRAME_ACK_ECN:
        path.counters.acks_received += 1
        return path_on_ack(
            path,
            frames.parser.ranges,
            frame.range_count,
            <double>frames.parser.ack_delay / ACK_DELAY_UNITS,
            now,
        )
    if (
        frame.type == FRAME_MESSAGE
        or frame.type == FRAME_MAX_CHANNEL_DATA
        or frame.type == FRAME_OPEN
        or frame.type == FRAME_RESET
        or frame.type == FRAME_STOP
        or frame.type == FRAME_MESSAGE_FIN
        or frame.type == FRAME_MESSAGE_ABANDON
    ):
        return apply_to_channel(path, frame)
    return apply_to_connection(path, frame)


cdef int apply_packet(Path *path, PacketFrames *frames, int64_t number, double now) noexcept nogil:
    """Applies every frame of a checked packet."""
    cdef Frame *frame
    cdef uint64_t kinds = 0
    cdef int status = OK
    path.was_useless = False
    path.reported_frames = 0
    frames_rewind(frames)
    frame = frames_next(frames)
    while frame != NULL and status == OK:
        if frame.type == FRAME_STREAM:
            kinds |= frame_bit(FRAME_STREAM)
            status = apply_stream(path, frame)
        elif frame.type != FRAME_PADDING:
            kinds |= frame_bit(frame.type)
            status = apply_other(path, frames, frame, now)
        frame = frames_next(frames)
    path.counters.glitches += path.was_useless
    if not are_probing(kinds):
        path.largest_non_probing = max(path.largest_non_probing, number)
    return status if status < 0 else ack_on_packet(path, number, now, are_eliciting(kinds))


cdef int reader_failure(Path *path) noexcept nogil:
    path.counters.undecryptable_packets += 1
    if path.counters.undecryptable_packets >= FAILURE_LIMIT:
        return fail(AEAD_LIMIT_REACHED, b"too many packets that do not authenticate")
    return OK


cdef inline int reader_packet(Path *path, const uint8_t *data, Py_ssize_t size, double now) noexcept nogil:
    """One packet: open, filter, check, apply."""
    cdef Py_ssize_t header_size = 1 + path.local_id_size + PACKET_NUMBER_SIZE
    cdef bint is_clear = path.opener.suite == SUITE_NULL
    cdef const uint8_t *payload = data + header_size if is_clear else opened
    cdef int phase = data[0] & KEY_PHASE_BIT
    cdef int64_t number
    cdef int status
    if size < header_size + TAG_SIZE:
        path.counters.malformed_packets += 1
        return OK
    number = expand_packet_number(load_u32(data + 1 + path.local_id_size), path.received.largest)
    if not path.opener.is_set or size - header_size > MAX_UDP_PAYLOAD:
        return reader_failure(path)
    if phase != path.keys.receive_phase:
        status = key_update_open(
            path, number, data, header_size, data + header_size, size - header_size, opened
        )
        if status <= 0:
            return status if status < 0 else reader_failure(path)
    elif not cipher_open(
        &path.opener,
        number,
        data,
        header_size,
        data + header_size,
        size - header_size,
        NULL if is_clear else opened,
    ):
        return reader_failure(path)
    if received_has(&path.received, number):
        path.counters.duplicate_packets += 1
        return OK
    path.last_received_at = now
    if data[0] & SHORT_RESERVED_MASK:
        return fail(PROTOCOL_VIOLATION, b"reserved bits of the header")
    if frames_parse(&one_packet, payload, size - header_size - TAG_SIZE) < 0:
        return FAULT
    status = check_packet(path, &one_packet)
    if status == CHECK_NO_ROOM:
        path.counters.dropped_packets += 1
        return OK
    if status < 0:
        return status
    if number < path.keys.watch_below:
        status = key_update_check(path, number, phase, &one_packet)
        if status < 0:
            return status
    path.counters.packets_received += 1
    path.counters.bytes_received += size
    return apply_packet(path, &one_packet, number, now)


cdef Py_ssize_t reader_receive(
    Path *path, const uint8_t *train, Py_ssize_t size, Py_ssize_t segment_size, double now
) noexcept nogil:
    """Takes the segments at the front of a train that have the id of the first: the bytes, or a status."""
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t part
    cdef int status = OK
    while at < size:
        part = min(segment_size, size - at)
        if (
            part < 1 + path.local_id_size
            or train[at] & (FORM_LONG | FIXED_BIT) != FIXED_BIT
            or memcmp(train + at + 1, train + 1, path.local_id_size) != 0
        ):
            break
        status = reader_packet(path, train + at, part, now)
        if status < 0:
            break
        at += part
    ack_on_train(path, now)
    return at if status == OK else status

# By pointer: as fill_trains.
ctypedef Py_ssize_t (*ReceiveTrain)(
    Path *path, const uint8_t *train, Py_ssize_t size, Py_ssize_t segment_size, double now
) noexcept nogil
cdef ReceiveTrain receive_train = reader_receive
