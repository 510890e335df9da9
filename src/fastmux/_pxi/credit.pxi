# The connection's credit (docs/wire-format.md §10): limits raised, and which want raising.
# Owns: the advertised limits. May not know: how high a limit should be, frames, packets.
# The sums of Path are kept by channel_after_receiving, those of the sending side by the frame packer.

cdef int path_set_limit(Path *path, int64_t limit, int64_t window) noexcept nogil:
    """Raises what the peer may send over all channels."""
    path.window = window
    if limit <= path.limit:
        return OK
    path.limit = limit
    path.listed_at = -1
    return pending_add(path, PENDING_MAX_DATA, NULL)


cdef int channel_set_limit(Path *path, Channel *channel, int64_t limit, int64_t window) noexcept nogil:
    """Raises what the peer may send on a channel."""
    channel.window = window
    if limit <= channel.limit:
        return OK
    channel.limit = limit
    return OK if channel_is_size_known(channel) else pending_add(path, PENDING_MAX_CHANNEL_DATA, channel)


cdef inline int64_t credit_step(int64_t window) noexcept nogil:
    """How much credit is worth giving at once: a quarter of a window, or a train if that is up to half."""
    return min((window + 1) // 2, max(window // CREDIT_STEP_DIVISOR, <int64_t>CREDIT_STEP))


cdef inline bint path_is_due(Path *path) noexcept nogil:
    """True if the connection's limit wants raising, and was not listed with as much consumed."""
    cdef int64_t gain = path.charged - path.limit + path.window
    return path.consumed > path.listed_at and gain >= credit_step(path.window)


cdef list path_take_credit(Path *path):
    """(channel id, consumed, charged, limit) of each channel noted, then of the connection if it is due."""
    cdef uint32_t count = path.lists[LIST_DUE].count + 1
    cdef uint32_t used = 0
    cdef uint32_t position
    cdef Channel *channel = path.lists[LIST_DUE].first
    cdef bint is_due = path_is_due(path)
    if channel == NULL and not is_due:
        return []
    cdef int64_t *taken = <int64_t *>mem_alloc(count * 4 * sizeof(int64_t))
    if taken == NULL:
        raise MemoryError
    while channel != NULL:
        taken[4 * used] = channel.id
        taken[4 * used + 1] = channel.told_consumed
        taken[4 * used + 2] = channel.told_charged
        taken[4 * used + 3] = channel.limit
        used += 1
        list_remove(path, LIST_DUE, channel)
        channel = path.lists[LIST_DUE].first
    if is_due:
        path.listed_at = path.consumed
        taken[4 * used] = CONNECTION_CHANNEL
        taken[4 * used + 1] = path.consumed
        taken[4 * used + 2] = path.charged
        taken[4 * used + 3] = path.limit
        used += 1
    due = [
        (taken[4 * position], taken[4 * position + 1], taken[4 * position + 2], taken[4 * position + 3])
        for position in range(used)
    ]
    mem_free(taken, count * 4 * sizeof(int64_t))
    return due
