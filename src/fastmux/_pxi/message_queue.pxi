# Outgoing messages of one channel (docs/wire-format.md §9): fragments, lost units, abandonment, lifetime.
# Owns: what was given to send until it is acknowledged or given up. May not know: packets, frames, connection
# credit.

# Units to be sent again, by how often they were sent again already.
cdef struct LostUnits:
    int64_t attempt
    Ranges units

# `data` is in the exact bytes object `owner`, held by reference. `id` is -1 until the first fragment is sent.
# `next` chains waiting messages; the other links are lists of the queue.
cdef struct OutMessage:
    OutMessage *next
    OutMessage *deadline_before
    OutMessage *deadline_after
    OutMessage *lost_before
    OutMessage *lost_after
    const uint8_t *data
    int64_t size
    void *owner
    int64_t id
    int64_t count
    int64_t next_unit
    double expires_at
    Ranges acked
    LostUnits *lost
    uint16_t lost_count
    uint16_t lost_capacity
    bint is_in_lost

# Invariant: a message is in the chain of `waiting` (no id yet), else in `active` by its id until it is over:
# one that is never acknowledged costs nothing for those after it. `current` is the started message that has
# units never sent.
# `lost_first` chains the active messages that may have lost units, `deadline_first` those with a lifetime,
# oldest first. `abandoned` has by id the units of what the peer must still confirm to know of, `due` the
# ids of it that are to be sent. unsent_size is 128 times the units never sent; held_size the
# bytes of waiting and active messages; `released` 128 times the units of those that were acknowledged, or
# whose end the peer has confirmed to know of.
cdef struct MessageQueue:
    int reliability
    int64_t value
    OutMessage *waiting_first
    OutMessage *waiting_last
    OutMessage *current
    OutMessage *lost_first
    OutMessage *lost_last
    OutMessage *deadline_first
    OutMessage *deadline_last
    Map active
    int64_t next_id
    int64_t charged
    int64_t unsent_size
    int64_t held_size
    int64_t abandoned_count
    Map abandoned
    Ranges due
    bint is_finished
    bint is_fin_queued
    bint fin_acked
    bint is_expiry_watched
    int64_t released

# Units [start, stop) of a message that may go next; `attempt` counts retransmissions.
cdef struct UnitRun:
    OutMessage *message
    int64_t start
    int64_t stop
    int64_t attempt

cdef Pool message_pool
message_pool.free_list = NULL
message_pool.count = 0
message_pool.limit = RECORD_POOL_LIMIT
message_pool.size = sizeof(OutMessage)


cdef inline OutMessage *queue_active(MessageQueue *self, int64_t message_id) noexcept nogil:
    """The active message of that id, NULL if it is over or was never."""
    return <OutMessage *>map_get(&self.active, message_id)


cdef int queue_activate(MessageQueue *self, OutMessage *message) noexcept nogil:
    """Gives a message its id; a fault changes nothing."""
    if map_put(&self.active, self.next_id, message) < 0:
        return NO_MEMORY
    message.id = self.next_id
    self.next_id += 1
    return OK


cdef void queue_unlink_lost(MessageQueue *self, OutMessage *message) noexcept nogil:
    if not message.is_in_lost:
        return
    message.is_in_lost = False
    if message.lost_before != NULL:
        message.lost_before.lost_after = message.lost_after
    else:
        self.lost_first = message.lost_after
    if message.lost_after != NULL:
        message.lost_after.lost_before = message.lost_before
    else:
        self.lost_last = message.lost_before


cdef void queue_link_lost(MessageQueue *self, OutMessage *message) noexcept nogil:
    if message.is_in_lost:
        return
    message.is_in_lost = True
    message.lost_after = NULL
    message.lost_before = self.lost_last
    if self.lost_last != NULL:
        self.lost_last.lost_after = message
    else:
        self.lost_first = message
    self.lost_last = message


cdef void queue_unlink_deadline(MessageQueue *self, OutMessage *message) noexcept nogil:
    if message.expires_at < 0.0:
        return
    if message.deadline_before != NULL:
        message.deadline_before.deadline_after = message.deadline_after
    else:
        self.deadline_first = message.deadline_after
    if message.deadline_after != NULL:
        message.deadline_after.deadline_before = message.deadline_before
    else:
        self.deadline_last = message.deadline_before


cdef void message_free(OutMessage *message) noexcept nogil:
    cdef uint32_t position
    for position in range(message.lost_count):
        ranges_free(&message.lost[position].units)
    mem_free(message.lost, message.lost_capacity * sizeof(LostUnits))
    ranges_free(&message.acked)
    let_go(message.owner)
    pool_give(&message_pool, message)


cdef void queue_end(MessageQueue *self, OutMessage *message) noexcept nogil:
    """The message is over: acknowledged, given up, or expired when it was at the head of those waiting."""
    if message.id >= 0:
        map_pop(&self.active, message.id)
    self.held_size -= message.size
    queue_unlink_lost(self, message)
    queue_unlink_deadline(self, message)
    message_free(message)


cdef int queue_append(MessageQueue *self, const Kept *data, double now) noexcept nogil:
    """Takes a message: bytes, held by reference."""
    cdef OutMessage *message = <OutMessage *>pool_take(&message_pool)
    if message == NULL:
        return NO_MEMORY
    memset(message, 0, sizeof(OutMessage))
    hold(data.owner)
    message.data = data.data
    message.size = data.size
    message.owner = data.owner
    message.id = -1
    message.count = units_of(data.size)
    message.expires_at = -1.0
    if self.waiting_last != NULL:
        self.waiting_last.next = message
    else:
        self.waiting_first = message
    self.waiting_last = message
    self.unsent_size += message.count * FRAGMENT_UNIT
    self.held_size += data.size
    if self.reliability == LIFETIME:
        message.expires_at = now + <double>self.value / 1000
        message.deadline_before = self.deadline_last
        if self.deadline_last != NULL:
            self.deadline_last.deadline_after = message
        else:
            self.deadline_first = message
        self.deadline_last = message
    return OK


cdef void queue_pop_waiting(MessageQueue *self) noexcept nogil:
    self.waiting_first = self.waiting_first.next
    if self.waiting_first == NULL:
        self.waiting_last = NULL


cdef void queue_drop(MessageQueue *self) noexcept nogil:
    """Forgets everything: the direction was reset, or the channel goes."""
    cdef OutMessage *message
    cdef uint32_t place
    while self.waiting_first != NULL:
        message = self.waiting_first
        queue_pop_waiting(self)
        message_free(message)
    for place in range(self.active.capacity):
        if self.active.entries[place].value != NULL:
            message_free(<OutMessage *>self.active.entries[place].value)
    map_free(&self.active)
    map_free(&self.abandoned)
    ranges_free(&self.due)
    self.current = NULL
    self.lost_first = NULL
    self.lost_last = NULL
    self.deadline_first = NULL
    self.deadline_last = NULL
    self.unsent_size = 0
    self.held_size = 0
    self.released = self.charged
    self.is_finished = False


cdef int64_t queue_message_count(MessageQueue *self) noexcept nogil:
    """Messages that are not over, and those given up that the peer has yet to confirm: O(waiting)."""
    cdef OutMessage *message = self.waiting_first
    cdef int64_t count = <int64_t>self.active.count + <int64_t>self.abandoned.count
    while message != NULL:
        count += 1
        message = message.next
    return count


cdef inline bint queue_is_fin_ready(MessageQueue *self) noexcept nogil:
    """True when the number of messages is known: finished, and each one started or gone."""
    return self.is_finished and self.waiting_first == NULL and self.current == NULL


cdef inline bint queue_is_acknowledged(MessageQueue *self) noexcept nogil:
    """True when nothing taken is unsent or unacknowledged."""
    return self.waiting_first == NULL and self.active.count == 0 and self.abandoned.count == 0


cdef inline bint queue_has_started(MessageQueue *self) noexcept nogil:
    """True if units may go that need no credit: of started messages, lost or never sent."""
    return self.current != NULL or self.lost_first != NULL


cdef inline double queue_expiry_at(MessageQueue *self) noexcept nogil:
    """When the next message expires, -1 if none does."""
    return self.deadline_first.expires_at if self.deadline_first != NULL else -1.0
