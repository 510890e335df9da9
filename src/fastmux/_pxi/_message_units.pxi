# Which units of which message go next, and what acknowledgement, loss and time make of them.
# Owns: the moves of a MessageQueue. May not know: packets, frames, connection credit.

cdef LostUnits *message_lost(OutMessage *message, int64_t attempt, bint make) noexcept nogil:
    """The units lost after `attempt` retransmissions; NULL if there are none, or no memory to `make` it."""
    cdef uint32_t position
    cdef uint16_t capacity
    cdef LostUnits *grown
    for position in range(message.lost_count):
        if message.lost[position].attempt == attempt:
            return message.lost + position
    if not make:
        return NULL
    if message.lost_count == message.lost_capacity:
        if message.lost_capacity >= 0x4000:
            return NULL
        capacity = message.lost_capacity * 2 if message.lost_capacity else 1
        grown = <LostUnits *>mem_resize(
            message.lost, message.lost_capacity * sizeof(LostUnits), capacity * sizeof(LostUnits)
        )
        if grown == NULL:
            return NULL
        message.lost = grown
        message.lost_capacity = capacity
    grown = message.lost + message.lost_count
    memset(grown, 0, sizeof(LostUnits))
    grown.attempt = attempt
    message.lost_count += 1
    return grown


cdef int message_cut_lost(OutMessage *message, uint32_t position, int64_t start, int64_t stop) noexcept nogil:
    """Takes units out of one entry of `lost`; an empty entry goes."""
    cdef LostUnits *lost = message.lost + position
    if ranges_remove(&lost.units, start, stop) < 0:
        return NO_MEMORY
    if lost.units.count == 0:
        ranges_free(&lost.units)
        message.lost_count -= 1
        lost[0] = message.lost[message.lost_count]
    return OK


cdef bint queue_next_run(MessageQueue *self, bint may_start, UnitRun *run) noexcept nogil:
    """What goes next: lost units, the rest of the started message, a new message if it may start."""
    cdef OutMessage *message
    cdef LostUnits *lost
    cdef uint32_t position
    while self.lost_first != NULL:
        message = self.lost_first
        if message.lost_count:
            lost = message.lost
            for position in range(1, message.lost_count):
                if message.lost[position].attempt < lost.attempt:
                    lost = message.lost + position
            run.message = message
            run.attempt = lost.attempt
            run.start = range_at(&lost.units, 0).start
            run.stop = range_at(&lost.units, 0).stop
            return True
        queue_unlink_lost(self, message)
    run.attempt = 0
    if self.current != NULL:
        run.message = self.current
        run.start = self.current.next_unit
        run.stop = self.current.count
        return True
    if may_start and self.waiting_first != NULL:
        run.message = self.waiting_first
        run.start = 0
        run.stop = run.message.count
        return True
    return False


cdef int64_t queue_send(MessageQueue *self, UnitRun *run, int64_t stop) noexcept nogil:
    """The units [run.start, stop) go now: what that charges (a message starts whole), or NO_MEMORY."""
    cdef OutMessage *message = run.message
    cdef int64_t charge = 0
    cdef uint32_t position
    if message.id < 0:
        if queue_activate(self, message) < 0:
            return NO_MEMORY
        queue_pop_waiting(self)
        self.current = message
        charge = message.count * FRAGMENT_UNIT
        self.charged += charge
    if run.start == message.next_unit:
        message.next_unit = stop
        self.unsent_size -= (stop - run.start) * FRAGMENT_UNIT
        if stop == message.count:
            self.current = NULL
        return charge
    for position in range(message.lost_count):
        if message.lost[position].attempt == run.attempt:
            return message_cut_lost(message, position, run.start, stop)
    return charge


cdef int queue_acked(MessageQueue *self, int64_t message_id, int64_t start, int64_t stop) noexcept nogil:
    """The peer has the units [start, stop)."""
    cdef OutMessage *message = queue_active(self, message_id)
    cdef uint32_t position
    if message == NULL:
        return OK
    if start == 0 and stop == message.count:
        self.released += message.count * FRAGMENT_UNIT
        queue_end(self, message)
        return OK
    if ranges_add(&message.acked, start, stop) < 0:
        return NO_MEMORY
    if message.acked.covered == message.count:
        self.released += message.count * FRAGMENT_UNIT
        queue_end(self, message)
        return OK
    position = message.lost_count
    while position > 0:
        position -= 1
        if message_cut_lost(message, position, start, stop) < 0:
            return NO_MEMORY
    return OK


cdef int queue_abandon(MessageQueue *self, OutMessage *message) noexcept nogil:
    """Gives a started message up; a fault changes nothing."""
    if map_put(&self.abandoned, message.id, <void *><size_t>message.count) < 0:
        return NO_MEMORY
    if ranges_add(&self.due, message.id, message.id + 1) < 0:
        map_pop(&self.abandoned, message.id)
        return NO_MEMORY
    self.abandoned_count += 1
    if message == self.current:
        self.current = NULL
        self.unsent_size -= (message.count - message.next_unit) * FRAGMENT_UNIT
    queue_end(self, message)
    return OK


cdef int queue_again(
    MessageQueue *self, int64_t message_id, int64_t start, int64_t stop, int64_t attempt
) noexcept nogil:
    """Queues again what is missing of the units [start, stop): 1, or 0 if the mode forbids that."""
    cdef OutMessage *message = queue_active(self, message_id)
    cdef LostUnits *lost
    cdef int64_t until
    cdef uint32_t position
    if message == NULL or ranges_missing_size(&message.acked, start, stop) == 0:
        return 1
    if self.reliability == UNRELIABLE or (self.reliability == MAX_RETRANSMITS and attempt >= self.value):
        return 0
    lost = message_lost(message, attempt + 1 if self.reliability == MAX_RETRANSMITS else 0, True)
    if lost == NULL:
        return NO_MEMORY
    queue_link_lost(self, message)
    position = ranges_find(&message.acked, start + 1)
    while start < stop:
        until = stop
        if position < message.acked.count and range_at(&message.acked, position).start < stop:
            until = max(range_at(&message.acked, position).start, start)
        if start < until and ranges_add(&lost.units, start, until) < 0:
            return NO_MEMORY
        if until == stop:
            break
        start = range_at(&message.acked, position).stop
        position += 1
    return 1


cdef int queue_lost(
    MessageQueue *self, int64_t message_id, int64_t start, int64_t stop, int64_t attempt
) noexcept nogil:
    """The units [start, stop) were lost: they go again, or the message is given up."""
    cdef int status = queue_again(self, message_id, start, stop, attempt)
    if status == 0:
        return queue_abandon(self, queue_active(self, message_id))
    return min(status, 0)


cdef int queue_expire(MessageQueue *self, double now) noexcept nogil:
    """Gives up the messages whose lifetime is over; what was never started costs the peer nothing."""
    cdef OutMessage *message
    while self.deadline_first != NULL and self.deadline_first.expires_at <= now:
        message = self.deadline_first
        if message.id >= 0:
            if queue_abandon(self, message) < 0:
                return NO_MEMORY
            continue
        queue_pop_waiting(self)  # deadlines are in the order of waiting
        self.unsent_size -= message.count * FRAGMENT_UNIT
        self.abandoned_count += 1
        queue_end(self, message)
    return OK


cdef int64_t queue_take_due(MessageQueue *self) noexcept nogil:
    """The lowest id that is to be told; there is one."""
    cdef Range *front = range_at(&self.due, 0)
    cdef int64_t message_id = front.start
    front.start += 1
    self.due.covered -= 1
    if front.start == front.stop:
        ranges_drop_at(&self.due, 0, 1)
    return message_id


cdef inline int64_t queue_abandoned_units(MessageQueue *self, int64_t message_id) noexcept nogil:
    """The count of units of a message that was given up, 0 if the peer knows of it."""
    return <int64_t><size_t>map_get(&self.abandoned, message_id)


cdef int queue_abandon_acked(MessageQueue *self, int64_t message_id) noexcept nogil:
    """The peer knows that this message was given up."""
    if queue_abandoned_units(self, message_id) == 0:
        return OK
    if ranges_contain(&self.due, message_id):  # it seemed lost
        if ranges_remove(&self.due, message_id, message_id + 1) < 0:
            return NO_MEMORY
    self.released += <int64_t><size_t>map_pop(&self.abandoned, message_id) * FRAGMENT_UNIT
    return OK


cdef int queue_abandon_lost(MessageQueue *self, int64_t message_id) noexcept nogil:
    """This must be told again."""
    if queue_abandoned_units(self, message_id) == 0 or ranges_contain(&self.due, message_id):
        return OK
    if ranges_add(&self.due, message_id, message_id + 1) < 0:
        return NO_MEMORY
    return OK
