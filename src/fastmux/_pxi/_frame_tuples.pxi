# Decoded frames as the plain tuples of docs/core.md.
# Owns: the tuples. May not know: what a frame does.

cdef tuple ack_tuple(Frame *frame, Parser *parser):
    cdef uint32_t position
    delay = <double>parser.ack_delay / ACK_DELAY_UNITS
    ranges = tuple([
        (parser.ranges[position].start, parser.ranges[position].stop) for position in range(frame.range_count)
    ])
    if frame.type == FRAME_ACK:
        return (frame.type, delay, ranges)
    return (frame.type, delay, ranges, (frame.a, frame.b, frame.c))


cdef tuple abandon_tuple(Frame *frame):
    cdef const uint8_t *at = frame.data
    cdef const uint8_t *stop = frame.data + frame.size
    cdef uint64_t message_id = 0
    cdef uint64_t fragment_count = 0
    entries = []
    while at < stop:
        at = get_varint(at, stop, &message_id)
        at = get_varint(at, stop, &fragment_count)
        entries.append((message_id, fragment_count))
    return (frame.type, frame.channel_id, tuple(entries))


cdef tuple channel_frame_tuple(Frame *frame, bytes data):
    """Frames of one channel; None for other types."""
    cdef uint32_t kind = frame.type
    if kind == FRAME_STREAM:
        return (kind, frame.channel_id, frame.a, data, bool(frame.fin))
    if kind == FRAME_MESSAGE:
        return (kind, frame.channel_id, frame.a, frame.b, frame.c, data)
    if kind == FRAME_OPEN:
        return (kind, frame.channel_id, frame.a, frame.b & 1 == 1, frame.b >> 1, frame.c, data)
    if kind == FRAME_RESET:
        return (kind, frame.channel_id, frame.a, frame.b, frame.c)
    if kind == FRAME_MESSAGE_ABANDON:
        return abandon_tuple(frame)
    if (
        kind == FRAME_STOP
        or kind == FRAME_MESSAGE_FIN
        or kind == FRAME_MAX_CHANNEL_DATA
        or kind == FRAME_CHANNEL_DATA_BLOCKED
    ):
        return (kind, frame.channel_id, frame.a)
    return None


cdef tuple frame_tuple(Frame *frame, Parser *parser):
    """The tuple of one decoded frame."""
    cdef uint32_t kind = frame.type
    cdef bytes data = b""
    if frame.data != NULL and kind != FRAME_MESSAGE_ABANDON:
        data = PyBytes_FromStringAndSize(<char *>frame.data, frame.size)
    found = channel_frame_tuple(frame, data)
    if found is not None:
        return found
    if kind == FRAME_ACK or kind == FRAME_ACK_ECN:
        return ack_tuple(frame, parser)
    if kind == FRAME_PING or kind == FRAME_HANDSHAKE_DONE:
        return (kind,)
    if kind == FRAME_NEW_ID:
        token = PyBytes_FromStringAndSize(<char *>frame.data + frame.size, RESET_TOKEN_SIZE)
        return (kind, frame.a, frame.b, data, token)
    if kind == FRAME_ACK_FREQUENCY:
        return (kind, frame.a, frame.b, frame.c, frame.d)
    if kind == FRAME_HANDSHAKE or kind == FRAME_CONNECTION_CLOSE or kind == FRAME_APPLICATION_CLOSE:
        return (kind, frame.a, data)
    if kind == FRAME_MAX_CHANNELS or kind == FRAME_CHANNELS_BLOCKED:
        return (kind, frame.a, frame.b)
    if kind in (FRAME_PADDING, FRAME_MAX_DATA, FRAME_DATA_BLOCKED, FRAME_RETIRE_ID):
        return (kind, frame.a)
    return (kind, data)


cdef list tuples_of(const uint8_t *payload, Py_ssize_t size, int64_t max_frames):
    cdef Parser parser
    cdef Frame frame
    cdef int64_t count = 0
    frames = []
    parser.at = payload
    parser.stop = payload + size
    if size == 0:
        raise ProtocolError(FRAME_ENCODING_ERROR, "empty payload")
    while parser.at < parser.stop:
        if count >= max_frames:
            raise ProtocolError(FRAME_ENCODING_ERROR, "too many frames")
        count += 1
        if parse_frame(&parser, &frame) < 0:
            raise_status(FAULT)
        frames.append(frame_tuple(&frame, &parser))
    return frames


def parse_frames(payload, max_frames=MAX_VARINT):
    """Every frame of a payload, in order (docs/core.md has the tuples).

    ProtocolError(FRAME_ENCODING_ERROR) for an unknown type, a malformed field, an empty payload, or more than
    `max_frames`: nothing is made of what lies behind them.
    """
    cdef Py_buffer view
    cdef int64_t most = 0
    take_buffer(payload, &view)
    try:
        most = as_wire(max_frames)
        return tuples_of(<const uint8_t *>view.buf, view.len, most)
    finally:
        PyBuffer_Release(&view)
