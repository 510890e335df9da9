# Received packet numbers: the duplicate filter and the source of ACK ranges (RFC 9000 §13.2).
# Owns: numbers received, largest and when. May not know: packets, clocks.

# Invariant: every number below `floor` counts as received; `ranges` holds at most `max_ranges` ranges above
# it. Nothing below `report_from` needs reporting any more (RFC 9000 §13.2.4).
cdef struct Received:
    Ranges ranges
    int64_t floor
    int64_t report_from
    int64_t largest
    double largest_at
    uint32_t max_ranges


cdef void received_init(Received *self, uint32_t max_ranges) noexcept nogil:
    memset(self, 0, sizeof(Received))
    self.largest = -1
    self.max_ranges = max_ranges


cdef inline bint received_has(Received *self, int64_t number) noexcept nogil:
    if number > self.largest:
        return False
    return number < self.floor or ranges_contain(&self.ranges, number)


cdef inline int64_t received_first_missing(Received *self, int64_t start) noexcept nogil:
    """The first number from `start` on that was not received; all below the floor count as received."""
    return ranges_first_gap(&self.ranges, max(start, self.floor))


cdef int received_add(Received *self, int64_t number, double now) noexcept nogil:
    """1 if the number is new, 0 for a duplicate or one below the floor."""
    if received_has(self, number):
        return 0
    if ranges_add(&self.ranges, number, number + 1) < 0:
        return NO_MEMORY
    if number > self.largest:
        self.largest = number
        self.largest_at = now
    if number < self.report_from:
        self.report_from = number  # it came late: its range is news again
    if self.ranges.count > self.max_ranges:
        self.floor = range_at(&self.ranges, 0).stop
        ranges_drop_front(&self.ranges)
    return 1


@final
cdef class ReceivedPackets:
    """The duplicate filter; it remembers at most `max_ranges` ranges, older numbers are duplicates."""

    cdef Received received

    def __cinit__(self):
        received_init(&self.received, MAX_RECEIVED_RANGES)

    def __init__(self, max_ranges=MAX_RECEIVED_RANGES):
        cdef int64_t limit = as_integer(max_ranges, 0, 0x7FFFFFFF)
        if limit < 1:
            raise ValueError("max_ranges must be at least 1")
        ranges_free(&self.received.ranges)
        received_init(&self.received, <uint32_t>limit)

    def __dealloc__(self):
        ranges_free(&self.received.ranges)

    def __reduce__(self):
        raise TypeError("cannot pickle or copy ReceivedPackets")

    def add(self, packet_number, now, bint ack_eliciting):
        """False for a duplicate or a number below the floor."""
        cdef int64_t number = as_wire(packet_number)
        cdef double at = as_seconds("now", now)
        cdef int status = received_add(&self.received, number, at)
        if status < 0:
            raise_status(status)
        return status == 1

    def is_duplicate(self, packet_number):
        """True if `add` would refuse the number."""
        return received_has(&self.received, as_wire(packet_number))

    def ack_ranges(self, max_ranges):
        """At most `max_ranges` ranges, newest first."""
        cdef int64_t limit = as_wire(max_ranges)
        cdef Ranges *ranges = &self.received.ranges
        cdef uint32_t first = ranges.count
        while first > 0 and ranges.count - first < limit:
            if range_at(ranges, first - 1).stop <= self.received.report_from:
                break
            first -= 1
        found = range_tuples(ranges.items + ranges.first + first, ranges.count - first)
        found.reverse()
        return found

    def on_ack_acknowledged(self, largest):
        """The peer has our ACK up to `largest`: nothing at or below it needs reporting (RFC 9000 §13.2.4)."""
        cdef int64_t number = as_wire(largest)
        self.received.report_from = max(self.received.report_from, number + 1)

    @property
    def largest(self):
        return self.received.largest

    @property
    def largest_at(self):
        return self.received.largest_at

    def __len__(self):
        return self.received.ranges.count
