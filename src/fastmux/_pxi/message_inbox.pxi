# Incoming messages of one channel (docs/wire-format.md §9, §10): partial, complete, in order.
# Owns: what arrived until the application takes it, and what of it was charged and consumed. May not know:
# packets, frames, the connection's credit. Rules of the wire are checked before anything comes here.

cdef enum:
    ORDER_UNKNOWN = 2  # until OPEN tells

# Invariant: an id is in at most one of `partial` (Assembly) and `done`; `done` holds every id that needs no
# more fragments: whole, taken, abandoned or discarded. `complete` holds whole messages (bytes) that wait for
# an earlier one or for OPEN, `ready` those that may be taken. While not reset, charged - consumed is 128
# times the units of the messages in all three. partial_size and complete_size are what they occupy;
# ready_size the bytes in `ready`.
cdef struct Inbox:
    Map partial
    Map complete
    Fifo ready
    Ranges done
    int64_t next_id
    int64_t next_unseen
    int64_t final_count  # -1 until it is known
    int64_t charged
    int64_t consumed
    int64_t held_size
    int64_t ready_size
    uint32_t partial_spans
    uint8_t ordered
    bint discarding
    bint is_reset


cdef void inbox_init(Inbox *self) noexcept nogil:
    memset(self, 0, sizeof(Inbox))
    self.final_count = -1
    self.ordered = ORDER_UNKNOWN


cdef void inbox_drop(Inbox *self) noexcept nogil:
    """Drops what is held; `done` stays."""
    cdef uint32_t place
    for place in range(self.partial.capacity):
        if self.partial.entries[place].value != NULL:
            assembly_free(<Assembly *>self.partial.entries[place].value)
            mem_free(self.partial.entries[place].value, sizeof(Assembly))
    map_free(&self.partial)
    for place in range(self.complete.capacity):
        if self.complete.entries[place].value != NULL:
            let_go(self.complete.entries[place].value)
    map_free(&self.complete)
    while self.ready.count:
        let_go(fifo_pop(&self.ready))
    fifo_free(&self.ready)
    self.held_size = 0
    self.ready_size = 0
    self.partial_spans = 0


cdef void inbox_free(Inbox *self) noexcept nogil:
    inbox_drop(self)
    ranges_free(&self.done)


cdef inline uint32_t inbox_spans(Inbox *self) noexcept nogil:
    """Disjoint runs of units and of done ids: what hostile gaps could grow."""
    return self.partial_spans + self.done.count


cdef bint inbox_is_finished(Inbox *self) noexcept nogil:
    """True when every message of the direction was taken, abandoned or discarded."""
    return self.is_reset or (
        self.final_count >= 0 and self.ready.count == 0 and self.done.covered == self.final_count
    )


cdef inline int64_t inbox_count_of(Inbox *self, int64_t message_id) noexcept nogil:
    """Fragments of a partial message, 0 of one never seen, -1 of one that is done."""
    cdef Assembly *known
    if message_id >= self.next_unseen:
        return 0
    known = <Assembly *>map_get(&self.partial, message_id)
    if known != NULL:
        return known.fragment_count
    return -1 if ranges_contain(&self.done, message_id) else 0


cdef inline void inbox_see(Inbox *self, int64_t message_id, int64_t count) noexcept nogil:
    self.next_unseen = max(self.next_unseen, message_id + 1)
    self.charged += count * FRAGMENT_UNIT


cdef int inbox_push_ready(Inbox *self, void *message) noexcept nogil:
    """The inbox already holds the reference; without memory it lets go."""
    if fifo_push(&self.ready, message) < 0:
        self.held_size -= fm_bytes_size(message)
        let_go(message)
        return NO_MEMORY
    self.ready_size += fm_bytes_size(message)
    return OK


cdef int inbox_advance(Inbox *self) noexcept nogil:
    """Moves the messages whose turn has come to `ready`, past abandoned ids."""
    cdef void *message
    cdef Range *front
    cdef int64_t stop
    if self.ordered != 1 or self.done.count == 0:
        return OK
    front = range_at(&self.done, 0)
    if front.start > self.next_id:
        return OK
    stop = front.stop  # ids before it are done without a gap: done only grows from 0
    while self.next_id < stop:
        if self.complete.count == 0:
            self.next_id = stop
            return OK
        message = map_pop(&self.complete, self.next_id)
        if message != NULL and inbox_push_ready(self, message) < 0:
            return NO_MEMORY
        self.next_id += 1
    return OK


cdef int inbox_deliver(Inbox *self, int64_t message_id, void *message) noexcept nogil:
    """A whole message, whose new reference the inbox takes over."""
    if ranges_add(&self.done, message_id, message_id + 1) < 0:
        fm_decref(message)
        return NO_MEMORY
    hold_new(message)
    self.held_size += fm_bytes_size(message)
    if self.ordered == 0 or (self.ordered == 1 and message_id == self.next_id):
        self.next_id += self.ordered
        return NO_MEMORY if inbox_push_ready(self, message) < 0 else inbox_advance(self)
    if map_put(&self.complete, message_id, message) < 0:
        self.held_size -= fm_bytes_size(message)
        let_go(message)
        return NO_MEMORY
    return OK


cdef inline void inbox_count(Inbox *self, Assembly *assembly, int sign) noexcept nogil:
    self.held_size += sign * assembly.held_size
    self.partial_spans += <uint32_t>(sign * <int>assembly.units.count)


cdef void inbox_end_partial(Inbox *self, int64_t message_id, Assembly *assembly) noexcept nogil:
    """Forgets a partial message that `inbox_count` has taken out of the sums."""
    map_pop(&self.partial, message_id)
    assembly_free(assembly)
    mem_free(assembly, sizeof(Assembly))


cdef int inbox_receive(
    Inbox *self, int64_t message_id, int64_t first, int64_t count, const uint8_t *data, int64_t size
) noexcept nogil:
    """Takes a checked run of units."""
    cdef Assembly *known
    cdef void *message
    cdef int status
    cdef int64_t counted = inbox_count_of(self, message_id)
    if self.is_reset or counted < 0:
        return OK
    if counted == 0:
        inbox_see(self, message_id, count)
        if self.discarding:
            self.consumed += count * FRAGMENT_UNIT
            return ranges_add(&self.done, message_id, message_id + 1)
        if first == 0 and units_of(size) == count:
            message = fm_bytes(data, size)
            if message == NULL:
                fm_clear_error()
                return NO_MEMORY
            return inbox_deliver(self, message_id, message)
        known = <Assembly *>mem_alloc(sizeof(Assembly))
        if known == NULL or map_put(&self.partial, message_id, known) < 0:
            mem_free(known, sizeof(Assembly))
            return NO_MEMORY
        assembly_init(known, count)
    else:
        known = <Assembly *>map_get(&self.partial, message_id)
    inbox_count(self, known, -1)
    status = assembly_add(known, first, first + units_of(size), data, size)
    if not assembly_is_complete(known):
        inbox_count(self, known, 1)
        return min(status, 0)
    message = assembly_take(known)
    inbox_end_partial(self, message_id, known)
    return NO_MEMORY if message == NULL else inbox_deliver(self, message_id, message)


cdef int inbox_abandon(Inbox *self, int64_t message_id, int64_t count) noexcept nogil:
    """The peer gave a message up: its credit returns, what came of it is dropped, later ones go on."""
    cdef int64_t counted = inbox_count_of(self, message_id)
    cdef Assembly *known
    if self.is_reset or counted < 0:
        return OK
    if counted == 0:
        inbox_see(self, message_id, count)
    else:
        known = <Assembly *>map_get(&self.partial, message_id)
        inbox_count(self, known, -1)
        inbox_end_partial(self, message_id, known)
    self.consumed += count * FRAGMENT_UNIT
    if ranges_add(&self.done, message_id, message_id + 1) < 0:
        return NO_MEMORY
    return inbox_advance(self)


cdef void inbox_finish(Inbox *self, int64_t count) noexcept nogil:
    """The direction had `count` messages."""
    self.final_count = count
    self.next_unseen = max(self.next_unseen, count)


cdef object inbox_take(Inbox *self):
    """The next message, None if there is none now."""
    cdef void *message
    cdef int64_t size
    if self.ready.count == 0:
        return None
    message = fifo_pop(&self.ready)
    size = fm_bytes_size(message)
    self.consumed += units_of(size) * FRAGMENT_UNIT
    self.held_size -= size
    self.ready_size -= size
    return hand_over(message)


cdef int inbox_set_order(Inbox *self, bint ordered) noexcept nogil:
    """OPEN tells whether order matters: what came before it takes its place."""
    cdef int64_t number
    cdef uint32_t position
    cdef void *message
    if self.ordered != ORDER_UNKNOWN:
        return OK
    self.ordered = 1 if ordered else 0
    if not ordered:
        for position in range(self.done.count):
            for number in range(range_at(&self.done, position).start, range_at(&self.done, position).stop):
                message = map_pop(&self.complete, number)
                if message != NULL and inbox_push_ready(self, message) < 0:
                    return NO_MEMORY
    return inbox_advance(self)


cdef int inbox_discard(Inbox *self) noexcept nogil:
    """Drops what is held, and from now on what comes."""
    cdef uint32_t place
    cdef MapEntry *entry
    self.discarding = True
    for place in range(self.partial.capacity):
        entry = self.partial.entries + place
        if entry.value != NULL and ranges_add(&self.done, entry.key, entry.key + 1) < 0:
            return NO_MEMORY
    inbox_drop(self)
    self.consumed = self.charged
    return OK


cdef void inbox_reset(Inbox *self, int64_t count, int64_t charged) noexcept nogil:
    """The peer reset the direction after `count` messages that were charged `charged` in all."""
    inbox_finish(self, count)
    self.is_reset = True
    inbox_free(self)
    self.charged = charged
    self.consumed = charged
