# The frames of one packet, and the checks of all of them: each by its type, then the memory limits.
# Owns: which check a frame type has. May not know: how frames are applied.

cdef enum:
    CACHED_FRAMES = 32

# Frames are parsed once and kept where there are few; of a packet with more, or with two ACKs, each pass
# parses again.
cdef struct PacketFrames:
    Parser parser
    const uint8_t *payload
    uint32_t count
    uint32_t position
    uint32_t ack_count
    Frame frames[CACHED_FRAMES]

cdef PacketFrames one_packet  # one packet at a time; no Python runs meanwhile


cdef inline bint frames_are_cached(PacketFrames *self) noexcept nogil:
    return self.count <= CACHED_FRAMES and self.ack_count <= 1


cdef int frames_parse(PacketFrames *self, const uint8_t *payload, Py_ssize_t size) noexcept nogil:
    """Every frame of a payload."""
    cdef Frame *frame
    self.payload = payload
    self.parser.at = payload
    self.parser.stop = payload + size
    self.count = 0
    self.position = 0
    self.ack_count = 0
    if size == 0:
        return fail(FRAME_ENCODING_ERROR, b"empty payload")
    while self.parser.at < self.parser.stop:
        frame = self.frames + (self.count if self.count < CACHED_FRAMES else CACHED_FRAMES - 1)
        if parse_frame(&self.parser, frame) < 0:
            return FAULT
        self.ack_count += frame.type == FRAME_ACK or frame.type == FRAME_ACK_ECN
        self.count += 1
    return OK


cdef void frames_rewind(PacketFrames *self) noexcept nogil:
    self.position = 0
    self.parser.at = self.payload


cdef inline Frame *frames_next(PacketFrames *self) noexcept nogil:
    """The next frame of a payload that was parsed before; NULL after the last."""
    cdef Frame *frame
    if self.position == self.count:
        return NULL
    frame = self.frames
    if frames_are_cached(self):
        frame += self.position
    else:
        parse_frame(&self.parser, frame)
    self.position += 1
    return frame


cdef int check_rare(Checker *self, Path *path, Frame *frame, Parser *parser) noexcept nogil:
    """Everything but STREAM and MESSAGE."""
    cdef Channel *channel
    cdef View *view
    cdef uint32_t kind = frame.type
    cdef int status
    if kind == FRAME_ACK or kind == FRAME_ACK_ECN:
        return sent_check_ack(&path.sent, parser.ranges, frame.range_count)
    if kind == FRAME_MESSAGE_ABANDON:
        return check_abandon(self, path, frame)
    if kind == FRAME_RESET:
        return check_reset(self, path, frame)
    if kind == FRAME_MESSAGE_FIN:
        status = checker_view(self, path, frame, KIND_MESSAGE, &view)
        return status if status < 0 or view == NULL else checker_end_messages(view, <int64_t>frame.a)
    if kind == FRAME_OPEN and <int64_t>(frame.channel_id & 1) == path.role:
        return fail(CHANNEL_STATE_ERROR, b"OPEN of a channel of ours")
    if (
        kind == FRAME_OPEN
        or kind == FRAME_STOP
        or kind == FRAME_MAX_CHANNEL_DATA
        or kind == FRAME_CHANNEL_DATA_BLOCKED
    ):
        return min(table_find(path, <int64_t>frame.channel_id, &channel), 0)
    if kind == FRAME_DATAGRAM:
        if path.max_datagram_received == 0 or frame.size > path.max_datagram_received:
            return fail(PROTOCOL_VIOLATION, b"datagram larger than announced")
        return OK
    if kind == FRAME_HANDSHAKE or kind == FRAME_PARAMETERS:
        return fail(PROTOCOL_VIOLATION, b"frame of the handshake")
    if kind == FRAME_HANDSHAKE_DONE and path.role == 1:
        return fail(PROTOCOL_VIOLATION, b"HANDSHAKE_DONE from a client")
    if is_reported(kind):
        self.reported += report_charge(frame)
    return OK


cdef int check_spans(Checker *self, Path *path) noexcept nogil:
    """Runs of all channels; those of each were checked as they came.

    A packet may make twice as many as are counted: a whole message right behind one that is new and partial.
    """
    cdef int64_t most = max(<int64_t>MIN_RECEIVED_SPANS, path.budget // RECEIVED_SPAN_DIVISOR)
    most += <int64_t>path.channels.count + <int64_t>self.view_count
    return CHECK_NO_ROOM if path.gap_count + 2 * self.new_spans > most else CHECK_OK


cdef int check_limits(Checker *self, Path *path) noexcept nogil:
    """CHECK_NO_ROOM where the packet is over a limit of memory; what fills a gap is always taken."""
    # What a peer within its credit can make us hold: the budget, one message that overdraws it, and each
    # stream's first and last block, which need not be full. Dropping less than that could go on for ever.
    cdef int64_t held_limit = path.budget + 2 * BLOCK_SIZE * <int64_t>path.channels.count
    if path.local_limits[KIND_MESSAGE]:
        held_limit += path.max_message_charge
    if self.stored and path.held_size + self.stored > held_limit:
        return CHECK_NO_ROOM
    if self.reported and path.report_size + self.reported > MAX_CONTROL_REPORTS_SIZE:
        return CHECK_NO_ROOM
    return check_spans(self, path) if self.new_spans else CHECK_OK


cdef int check_packet(Path *path, PacketFrames *frames) noexcept nogil:
    """CHECK_OK, CHECK_NO_ROOM, or the fault of the first frame that breaks a rule. Nothing changes."""
    cdef Checker checker
    cdef Frame *frame
    cdef int status = OK
    checker_begin(&checker)
    frames_rewind(frames)
    while status == OK:
        frame = frames_next(frames)
        if frame == NULL:
            status = check_limits(&checker, path)
            break
        if frame.type == FRAME_STREAM:
            status = check_stream(&checker, path, frame)
        elif frame.type == FRAME_MESSAGE:
            status = check_message(&checker, path, frame)
        elif frame.type != FRAME_PADDING:
            status = check_rare(&checker, path, frame, &frames.parser)
    checker_end(&checker)
    return status
