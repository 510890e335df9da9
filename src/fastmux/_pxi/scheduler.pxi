# Which channel sends next (docs/architecture.md, Priorities): the most urgent level first, within a level
# deficit round robin by weight (Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round Robin",
# 1996).
# Owns: the rings, whose turn it is, the credit that less urgent channels leave to others. May not know:
# frames, packets, why a channel has something to send.

cdef extern from *:
    """
    #if defined(_MSC_VER)
    #include <intrin.h>
    static CYTHON_INLINE int fm_lowest_bit(unsigned int bits) {
        unsigned long place;
        _BitScanForward(&place, bits);
        return (int)place;
    }
    #else
    #define fm_lowest_bit(bits) __builtin_ctz(bits)
    #endif
    """
    int lowest_bit "fm_lowest_bit"(unsigned int bits) noexcept nogil  # of a number that is not 0

cdef enum:
    ALL_RINGS = (1 << PRIORITY_LEVELS) - 1
    ALL_FREE = ALL_RINGS << PRIORITY_LEVELS

# The channel that sends now, the number of the ring that it stands in, and the credit of the connection that
# it leaves to more urgent ones. (From a ring of LIST_FREE nothing goes that needs credit.)
cdef struct Turn:
    Channel *channel
    int ring
    int64_t held


# --- rings -------------------------------------------------------------------------------------------------

cdef inline int ring_of(int which, Channel *channel) noexcept nogil:
    """The number of the channel's ring of the kind `which`."""
    return (which - PLAIN_LISTS) * PRIORITY_LEVELS + channel.level


cdef void ring_append(Path *path, int which, Channel *channel) noexcept nogil:
    """Puts the channel, which is not there, at the end of its ring."""
    cdef Scheduler *self = &path.scheduler
    list_append(path, which, channel)
    self.listed |= <uint32_t>1 << ring_of(which, channel)
    if which == LIST_RING and self.weight_counts != NULL:
        self.weight_counts[channel.level].of[channel.weight - 1] += 1
        self.weights[channel.level] |= <uint32_t>1 << (channel.weight - 1)


cdef void ring_take(Path *path, int which, Channel *channel) noexcept nogil:
    """Takes the channel, which is there, out of its ring."""
    cdef Scheduler *self = &path.scheduler
    cdef int ring = ring_of(which, channel)
    list_remove(path, which, channel)
    if self.rings[ring].first == NULL:
        self.listed &= ~(<uint32_t>1 << ring)
    if which == LIST_RING and self.weight_counts != NULL:
        self.weight_counts[channel.level].of[channel.weight - 1] -= 1
        if self.weight_counts[channel.level].of[channel.weight - 1] == 0:
            self.weights[channel.level] &= ~(<uint32_t>1 << (channel.weight - 1))


cdef inline void ring_add(Path *path, int which, Channel *channel) noexcept nogil:
    """Puts the channel at the end of its ring unless it is in it."""
    if not list_has(channel, which):
        ring_append(path, which, channel)


cdef inline void ring_remove(Path *path, int which, Channel *channel) noexcept nogil:
    """Takes the channel out of its ring if it is in it."""
    if list_has(channel, which):
        ring_take(path, which, channel)


cdef inline void ring_rotate(ChannelList *ring, int which) noexcept nogil:
    """Moves the first channel to the end; there is another."""
    cdef Channel *channel = ring.first
    ring.first = channel.links[which].after
    ring.first.links[which].before = NULL
    channel.links[which].before = ring.last
    channel.links[which].after = NULL
    ring.last.links[which].after = channel
    ring.last = channel


# --- turns -------------------------------------------------------------------------------------------------

cdef inline void scheduler_set_allowance(Path *path, int64_t size_limit, int64_t segment_size) noexcept nogil:
    """What one fill may send: the more, the longer a turn where many wait, and the fewer readers wake."""
    cdef int64_t packets = size_limit // (LONG_TURN_SHARE * segment_size)
    path.scheduler.turn_packets = <uint32_t>min(max(packets, <int64_t>1), <int64_t>MAX_TURN_PACKETS)


cdef inline uint32_t scheduler_choice(Path *path) noexcept nogil:
    """A bit for every ring whose channels may send now, the most urgent one lowest."""
    cdef Scheduler *self = &path.scheduler
    cdef int64_t left = path.send_limit - path.sent_charged
    cdef uint32_t first
    if left > self.reserve:
        return self.listed & ALL_RINGS
    if left > 0:
        first = self.listed & self.sender_levels & (0 - self.sender_levels)
        if first:
            return first
    return self.listed & ALL_FREE


cdef inline bint scheduler_next(Path *path, uint32_t capacity, Turn *turn) noexcept nogil:
    """Whose turn it is; False if none may send.

    `capacity` is what a packet carries. A turn is as many packets as the channel's weight is times the
    lightest one's of its level, so that the lightest has one, or a few where many wait on a fast path. Who is
    alone in its ring has no turns.
    """
    cdef Scheduler *self = &path.scheduler
    cdef uint32_t choice = scheduler_choice(path)
    cdef uint32_t more_urgent = (choice & (0 - choice)) - 1
    cdef uint32_t lightest
    cdef uint32_t quantum = capacity
    cdef Channel *channel
    if choice == 0:
        return False
    turn.ring = lowest_bit(choice)
    turn.held = self.reserve if self.sender_levels & more_urgent else 0
    channel = self.rings[turn.ring].first
    turn.channel = channel
    path.counters.channels_asked += 1
    if channel != self.rings[turn.ring].last and channel.quota < capacity:  # its turn begins
        lightest = PRIORITY_WEIGHTS
        if self.rings[turn.ring].count > LONG_TURN_CHANNELS:
            quantum = capacity * self.turn_packets
        if self.weight_counts != NULL:
            lightest = lowest_bit(self.weights[channel.level]) + 1
        if channel.weight == lightest:
            channel.quota += quantum
        else:
            channel.quota += quantum * channel.weight // lightest
    return True


cdef inline bint scheduler_after(Path *path, Turn *turn, uint32_t sent, uint32_t capacity) noexcept nogil:
    """The channel sent so much, and was scheduled again: True if it has more, and no room for it."""
    cdef int which = LIST_RING if turn.ring < PRIORITY_LEVELS else LIST_FREE
    cdef ChannelList *ring = &path.scheduler.rings[turn.ring]
    cdef Channel *channel = turn.channel
    if not list_has(channel, which):
        if not list_has(channel, LIST_RING):
            channel.quota = 0  # who leaves saves nothing
        return False
    if channel != ring.last:
        channel.quota -= sent
        if channel.quota < capacity:  # its turn is over; what is left counts for the next
            ring_rotate(ring, which)
    return which == LIST_FREE or path.send_limit - path.sent_charged > turn.held


# --- priorities --------------------------------------------------------------------------------------------

cdef void scheduler_count(Path *path, Channel *channel, int change) noexcept nogil:
    """One sender more or less (`change` is 1 or -1) at the channel's level."""
    cdef Scheduler *self = &path.scheduler
    self.senders[channel.level] += <uint32_t>change
    if self.senders[channel.level]:
        self.sender_levels |= <uint32_t>1 << channel.level
    else:
        self.sender_levels &= ~(<uint32_t>1 << channel.level)


cdef void scheduler_place(Channel *channel, int priority) noexcept nogil:
    channel.level = <uint8_t>(priority // PRIORITY_WEIGHTS)
    channel.weight = <uint8_t>(PRIORITY_WEIGHTS - priority % PRIORITY_WEIGHTS)
    channel.quota = 0


cdef int scheduler_prepare(Path *path, int priority) noexcept nogil:
    """Gets ready for a channel of that priority: most connections never need to count weights."""
    cdef Scheduler *self = &path.scheduler
    cdef int level
    if self.weight_counts != NULL or priority % PRIORITY_WEIGHTS == 0:
        return OK
    self.weight_counts = <WeightCounts *>mem_zeroed(PRIORITY_LEVELS * sizeof(WeightCounts))
    if self.weight_counts == NULL:
        return NO_MEMORY
    for level in range(PRIORITY_LEVELS):  # until now all have been of the heaviest
        self.weight_counts[level].of[PRIORITY_WEIGHTS - 1] = self.rings[level].count
        if self.rings[level].count:
            self.weights[level] = <uint32_t>1 << (PRIORITY_WEIGHTS - 1)
    return OK


cdef void scheduler_free(Scheduler *self) noexcept nogil:
    mem_free(self.weight_counts, PRIORITY_LEVELS * sizeof(WeightCounts))


cdef int scheduler_admit(Path *path, Channel *channel) noexcept nogil:
    """The channel's OPEN is known: it may send, with the priority that OPEN says."""
    if scheduler_prepare(path, channel.priority) < 0:
        return NO_MEMORY
    scheduler_place(channel, channel.priority)
    channel.is_sender = True
    scheduler_count(path, channel, 1)
    return OK


cdef void scheduler_dismiss(Path *path, Channel *channel) noexcept nogil:
    """The channel will never send again; nothing happens if that was known."""
    if channel.is_sender:
        channel.is_sender = False
        scheduler_count(path, channel, -1)


cdef int scheduler_set_priority(Path *path, Channel *channel, int priority) noexcept nogil:
    """Moves the channel to the end of its new level's rings; it stays where it is if nothing changes."""
    cdef bint was_listed = list_has(channel, LIST_RING)
    cdef bint was_free = list_has(channel, LIST_FREE)
    cdef bint was_sender = channel.is_sender
    if priority == channel.level * PRIORITY_WEIGHTS + PRIORITY_WEIGHTS - channel.weight:
        return OK
    if scheduler_prepare(path, priority) < 0:
        return NO_MEMORY
    ring_remove(path, LIST_RING, channel)
    ring_remove(path, LIST_FREE, channel)
    scheduler_dismiss(path, channel)
    scheduler_place(channel, priority)
    if was_sender:
        channel.is_sender = True
        scheduler_count(path, channel, 1)
    if was_listed:
        ring_add(path, LIST_RING, channel)
    if was_free:
        ring_add(path, LIST_FREE, channel)
    return OK


cdef void scheduler_set_window(Path *path, int64_t window) noexcept nogil:
    """The peer's first window of the connection: how much credit is kept back."""
    path.scheduler.reserve = min(<int64_t>PRIORITY_RESERVE, window // PRIORITY_RESERVE_DIVISOR)
