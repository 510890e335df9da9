# Frame syntax (docs/wire-format.md §7): one decoder for the packet reader and for parse_frames.
# Owns: the layout of every frame type. May not know: what a frame does.

# One decoded frame. `type` has no STREAM, MESSAGE or DATAGRAM flags. Channel frames have `channel_id`; the
# other integers are a, b, c, d in the order of the wire; `data` is the blob, which stays where the payload
# is; the whole frame is [begin, end). ACK: a largest, b delay, and `range_count` ranges, newest first, in the
# parser's `ranges`; a, b, c are ACK_ECN's counts after.
cdef struct Frame:
    uint32_t type
    bint fin
    uint32_t range_count
    uint64_t channel_id
    uint64_t a
    uint64_t b
    uint64_t c
    uint64_t d
    const uint8_t *data
    Py_ssize_t size
    const uint8_t *begin
    const uint8_t *end

cdef struct Parser:
    const uint8_t *at
    const uint8_t *stop
    uint64_t ack_delay
    Range ranges[MAX_ACK_RANGES_ACCEPTED]


cdef inline int parse_integer(Parser *self, uint64_t *value) noexcept nogil:
    self.at = get_varint(self.at, self.stop, value)
    if self.at == NULL:
        return fail(FRAME_ENCODING_ERROR, b"truncated varint")
    return OK


cdef inline int parse_taken(Parser *self, Frame *frame, uint64_t size) noexcept nogil:
    if <uint64_t>(self.stop - self.at) < size:
        return fail(FRAME_ENCODING_ERROR, b"truncated frame")
    frame.data = self.at
    frame.size = <Py_ssize_t>size
    self.at += size
    return OK


cdef inline int parse_blob(Parser *self, Frame *frame) noexcept nogil:
    """A length and as many bytes."""
    cdef uint64_t size = 0
    if parse_integer(self, &size) < 0:
        return FAULT
    return parse_taken(self, frame, size)


cdef inline int parse_data(Parser *self, Frame *frame, uint32_t flags) noexcept nogil:
    """Sized data, or all that is left of the packet."""
    if flags & FRAME_LENGTH:
        return parse_blob(self, frame)
    return parse_taken(self, frame, <uint64_t>(self.stop - self.at))


cdef inline int parse_stream(Parser *self, Frame *frame) noexcept nogil:
    cdef uint32_t flags = frame.type & 3
    frame.type = FRAME_STREAM
    frame.fin = flags & STREAM_FIN != 0
    if (
        parse_integer(self, &frame.channel_id) < 0
        or parse_integer(self, &frame.a) < 0
        or parse_data(self, frame, flags) < 0
    ):
        return FAULT
    if frame.a + <uint64_t>frame.size > <uint64_t>MAX_VARINT:
        return fail(FRAME_ENCODING_ERROR, b"offset too large")
    return OK


cdef int parse_message(Parser *self, Frame *frame) noexcept nogil:
    """a message id, b fragment index, c fragment count."""
    cdef uint32_t flags = frame.type
    frame.type = FRAME_MESSAGE
    if (
        parse_integer(self, &frame.channel_id) < 0
        or parse_integer(self, &frame.a) < 0
        or parse_integer(self, &frame.b) < 0
        or parse_integer(self, &frame.c) < 0
    ):
        return FAULT
    return parse_data(self, frame, flags)


cdef int parse_ack(Parser *self, Frame *frame) noexcept nogil:
    cdef uint64_t count = 0
    cdef uint64_t gap = 0
    cdef uint64_t size = 0
    cdef int64_t start, stop
    cdef bint below = False
    cdef uint32_t position
    if (
        parse_integer(self, &frame.a) < 0
        or parse_integer(self, &self.ack_delay) < 0
        or parse_integer(self, &count) < 0
        or parse_integer(self, &size) < 0
    ):
        return FAULT
    if count >= MAX_ACK_RANGES_ACCEPTED:
        return fail(PROTOCOL_VIOLATION, b"too many ACK ranges")
    stop = <int64_t>frame.a + 1
    start = stop - <int64_t>size - 1
    below = start < 0
    self.ranges[0].start = start
    self.ranges[0].stop = stop
    for position in range(1, <uint32_t>count + 1):
        if parse_integer(self, &gap) < 0 or parse_integer(self, &size) < 0:
            return FAULT
        if below:
            continue
        stop = start - <int64_t>gap - 1
        start = stop - <int64_t>size - 1
        below = start < 0
        self.ranges[position].start = start
        self.ranges[position].stop = stop
    if below:
        return fail(FRAME_ENCODING_ERROR, b"ACK range below zero")
    frame.range_count = <uint32_t>count + 1
    return parse_integers(self, frame, 3) if frame.type == FRAME_ACK_ECN else OK


cdef int parse_integers(Parser *self, Frame *frame, int count) noexcept nogil:
    """Frames that are nothing but integers, from `a` on."""
    if parse_integer(self, &frame.a) < 0:
        return FAULT
    if count > 1 and parse_integer(self, &frame.b) < 0:
        return FAULT
    if count > 2 and parse_integer(self, &frame.c) < 0:
        return FAULT
    if count > 3 and parse_integer(self, &frame.d) < 0:
        return FAULT
    return OK


cdef int parse_channel_integers(Parser *self, Frame *frame, int count) noexcept nogil:
    """A channel id and `count` integers."""
    if parse_integer(self, &frame.channel_id) < 0:
        return FAULT
    return parse_integers(self, frame, count)


cdef int parse_abandon(Parser *self, Frame *frame) noexcept nogil:
    """`a` entries of two integers each, which stay in `data`."""
    cdef uint64_t skipped = 0
    cdef uint64_t position
    if parse_channel_integers(self, frame, 1) < 0:
        return FAULT
    if frame.a == 0:
        return fail(FRAME_ENCODING_ERROR, b"MESSAGE_ABANDON of nothing")
    frame.data = self.at
    for position in range(frame.a):
        if parse_integer(self, &skipped) < 0 or parse_integer(self, &skipped) < 0:
            return FAULT
    frame.size = self.at - frame.data
    return OK


cdef int parse_open(Parser *self, Frame *frame) noexcept nogil:
    """a priority, b flags, c value, `data` the label."""
    if parse_integer(self, &frame.channel_id) < 0 or parse_taken(self, frame, 2) < 0:
        return FAULT
    frame.a = frame.data[0]
    frame.b = frame.data[1]
    if parse_integer(self, &frame.c) < 0 or parse_blob(self, frame) < 0:
        return FAULT
    if frame.b & ~<uint64_t>0x07:
        return fail(FRAME_ENCODING_ERROR, b"reserved OPEN flags")
    if frame.size > MAX_LABEL_SIZE:
        return fail(FRAME_ENCODING_ERROR, b"label too long")
    if not is_text(frame.data, frame.size):
        return fail(FRAME_ENCODING_ERROR, b"label is not UTF-8")
    return OK


cdef int parse_channels(Parser *self, Frame *frame) noexcept nogil:
    """MAX_CHANNELS and CHANNELS_BLOCKED: a kind, b limit."""
    if parse_integers(self, frame, 2) < 0:
        return FAULT
    if frame.a > KIND_MESSAGE:
        return fail(FRAME_ENCODING_ERROR, b"unknown channel kind")
    if frame.b > <uint64_t>MAX_CHANNELS_LIMIT:
        return fail(FRAME_ENCODING_ERROR, b"channel limit too large")
    return OK


cdef int parse_new_id(Parser *self, Frame *frame) noexcept nogil:
    """a sequence, b retire prior to; `data` is the id, the reset token follows it."""
    cdef Frame token
    if parse_integers(self, frame, 2) < 0 or parse_taken(self, frame, 1) < 0:
        return FAULT
    if parse_taken(self, frame, frame.data[0]) < 0 or parse_taken(self, &token, RESET_TOKEN_SIZE) < 0:
        return FAULT
    if not MIN_CONNECTION_ID_SIZE <= frame.size <= MAX_CONNECTION_ID_SIZE:
        return fail(FRAME_ENCODING_ERROR, b"connection id size")
    if frame.b > frame.a:
        return fail(FRAME_ENCODING_ERROR, b"retire prior to above sequence")
    return OK


cdef int parse_close(Parser *self, Frame *frame) noexcept nogil:
    if parse_integer(self, &frame.a) < 0 or parse_blob(self, frame) < 0:
        return FAULT
    if frame.size > MAX_REASON_SIZE:
        return fail(FRAME_ENCODING_ERROR, b"reason too long")
    return OK


cdef int parse_rare(Parser *self, Frame *frame) noexcept nogil:
    """Everything but STREAM, ACK and MESSAGE."""
    cdef uint32_t kind = frame.type
    if kind == FRAME_PING or kind == FRAME_HANDSHAKE_DONE:
        return OK
    if kind == FRAME_MAX_DATA or kind == FRAME_DATA_BLOCKED or kind == FRAME_RETIRE_ID:
        return parse_integers(self, frame, 1)
    if (
        kind == FRAME_MAX_CHANNEL_DATA
        or kind == FRAME_CHANNEL_DATA_BLOCKED
        or kind == FRAME_STOP
        or kind == FRAME_MESSAGE_FIN
    ):
        return parse_channel_integers(self, frame, 1)
    if kind == FRAME_RESET:
        return parse_channel_integers(self, frame, 3)
    if kind == FRAME_ACK_FREQUENCY:
        return parse_integers(self, frame, 4)
    if kind == FRAME_MESSAGE_ABANDON:
        return parse_abandon(self, frame)
    if kind == FRAME_OPEN:
        return parse_open(self, frame)
    if kind == FRAME_DATAGRAM or kind == FRAME_DATAGRAM | FRAME_LENGTH:
        frame.type = FRAME_DATAGRAM
        return parse_data(self, frame, kind)
    if kind == FRAME_MAX_CHANNELS or kind == FRAME_CHANNELS_BLOCKED:
        return parse_channels(self, frame)
    if kind == FRAME_NEW_ID:
        return parse_new_id(self, frame)
    if kind == FRAME_PATH_CHALLENGE or kind == FRAME_PATH_RESPONSE:
        return parse_taken(self, frame, 8)
    if kind == FRAME_CONNECTION_CLOSE or kind == FRAME_APPLICATION_CLOSE:
        return parse_close(self, frame)
    if kind == FRAME_HANDSHAKE:
        if parse_integer(self, &frame.a) < 0 or parse_blob(self, frame) < 0:
            return FAULT
        if frame.a + <uint64_t>frame.size > <uint64_t>MAX_VARINT:
            return fail(FRAME_ENCODING_ERROR, b"offset too large")
        return OK
    if kind == FRAME_PARAMETERS or FRAME_EXTENSION_FIRST <= kind <= FRAME_EXTENSION_LAST:
        return parse_blob(self, frame)
    return fail(FRAME_ENCODING_ERROR, b"unknown frame type")


cdef int parse_by_type(Parser *self, Frame *frame) noexcept nogil:
    """The next frame, of which there is at least one byte."""
    cdef uint64_t kind = self.at[0]
    if kind < 0x40:
        self.at += 1
    else:
        if parse_integer(self, &kind) < 0:
            return FAULT
        if kind > FRAME_EXTENSION_LAST:
            return fail(FRAME_ENCODING_ERROR, b"unknown frame type")
    frame.type = <uint32_t>kind
    if kind & ~<uint64_t>3 == FRAME_STREAM:
        return parse_stream(self, frame)
    if kind == FRAME_PADDING:
        frame.a = 1
        while self.at < self.stop and self.at[0] == 0:
            self.at += 1
            frame.a += 1
        return OK
    if kind == FRAME_ACK or kind == FRAME_ACK_ECN:
        return parse_ack(self, frame)
    if kind == FRAME_MESSAGE or kind == FRAME_MESSAGE | FRAME_LENGTH:
        return parse_message(self, frame)
    return parse_rare(self, frame)


cdef inline int parse_frame(Parser *self, Frame *frame) noexcept nogil:
    """The next frame, and where it begins and ends."""
    frame.begin = self.at
    frame.fin = False
    frame.data = NULL
    frame.size = 0
    if parse_by_type(self, frame) < 0:
        return FAULT
    frame.end = self.at
    return OK


cdef inline uint64_t frame_bit(uint32_t kind) noexcept nogil:
    """The bit of a type in a set of frame types; extensions share the highest."""
    return <uint64_t>1 << min(kind, <uint32_t>63)


cdef inline bint are_eliciting(uint64_t kinds) noexcept nogil:
    """True if any of these types is_eliciting."""
    return kinds & ~(
        frame_bit(FRAME_PADDING)
        | frame_bit(FRAME_ACK)
        | frame_bit(FRAME_ACK_ECN)
        | frame_bit(FRAME_CONNECTION_CLOSE)
        | frame_bit(FRAME_APPLICATION_CLOSE)
    ) != 0


cdef inline bint are_probing(uint64_t kinds) noexcept nogil:
    """True if a packet of these types moves nobody to another path (RFC 9000 §9.1)."""
    return kinds & ~(
        frame_bit(FRAME_PADDING)
        | frame_bit(FRAME_PATH_CHALLENGE)
        | frame_bit(FRAME_PATH_RESPONSE)
        | frame_bit(FRAME_NEW_ID)
    ) == 0


cdef inline bint is_eliciting(uint32_t kind) noexcept nogil:
    """True unless it is PADDING, ACK or a close (RFC 9000 §13.2)."""
    return not (
        kind == FRAME_PADDING
        or kind == FRAME_ACK
        or kind == FRAME_ACK_ECN
        or kind == FRAME_CONNECTION_CLOSE
        or kind == FRAME_APPLICATION_CLOSE
    )
