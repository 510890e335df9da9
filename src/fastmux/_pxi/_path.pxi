# Making and freeing a connection's state, and what leaves it as Python objects.
# Owns: nothing of its own. May not know: any rule of the wire.
# A tuple or list may set off the collector and so run any Python code: what becomes one is copied out first.

cdef Path *path_new(bint is_client, bytes local_id) except NULL:
    global live_objects
    cdef Path *path = <Path *>mem_zeroed(sizeof(Path))
    if path == NULL:
        raise MemoryError
    live_objects += 1
    path.role = 0 if is_client else 1
    path.local_id_size = len(local_id)
    received_init(&path.received, MAX_RECEIVED_RANGES)
    sent_init(&path.sent, 0)
    path.loss_delay = _constants.K_INITIAL_RTT * _constants.K_TIME_THRESHOLD
    path.ack_due_at = -1.0
    path.ack_threshold = ACK_ELICITING_THRESHOLD - 1
    path.ack_reordering = 1
    path.ack_largest_sent = -1
    path.listed_at = -1
    path.largest_non_probing = -1
    return path


cdef void path_free(Path *path) noexcept nogil:
    global live_objects
    cipher_free(&path.sealer)
    cipher_free(&path.opener)
    key_update_free(path)
    sent_free(&path.sent)
    ranges_free(&path.received.ranges)
    table_free(path)
    control_free(path)
    datagrams_free(&path.incoming)
    datagrams_free(&path.outgoing)
    mem_free(path, sizeof(Path))
    live_objects -= 1


cdef int path_set_limits(Path *path, tuple limits) except -1:
    """The limits in the order of DataPath's signature, checked before any is set."""
    cdef int64_t values[8]
    cdef int position
    highest = (
        MAX_SIZE_SETTING, MAX_SIZE_SETTING, MAX_CHANNELS_LIMIT, MAX_CHANNELS_LIMIT,
        MAX_SIZE_SETTING, MAX_VARINT, MAX_VARINT, MAX_SIZE_SETTING,
    )
    for position in range(8):
        values[position] = as_integer(limits[position], 0, highest[position])
    path.limit = values[0]
    path.window = values[0]
    path.max_channel_data = values[1]
    path.local_limits[KIND_STREAM] = values[2]
    path.local_limits[KIND_MESSAGE] = values[3]
    path.max_message_charge = (values[4] + FRAGMENT_UNIT - 1) // FRAGMENT_UNIT * FRAGMENT_UNIT
    path.max_datagram_received = values[5]
    path.write_limit = values[6]
    path.budget = values[7]
    path.max_unacked = max(path.budget, <int64_t>MAX_UNACKED_SIZE)
    return 0


cdef void path_set_remote_id(Path *path, bytes remote_id) noexcept:
    """Addresses packets to this id of the peer."""
    path.remote_id_size = len(remote_id)
    memcpy(path.remote_id, PyBytes_AS_STRING(remote_id), path.remote_id_size)


cdef void path_set_peer(
    Path *path, int64_t max_channel_data, int64_t max_streams, int64_t max_messages
) noexcept nogil:
    """What the peer's parameters allow channels; limits never fall."""
    cdef uint32_t place
    path.peer_channel_data = max_channel_data
    for place in range(path.channels.capacity):
        if path.channels.entries[place].value != NULL:
            channel_on_peer_limit(path, <Channel *>path.channels.entries[place].value, max_channel_data)
    path.peer_limits[KIND_STREAM] = max(path.peer_limits[KIND_STREAM], max_streams)
    path.peer_limits[KIND_MESSAGE] = max(path.peer_limits[KIND_MESSAGE], max_messages)


cdef bint path_is_idle(Path *path) noexcept nogil:
    """True when nothing waits, and everything that channels sent is acknowledged."""
    return not (path.control_count or path.pending_count or path.outgoing.items.count or path.busy_count)


cdef list path_take_ready(Path *path):
    """Each channel with news since the last call, and its flags."""
    cdef uint32_t count = path.lists[LIST_READY].count
    cdef uint32_t position
    cdef Channel *channel
    if count == 0:
        return []
    cdef int64_t *taken = <int64_t *>mem_alloc(count * 2 * sizeof(int64_t))
    if taken == NULL:
        raise MemoryError
    for position in range(count):
        channel = path.lists[LIST_READY].first
        taken[2 * position] = channel.id
        taken[2 * position + 1] = channel.ready
        channel.ready = 0
        list_remove(path, LIST_READY, channel)
    ready = [(taken[2 * position], taken[2 * position + 1]) for position in range(count)]
    mem_free(taken, count * 2 * sizeof(int64_t))
    return ready


cdef int path_queue_control(Path *path, int64_t token, bytes frame) except -1:
    """An encoded frame to be sent once; ProtocolError(RESOURCE_LIMIT) when too much waits."""
    if not 0 < len(frame) <= MAX_CONTROL_FRAME:
        raise ValueError(f"a control frame must have 1 to {MAX_CONTROL_FRAME} bytes")
    if path.control_size + len(frame) > MAX_CONTROL_QUEUE_SIZE:
        raise ProtocolError(RESOURCE_LIMIT, "too many control frames waiting")
    if control_push(path, token, <void *>frame) < 0:
        raise MemoryError
    return 0


cdef int64_t path_open(Path *path, int kind, bytes label, tuple fields) except -1:
    """A new channel of ours; WouldBlock at the peer's limit."""
    cdef int64_t number = path.next_index[kind]
    cdef Channel *channel
    cdef uint8_t priority, ordered, reliability
    cdef int64_t value
    priority, ordered, reliability, value = fields
    if number >= path.peer_limits[kind]:
        raise WouldBlock("the peer takes no more channels of this kind now")
    if scheduler_prepare(path, priority) < 0:
        raise MemoryError
    channel = table_create(path, number << 2 | kind << 1 | path.role)
    if channel == NULL or pending_add(path, PENDING_OPEN, channel) < 0:
        raise MemoryError
    path.next_index[kind] = number + 1
    hold(<void *>label)
    channel.label = <void *>label
    channel.priority = priority
    channel.ordered = ordered
    channel.reliability = reliability
    channel.value = value
    channel.has_fields = True
    scheduler_admit(path, channel)
    channel_note_busy(path, channel)
    if kind == KIND_MESSAGE:
        messages_on_open(channel)
    return channel.id


cdef int check_writable(Channel *channel) except -1:
    """BrokenResourceError after the peer's STOP, ClosedResourceError after finish or reset."""
    if channel.stop_code >= 0:
        raise BrokenResourceError("the peer stopped this channel")
    if channel.is_finishing or channel.is_reset:
        raise ClosedResourceError("this direction of the channel is closed")
    return 0


cdef int check_readable(Channel *channel) except -1:
    """ChannelReset after the peer's RESET, ClosedResourceError after our stop."""
    if channel.stopped_code >= 0:
        raise ClosedResourceError("this channel was stopped")
    if channel.reset_code >= 0:
        raise ChannelReset(channel.reset_code)
    return 0


cdef int64_t path_send_messages(
    Path *path, Channel *channel, list messages, double now, bint limited
) except -1:
    """Takes what `as_kept` gave, while less than the write limit is unsent if `limited`: how many."""
    cdef MessageQueue *queue = &as_messages(channel).sending
    cdef int64_t taken = 0
    cdef Kept kept
    for data in messages:
        if limited and queue.unsent_size >= path.write_limit:
            break
        kept = kept_of(data)
        if queue_append(queue, &kept, now) < 0 or table_watch_expiry(path, channel) < 0:
            raise MemoryError
        channel_after_write(path, channel)
        taken += 1
    return taken


cdef object path_charges(Path *path):
    """All that is held, by kind; O(channels)."""
    cdef int64_t runs = path.received.ranges.count
    cdef int64_t messages = 0
    cdef int64_t unsent = 0
    cdef int64_t datagrams = path.incoming.size + path.outgoing.size
    cdef uint32_t place
    cdef Channel *channel
    cdef Inbox *inbox
    runs += path.unseen[KIND_STREAM].count + path.unseen[KIND_MESSAGE].count
    datagrams += DATAGRAM_CHARGE * <int64_t>(path.incoming.items.count + path.outgoing.items.count)
    for place in range(path.channels.capacity):
        channel = <Channel *>path.channels.entries[place].value
        if channel == NULL:
            continue
        unsent += channel_unsent(channel)
        if is_message_id(channel.id):
            inbox = &as_messages(channel).inbox
            runs += inbox_spans(inbox)
            messages += MESSAGE_CHARGE * <int64_t>(inbox.complete.count + inbox.ready.count)
            messages += PARTIAL_CHARGE * <int64_t>inbox.partial.count
            messages += PARTIAL_CHARGE * queue_message_count(&as_messages(channel).sending)
        else:
            runs += stream_in_spans(&as_stream(channel).received)
    return Charges(
        path.held_size,
        SPAN_CHARGE * runs,
        messages,
        datagrams,
        path.control_size + CONTROL_CHARGE * <int64_t>path.control_count,
        path.report_size,
        CHANNEL_CHARGE * <int64_t>path.channels.count,
        PACKET_CHARGE * <int64_t>path.sent.count,
        path.sent_charged - path.sent_released,
        unsent,
    )


cdef dict counters_dict(Counters counters):
    """All counters by name."""
    return counters
