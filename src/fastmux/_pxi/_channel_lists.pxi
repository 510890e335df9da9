# The lists of channels with something to do, and the frames about channels that wait to be built.
# Owns: links, ready flags, the pending queue. May not know: why a channel is in a list.

cdef void path_set_send_limit(Path *path) noexcept nogil:
    """How far the credit used may go: the peer must raise its limit, or confirm what it has, for more."""
    path.send_limit = min(path.peer_limit, path.sent_released + path.max_unacked)


cdef inline bint list_has(Channel *channel, int which) noexcept nogil:
    return (channel.lists >> which) & 1


cdef inline ChannelList *list_of(Path *path, int which, Channel *channel) noexcept nogil:
    """The list that holds the channel's link `which`."""
    if which < PLAIN_LISTS:
        return &path.lists[which]
    return &path.scheduler.rings[(which - PLAIN_LISTS) * PRIORITY_LEVELS + channel.level]


cdef void list_append(Path *path, int which, Channel *channel) noexcept nogil:
    """Puts the channel at the end unless it is in the list."""
    cdef ChannelList *members = list_of(path, which, channel)
    if list_has(channel, which):
        return
    channel.lists |= <uint8_t>(1 << which)
    channel.links[which].before = members.last
    channel.links[which].after = NULL
    if members.last != NULL:
        members.last.links[which].after = channel
    else:
        members.first = channel
    members.last = channel
    members.count += 1


cdef void list_remove(Path *path, int which, Channel *channel) noexcept nogil:
    """Takes the channel out if it is in the list."""
    cdef ChannelList *members = list_of(path, which, channel)
    cdef Link link = channel.links[which]
    if not list_has(channel, which):
        return
    channel.lists &= <uint8_t>~(1 << which)
    if link.before != NULL:
        link.before.links[which].after = link.after
    else:
        members.first = link.after
    if link.after != NULL:
        link.after.links[which].before = link.before
    else:
        members.last = link.before
    members.count -= 1


cdef inline void channel_notify(Path *path, Channel *channel, int flags) noexcept nogil:
    """Puts the channel on the ready list, once the application may know of it."""
    if channel.has_fields and not channel.is_released:
        channel.ready |= <uint8_t>flags
        list_append(path, LIST_READY, channel)


cdef int pending_push(Path *path, int what, int64_t channel_id) noexcept nogil:
    cdef PendingQueue *self = &path.pending_frames
    cdef uint32_t capacity, position
    cdef PendingFrame *items
    if self.count == self.capacity:
        capacity = self.capacity * 2 if self.capacity else 8
        items = <PendingFrame *>mem_alloc(capacity * sizeof(PendingFrame))
        if items == NULL:
            return NO_MEMORY
        for position in range(self.count):
            items[position] = self.items[(self.first + position) & (self.capacity - 1)]
        mem_free(self.items, self.capacity * sizeof(PendingFrame))
        self.items = items
        self.capacity = capacity
        self.first = 0
    position = (self.first + self.count) & (self.capacity - 1)
    self.items[position].channel_id = channel_id
    self.items[position].what = what
    self.count += 1
    path.pending_count += 1
    return OK


cdef int pending_add(Path *path, int what, Channel *channel) noexcept nogil:
    """A frame of this kind is to be sent for the channel, or for the connection (NULL); once is enough."""
    if channel == NULL:
        if path.pending & (1 << what):
            return OK
        if pending_push(path, what, -1) < 0:
            return NO_MEMORY
        path.pending |= 1 << what
        return OK
    if channel.pending & (1 << what):
        return OK
    if pending_push(path, what, channel.id) < 0:
        return NO_MEMORY
    channel.pending |= <uint8_t>(1 << what)
    return OK


cdef void pending_cancel(Path *path, int what, Channel *channel) noexcept nogil:
    """It is not, after all; its place in the queue goes stale."""
    if channel.pending & (1 << what):
        channel.pending &= <uint8_t>~(1 << what)
        path.pending_count -= 1


cdef inline void pending_pop(Path *path) noexcept nogil:
    """Drops the place at the front of the queue."""
    path.pending_frames.first = (path.pending_frames.first + 1) & (path.pending_frames.capacity - 1)
    path.pending_frames.count -= 1
