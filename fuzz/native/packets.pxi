# T6 in C: packets and calls on the state of a connection itself, for many executions; inputs as in
# fuzz/targets/connection.py, which says more of what comes of a call.
# Owns: one connection at a time, the application's channel ids. May not know: the contract in Python.

cdef enum:
    KNOWN_IDS = 64
    TRAIN_ROOM = 6000
    PACKET_ROOM = 4200

cdef struct PeerLimits:
    int64_t data
    int64_t channel_data
    int64_t channels
    int64_t message_channels
    int64_t message_size
    int64_t datagram_size

cdef PeerLimits[4] LIMITS = [
    PeerLimits(200000, 30000, 20, 20, 20000, 1000),
    PeerLimits(3000, 1200, 2, 2, 600, 50),
    PeerLimits(200000, 30000, 20, 0, 0, 0),
    PeerLimits(100000000, 30000, 20, 20, 10000000, 1000),
]

cdef struct Session:
    Path *path
    int64_t next_number
    double now
    uint32_t known_count
    int64_t known[KNOWN_IDS]
    uint8_t datagram[PACKET_ROOM]
    uint8_t train[TRAIN_ROOM]

cdef Session session
cdef bytes SESSION_ID = b"local-id"
cdef bytes SESSION_LABEL = b"label"
cdef bytes SESSION_FRAME = b"\x32" + bytes(8)
cdef list SESSION_DATA = []  # the bytes that are written: [pattern][size >> 4]
cdef int64_t held_before = 0


cdef int make_session_data() except -1:
    cdef int pattern, size
    for pattern in range(PATTERNS):
        for size in range(256):
            SESSION_DATA.append(PyBytes_FromStringAndSize(<char *>patterns[pattern], size * (size >> 4)))
    return 0

make_session_data()


cdef bint session_open(uint8_t first) noexcept with gil:
    """A path as DataPath would have made it; False without memory."""
    cdef PeerLimits *ours = LIMITS + (first >> 1 & 3)
    cdef PeerLimits *theirs = LIMITS + (first >> 4 & 3)
    cdef Path *path
    try:
        path = path_new(first & 1, SESSION_ID)
    except MemoryError:
        return False
    path.limit = path.window = ours.data
    path.max_channel_data = ours.channel_data
    path.local_limits[KIND_STREAM] = ours.channels
    path.local_limits[KIND_MESSAGE] = ours.message_channels
    path.max_message_charge = (ours.message_size + FRAGMENT_UNIT - 1) // FRAGMENT_UNIT * FRAGMENT_UNIT
    path.max_datagram_received = ours.datagram_size
    path.write_limit = 5000
    path.budget = 60000 if first & 8 else 1 << 26
    path.max_ack_delay = 0.025
    sent_init(&path.sent, MAX_PACKET_NUMBER - 99 if first & 64 else 0)
    path.sealer.is_set = path.opener.is_set = True
    key_update_restart(path)
    path.remote_id_size = 8
    path.peer_limit = theirs.data
    scheduler_set_window(path, theirs.data)
    path_set_peer(path, theirs.channel_data, theirs.channels, theirs.message_channels)
    path.peer_max_message_size = theirs.message_size
    path.max_datagram_sent = theirs.datagram_size
    session.path = path
    session.next_number = 0
    session.now = 10.0
    session.known_count = 0
    return True


# --- the peer ----------------------------------------------------------------------------------------------

cdef int session_packet(
    uint8_t first, uint8_t flags, const uint8_t *payload, Py_ssize_t size, const char **broken
) noexcept nogil:
    """Seals a payload and lets it arrive."""
    cdef Path *path = session.path
    cdef int64_t number = session.next_number
    cdef uint8_t nonce[IV_SIZE]
    cdef uint8_t *data = session.datagram
    cdef Py_ssize_t length = 13 + size + TAG_SIZE
    cdef int64_t held = path.held_size
    cdef uint32_t count = path.channels.count
    cdef Py_ssize_t taken
    if first & 7 == 5:
        number += 1
    elif first & 7 == 6:
        number = max(number - 1, <int64_t>0)
    elif first & 7 == 7:
        number += 1000
    session.next_number = max(session.next_number, number + 1)
    data[0] = FIXED_BIT | flags
    memset(data + 1, 7, 8)  # any id: whose it is the endpoint has looked at
    store_u32(data + 9, <uint32_t>number)
    memcpy(data + 13, payload, size)
    memset(nonce, 0, 4)
    store_u64(nonce + 4, number)
    null_tag(nonce, data, 13, data + 13, size, data + 13 + size)
    fuzz_poison(data + length, PACKET_ROOM - length)
    taken = reader_receive(path, data, length, length, session.now)
    fuzz_unpoison(data + length, PACKET_ROOM - length)
    if taken == FAULT and (path.held_size != held or path.channels.count != count):
        broken[0] = b"a refused packet left something"
    if taken >= 0 and taken != length:
        broken[0] = b"a packet of ours was not taken"
    return <int>min(taken, 0)


# --- the application ---------------------------------------------------------------------------------------

cdef Channel *session_channel(uint8_t one) noexcept nogil:
    """A channel that is known, or an id that may be none; NULL if the application has none of it."""
    cdef int64_t channel_id = one & 0x0F
    cdef Channel *channel
    if one < 0xF0 and session.known_count:
        channel_id = session.known[one % session.known_count]
    channel = table_get(session.path, channel_id)
    if channel == NULL or channel.is_released or not channel.has_fields:
        return NULL
    return channel


cdef void session_know(int64_t channel_id) noexcept nogil:
    cdef uint32_t position
    for position in range(session.known_count):
        if session.known[position] == channel_id:
            return
    if session.known_count < KNOWN_IDS:
        session.known[session.known_count] = channel_id
        session.known_count += 1


cdef int call_write(Channel *channel, uint8_t one, uint8_t two, bint many) noexcept with gil:
    cdef bytes data = SESSION_DATA[(one & 7) << 8 | two]
    cdef Kept kept = kept_of(data)
    if channel.stop_code >= 0 or channel.is_finishing or channel.is_reset:
        return OK
    if not is_message_id(channel.id):
        if stream_out_write(&as_stream(channel).sending, &kept) < 0:
            return NO_MEMORY
        channel_after_write(session.path, channel)
        return OK
    if len(data) <= session.path.peer_max_message_size:
        try:
            path_send_messages(session.path, channel, [data] * (two & 7 if many else 1), session.now, many)
        except MemoryError:
            return NO_MEMORY
    return OK


cdef int call_take(Channel *channel, uint8_t two) noexcept with gil:
    """Reads of a stream, or takes messages."""
    cdef Inbox *inbox
    cdef int64_t size
    if channel.stopped_code >= 0 or channel.reset_code >= 0:
        return OK
    if not is_message_id(channel.id):
        size = min(<int64_t>two * 32, stream_in_readable(&as_stream(channel).received))
        stream_in_read(&as_stream(channel).received, read_bytes, size)
        return channel_after_receiving(session.path, channel)
    inbox = &as_messages(channel).inbox
    while two and inbox.ready.count:
        inbox_take(inbox)
        two -= 1
    return channel_after_receiving(session.path, channel)


cdef int call_with_objects(uint8_t what, uint8_t one, uint8_t two) noexcept with gil:
    """Calls whose results are Python objects."""
    cdef Path *path = session.path
    cdef bytes data = SESSION_DATA[(one & 7) << 8 | two]
    try:
        if what == 0:
            session_know(path_open(
                path, one & 1, SESSION_LABEL, (two, bool(one & 2), one >> 2 & 3, one >> 4)
            ))
        elif what == 17:
            for channel_id, consumed, _, limit in path_take_credit(path):
                call_limit(channel_id, max(limit, consumed + 40000) if one & 1 else limit, 40000)
        elif what == 19:
            for channel_id, flags in path_take_ready(path):
                if flags & READY_OPENED:
                    session_know(channel_id)
        elif what == 20:
            take_reports(path)
        elif what == 21:
            while path.incoming.items.count:
                hand_over(datagram_pop(&path.incoming))
        elif what == 22 and len(data) <= path.max_datagram_sent:
            return min(datagram_push(path, &path.outgoing, <void *>data), 0)
        elif what == 23:
            path_queue_control(path, one, SESSION_FRAME)
        elif what == 26:
            sent_take_summary(&path.sent)
    except (WouldBlock, ProtocolError):
        return OK
    except MemoryError:
        return NO_MEMORY
    return OK


cdef int call_limit(int64_t channel_id, int64_t limit, int64_t window) noexcept nogil:
    cdef Channel *channel
    if channel_id == CONNECTION_CHANNEL:
        return path_set_limit(session.path, limit, window)
    channel = table_get(session.path, channel_id)
    if channel == NULL or channel.is_released:
        return OK
    return channel_set_limit(session.path, channel, limit, window)


cdef int call_fill(uint8_t one, uint8_t two) noexcept nogil:
    cdef Train train
    cdef int64_t[4] allowances = [0, 1200, 5000, 1 << 20]
    cdef int64_t[4] segments = [600, 1200, 1452, 2000]
    cdef int status = writer_fill(
        session.path, &train, session.train, TRAIN_ROOM, segments[two & 3], allowances[one & 3], session.now
    )
    return NO_MEMORY if status == NO_MEMORY else OK


cdef int call_on_channel(uint8_t what, Channel *channel, uint8_t one, uint8_t two) noexcept nogil:
    cdef Path *path = session.path
    if channel == NULL:
        return OK
    if what <= 3:
        return call_write(channel, one, two, what == 3)
    if what == 4:
        return channel_finish(path, channel)
    if what == 5:
        return channel_reset(path, channel, two)
    if what == 6:
        return channel_stop(path, channel, two)
    if what == 7:
        return channel_release(path, channel)
    if what <= 11:
        return call_take(channel, two)
    if what == 12:
        channel.is_watching = not channel.is_reset and not channel_is_acknowledged(channel)
        return OK
    return scheduler_set_priority(path, channel, two)


cdef int session_call(uint8_t what, uint8_t one, uint8_t two) noexcept nogil:
    """One call of the application; as in Python, but for what only looks."""
    cdef Path *path = session.path
    if 0 < what <= 13:
        return call_on_channel(what, session_channel(one), one, two)
    if what == 14 or what == 31:
        return call_fill(one, two)
    if what == 15:
        return path_probe(path, one & 3)
    if what == 16:
        session.now += one * (0.2 if two & 1 else 0.002)
        return min(path_detect_losses(path, session.now), table_expire(path, session.now))
    if what == 18:
        return call_limit(one & 0x0F, two * 256, two * 128)
    if what == 24:
        return sent_skip(&path.sent)
    if what == 25:
        path.ack_threshold = one & 15
        path.max_ack_delay = two / 256.0
        path.ack_reordering = one >> 4
        return OK
    if what == 27:
        return table_raise_limit(path, one & 1, two)
    if what == 28:
        return OK if writer_build(
            path, session.train, TRAIN_ROOM, <const uint8_t *>b"\x01", 1, one * 8, two, session.now
        ) != NO_MEMORY else NO_MEMORY
    if what == 30:
        return call_limit(CONNECTION_CHANNEL, one * 1000, two * 500)
    return call_with_objects(what, one, two)


cdef Py_ssize_t session_step(
    const uint8_t *data, Py_ssize_t size, int *status, const char **broken
) noexcept nogil:
    """One packet or call; the bytes that it took."""
    cdef uint8_t first = data[0]
    cdef uint8_t flags = 0
    cdef Py_ssize_t at = 1
    cdef Py_ssize_t length
    if first >= 0x80:
        status[0] = session_call(first & 0x1F, data[1] if size > 1 else 0, data[2] if size > 2 else 0)
        return min(size, <Py_ssize_t>3)
    if first & 0x30 == 0x30:
        flags = data[at] & 0x3F if at < size else 0
        at += 1
    length = data[at] if at < size else 0
    at += 1
    if first & 8:
        length = length << 8 | (data[at] if at < size else 0)
        at += 1
    at = min(at, size)
    length = min(length, size - at)
    status[0] = session_packet(first, flags, data + at, length, broken)
    return at + length


cdef const char *target_packets(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef const char *broken = NULL
    cdef Py_ssize_t at = 1
    cdef int status = OK
    cdef int64_t bytes_before = live_bytes
    cdef int64_t objects_before = live_objects
    if size == 0 or not session_open(data[0]):
        return NULL
    while at < size and status == OK and broken == NULL:
        at += session_step(data + at, size - at, &status, &broken)
        if broken == NULL and status != NO_MEMORY:
            broken = check_sums(session.path)
    path_free(session.path)
    if broken == NULL and (live_bytes != bytes_before or live_objects != objects_before):
        broken = b"something is left after close"
    return broken
