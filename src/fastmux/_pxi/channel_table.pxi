# The channels of one connection: ids, limits, closed ids, lifetimes of messages.
# Owns: which channels exist or existed. What is over is what was used and is not there: closing costs the
# same in any order. May not know: packets, what a channel carries.

cdef enum:
    FOUND_NEW = 0  # the frame would create the channel
    FOUND_HERE = 1
    FOUND_RELEASED = 2  # frames for it are ignored


cdef inline Channel *table_get(Path *path, int64_t channel_id) noexcept nogil:
    """The channel, NULL if there is none; the one asked for last is found at once."""
    if path.newest != NULL and path.newest.id == channel_id:
        return path.newest
    cdef Channel *channel = <Channel *>map_get(&path.channels, channel_id)
    if channel != NULL:
        path.newest = channel
    return channel


cdef int table_find(Path *path, int64_t channel_id, Channel **found) noexcept nogil:
    """What a frame of the peer speaks of; FAULT for an id that the peer may not use."""
    cdef int64_t number = channel_id >> 2
    cdef int kind = is_message_id(channel_id)
    found[0] = table_get(path, channel_id)
    if found[0] != NULL:
        return FOUND_HERE
    if channel_id & 1 == path.role:
        if number >= path.next_index[kind]:
            return fail(CHANNEL_STATE_ERROR, b"frame for a channel that was not opened")
        return FOUND_RELEASED
    if number >= path.local_limits[kind]:
        return fail(CHANNEL_LIMIT_ERROR, b"channel id above the limit")
    if number >= path.peer_next[kind] or ranges_contain(&path.unseen[kind], number):
        return FOUND_NEW
    return FOUND_RELEASED


cdef int table_use(Path *path, int64_t channel_id) noexcept nogil:
    """Notes that the peer has used an id for the first time; ids may come in any order."""
    cdef int64_t number = channel_id >> 2
    cdef int kind = is_message_id(channel_id)
    cdef int64_t expected = path.peer_next[kind]
    if number < expected:
        return ranges_remove(&path.unseen[kind], number, number + 1)
    if number > expected and ranges_add(&path.unseen[kind], expected, number) < 0:
        return NO_MEMORY
    path.peer_next[kind] = number + 1
    return OK


cdef Channel *table_create(Path *path, int64_t channel_id) noexcept nogil:
    """A new channel under an id that was checked; NULL without memory."""
    global live_objects
    cdef bint messages = is_message_id(channel_id)
    cdef size_t size = sizeof(MessageChannel) if messages else sizeof(StreamChannel)
    cdef Channel *channel = <Channel *>mem_zeroed(size)
    if channel == NULL:
        return NULL
    if channel_id & 1 != path.role and table_use(path, channel_id) < 0:
        mem_free(channel, size)
        return NULL
    if map_put(&path.channels, channel_id, channel) < 0:
        mem_free(channel, size)
        return NULL
    live_objects += 1
    channel.id = channel_id
    channel.peer_limit = path.peer_channel_data
    channel.limit = path.max_channel_data
    channel.window = path.max_channel_data
    channel.weight = PRIORITY_WEIGHTS
    channel.is_open_acked = channel_id & 1 != path.role  # the peer's channels need none of us
    channel.stop_code = -1
    channel.reset_code = -1
    channel.stopped_code = -1
    if messages:
        inbox_init(&as_messages(channel).inbox)
        as_messages(channel).sending.active.is_counted = True
    else:
        stream_in_init(&as_stream(channel).received)
        path.counters.streams_opened += 1
    path.counters.channels_opened += 1
    path.newest = channel
    return channel


cdef void channel_free(Channel *channel) noexcept nogil:
    global live_objects
    if channel.label != NULL:
        let_go(channel.label)
    if is_message_id(channel.id):
        queue_drop(&as_messages(channel).sending)
        inbox_free(&as_messages(channel).inbox)
        mem_free(channel, sizeof(MessageChannel))
    else:
        stream_in_free(&as_stream(channel).received)
        stream_out_free(&as_stream(channel).sending)
        mem_free(channel, sizeof(StreamChannel))
    live_objects -= 1


cdef int table_remove(Path *path, Channel *channel) noexcept nogil:
    """Frees a channel that is over; a channel of the peer's gives it one more."""
    cdef int64_t channel_id = channel.id
    cdef int kind = is_message_id(channel_id)
    cdef int which
    map_pop(&path.channels, channel_id)
    for which in range(PLAIN_LISTS):
        list_remove(path, which, channel)
    ring_remove(path, LIST_RING, channel)
    ring_remove(path, LIST_FREE, channel)
    scheduler_dismiss(path, channel)
    for which in range(PENDING_MESSAGE_ABANDON + 1):
        pending_cancel(path, which, channel)
    if path.newest == channel:
        path.newest = NULL
    path.gap_count -= channel.told_gaps  # the ids of its messages that are done
    channel_free(channel)
    if channel_id & 1 != path.role:
        return table_raise_limit(path, kind, path.local_limits[kind] + 1)
    return OK


cdef int table_raise_limit(Path *path, int kind, int64_t limit) noexcept nogil:
    """The peer may open `limit` channels of `kind` in all; it is told if that is more than before."""
    if path.local_limits[kind] < limit <= MAX_CHANNELS_LIMIT:
        if pending_add(path, PENDING_MAX_STREAMS + kind, NULL) < 0:
            return NO_MEMORY
        path.local_limits[kind] = limit
    return OK


cdef int table_free(Path *path) noexcept nogil:
    """Frees every channel and list."""
    cdef uint32_t place
    for place in range(path.channels.capacity):
        if path.channels.entries[place].value != NULL:
            channel_free(<Channel *>path.channels.entries[place].value)
    map_free(&path.channels)
    scheduler_free(&path.scheduler)
    for place in range(2):
        ranges_free(&path.unseen[place])
    mem_free(path.pending_frames.items, path.pending_frames.capacity * sizeof(PendingFrame))
    mem_free(path.expiries, path.expiry_capacity * sizeof(Expiry))
    return OK


# --- lifetimes: a binary heap with one entry a channel at the most, and some of channels that are gone ---

cdef int expiry_push(Path *path, double at, int64_t channel_id) noexcept nogil:
    cdef uint32_t place = path.expiry_count
    cdef uint32_t capacity
    cdef Expiry *grown
    if place == path.expiry_capacity:
        capacity = place * 2 if place else 4
        grown = <Expiry *>mem_resize(path.expiries, place * sizeof(Expiry), capacity * sizeof(Expiry))
        if grown == NULL:
            return NO_MEMORY
        path.expiries = grown
        path.expiry_capacity = capacity
    path.expiry_count += 1
    while place > 0 and path.expiries[(place - 1) // 2].at > at:
        path.expiries[place] = path.expiries[(place - 1) // 2]
        place = (place - 1) // 2
    path.expiries[place].at = at
    path.expiries[place].channel_id = channel_id
    return OK


cdef void expiry_pop(Path *path) noexcept nogil:
    """Drops the earliest entry."""
    cdef uint32_t place = 0
    cdef uint32_t child = 1
    cdef Expiry moved
    path.expiry_count -= 1
    moved = path.expiries[path.expiry_count]
    while child < path.expiry_count:
        if child + 1 < path.expiry_count and path.expiries[child + 1].at < path.expiries[child].at:
            child += 1
        if path.expiries[child].at >= moved.at:
            break
        path.expiries[place] = path.expiries[child]
        place = child
        child = 2 * place + 1
    path.expiries[place] = moved


cdef void expiry_sweep(Path *path) noexcept nogil:
    """Forgets channels that are gone once they are the most: one without end must not keep the rest."""
    cdef uint32_t place
    cdef uint32_t count = path.expiry_count
    if count <= 2 * path.channels.count + MAX_STALE_ENTRIES:
        return
    path.expiry_count = 0
    for place in range(count):  # no entry moves to a place that was not looked at yet
        if map_get(&path.channels, path.expiries[place].channel_id) != NULL:
            expiry_push(path, path.expiries[place].at, path.expiries[place].channel_id)


cdef int table_watch_expiry(Path *path, Channel *channel) noexcept nogil:
    """Notes when the channel's oldest message expires."""
    cdef MessageQueue *queue = &as_messages(channel).sending
    cdef double at = queue_expiry_at(queue)
    if at < 0.0 or queue.is_expiry_watched:
        return OK
    expiry_sweep(path)
    queue.is_expiry_watched = True
    return expiry_push(path, at, channel.id)


cdef double table_expiry_at(Path *path) noexcept nogil:
    """When the next message expires, -1 if none does; entries that are out of date are renewed."""
    cdef Channel *channel
    cdef Expiry entry
    while path.expiry_count:
        entry = path.expiries[0]
        channel = <Channel *>map_get(&path.channels, entry.channel_id)
        if channel != NULL and queue_expiry_at(&as_messages(channel).sending) == entry.at:
            return entry.at
        expiry_pop(path)
        if channel != NULL:
            as_messages(channel).sending.is_expiry_watched = False
            table_watch_expiry(path, channel)
    return -1.0


cdef int table_expire(Path *path, double now) noexcept nogil:
    """Gives up the messages whose lifetime is over."""
    cdef double at = table_expiry_at(path)
    while 0.0 <= at <= now:
        if messages_expire(path, <Channel *>map_get(&path.channels, path.expiries[0].channel_id), now) < 0:
            return NO_MEMORY
        at = table_expiry_at(path)
    return OK
