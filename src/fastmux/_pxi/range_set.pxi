# Sorted, disjoint, never adjacent half-open ranges; adding at an end is O(1), elsewhere O(log n) and a move
# of the smaller side.
# Owns: the ranges. May not know: what is counted.

cdef enum:
    FEW_RANGES = 16  # so many move as fast as fewer

cdef struct Range:
    int64_t start
    int64_t stop


# Invariant: items[first : first + count] ascend, items[i].stop < items[i + 1].start, none is empty; `covered`
# is the sum of their sizes.
cdef struct Ranges:
    Range *items
    int64_t covered
    uint32_t first
    uint32_t count
    uint32_t capacity


cdef inline Range *range_at(Ranges *self, uint32_t position) noexcept nogil:
    return self.items + self.first + position


cdef void ranges_free(Ranges *self) noexcept nogil:
    mem_free(self.items, self.capacity * sizeof(Range))
    memset(self, 0, sizeof(Ranges))


cdef int ranges_room(Ranges *self) noexcept nogil:
    """Room for one more at the end: moves down what was popped, else doubles."""
    cdef uint32_t capacity
    cdef Range *grown
    if self.first + self.count < self.capacity:
        return OK
    if self.first > self.count:
        memmove(self.items, self.items + self.first, self.count * sizeof(Range))
        self.first = 0
        return OK
    capacity = self.capacity * 2 if self.capacity else 2
    grown = <Range *>mem_resize(self.items, self.capacity * sizeof(Range), capacity * sizeof(Range))
    if grown == NULL:
        return NO_MEMORY
    self.items = grown
    self.capacity = capacity
    return OK


cdef uint32_t ranges_find(Ranges *self, int64_t value) noexcept nogil:
    """Position of the first range whose stop is at or above `value` (it may touch it)."""
    cdef uint32_t low = 0
    cdef uint32_t high = self.count
    cdef uint32_t middle
    while low < high:
        middle = (low + high) >> 1
        if range_at(self, middle).stop < value:
            low = middle + 1
        else:
            high = middle
    return low


cdef int ranges_front_room(Ranges *self) noexcept nogil:
    """Room for one more at the front: what is held moves to the middle of memory that is a third free."""
    cdef uint32_t capacity = self.capacity * 2
    cdef Range *grown
    if self.first:
        return OK
    if (self.capacity - self.count) * 2 < self.count:
        grown = <Range *>mem_resize(self.items, self.capacity * sizeof(Range), capacity * sizeof(Range))
        if grown == NULL:
            return NO_MEMORY
        self.items = grown
        self.capacity = capacity
    self.first = (self.capacity - self.count) // 2
    memmove(self.items + self.first, self.items, self.count * sizeof(Range))
    return OK


cdef int ranges_insert_at(Ranges *self, uint32_t position, int64_t start, int64_t stop) noexcept nogil:
    """The side with fewer ranges moves. It needs memory only where `ranges_room` would."""
    cdef Range *place
    cdef bint is_near_front = self.count >= FEW_RANGES and position < self.count - position
    if is_near_front and ranges_front_room(self) == OK:
        memmove(range_at(self, 0) - 1, range_at(self, 0), position * sizeof(Range))
        self.first -= 1
        place = range_at(self, position)
    else:
        if ranges_room(self) < 0:
            return NO_MEMORY
        place = range_at(self, position)
        memmove(place + 1, place, (self.count - position) * sizeof(Range))
    place.start = start
    place.stop = stop
    self.count += 1
    self.covered += stop - start
    return OK


cdef void ranges_drop_at(Ranges *self, uint32_t position, uint32_t count) noexcept nogil:
    cdef uint32_t dropped
    for dropped in range(position, position + count):
        self.covered -= range_at(self, dropped).stop - range_at(self, dropped).start
    if position < self.count - position - count:  # the ranges before it are fewer: they move
        memmove(range_at(self, count), range_at(self, 0), position * sizeof(Range))
        self.first += count
    else:
        memmove(
            range_at(self, position),
            range_at(self, position + count),
            (self.count - position - count) * sizeof(Range),
        )
    self.count -= count
    if self.count == 0:
        self.first = 0


cdef inline void ranges_drop_front(Ranges *self) noexcept nogil:
    """Drops the first range; there is one."""
    self.covered -= range_at(self, 0).stop - range_at(self, 0).start
    self.count -= 1
    self.first = self.first + 1 if self.count else 0


cdef int ranges_add(Ranges *self, int64_t start, int64_t stop) noexcept nogil:
    """Adds [start, stop), which is not empty."""
    cdef Range *item
    cdef uint32_t position, last
    if self.count:
        item = range_at(self, self.count - 1)
        if start > item.stop:
            return ranges_insert_at(self, self.count, start, stop)
        if start >= item.start:
            if stop > item.stop:
                self.covered += stop - item.stop
                item.stop = stop
            return OK
    position = ranges_find(self, start)
    if position == self.count or range_at(self, position).start > stop:
        return ranges_insert_at(self, position, start, stop)
    item = range_at(self, position)
    if start < item.start:
        self.covered += item.start - start
        item.start = start
    if stop > item.stop:
        last = position + 1
        while last < self.count and range_at(self, last).start <= stop:
            last += 1
        if range_at(self, last - 1).stop > stop:
            stop = range_at(self, last - 1).stop
        self.covered += stop - item.stop
        item.stop = stop
        if last > position + 1:
            ranges_drop_at(self, position + 1, last - position - 1)
    return OK


cdef int ranges_remove(Ranges *self, int64_t start, int64_t stop) noexcept nogil:
    """Takes [start, stop) out; needs memory only where it cuts one range in two."""
    cdef uint32_t position = ranges_find(self, start + 1)
    cdef uint32_t last
    cdef Range *item
    cdef int64_t rest
    if position == self.count:
        return OK
    item = range_at(self, position)
    if item.start < start:
        rest = item.stop
        if rest > stop:
            if ranges_insert_at(self, position + 1, stop, rest) < 0:
                return NO_MEMORY
            self.covered -= rest - start
            range_at(self, position).stop = start
            return OK
        self.covered -= rest - start
        item.stop = start
        position += 1
    last = position
    while last < self.count and range_at(self, last).stop <= stop:
        last += 1
    if last < self.count and range_at(self, last).start < stop:
        self.covered -= stop - range_at(self, last).start
        range_at(self, last).start = stop
    if last > position:
        ranges_drop_at(self, position, last - position)
    return OK


cdef bint ranges_contain(Ranges *self, int64_t value) noexcept nogil:
    cdef uint32_t position = ranges_find(self, value + 1)
    return position < self.count and range_at(self, position).start <= value


cdef int64_t ranges_first_gap(Ranges *self, int64_t start) noexcept nogil:
    """The first integer from `start` on that is not in the set."""
    cdef uint32_t position = ranges_find(self, start + 1)
    if position == self.count or start < range_at(self, position).start:
        return start
    return range_at(self, position).stop


cdef bint ranges_touch(Ranges *self, int64_t start, int64_t stop) noexcept nogil:
    """True if [start, stop) overlaps a range or lies right beside one: adding it makes no new range."""
    cdef uint32_t position = ranges_find(self, start)
    return position < self.count and range_at(self, position).start <= stop


cdef int64_t ranges_missing_size(Ranges *self, int64_t start, int64_t stop) noexcept nogil:
    """How many integers of [start, stop) are not held."""
    cdef int64_t missing = stop - start
    cdef uint32_t position = ranges_find(self, start + 1)
    cdef Range *item
    while position < self.count:
        item = range_at(self, position)
        if item.start >= stop:
            break
        missing -= min(item.stop, stop) - max(item.start, start)
        position += 1
    return missing


cdef list range_tuples(const Range *items, uint32_t count):
    """As tuples, of a copy: making one may set off the collector, and so any code, which may change a set."""
    cdef uint32_t position
    cdef Range *taken
    if count == 0:
        return []
    taken = <Range *>mem_alloc(count * sizeof(Range))
    if taken == NULL:
        raise MemoryError
    memcpy(taken, items, count * sizeof(Range))
    try:
        return [(taken[position].start, taken[position].stop) for position in range(count)]
    finally:
        mem_free(taken, count * sizeof(Range))


cdef list ranges_list(Ranges *self):
    return range_tuples(self.items + self.first, self.count)


cdef int ranges_gaps(Ranges *self, int64_t start, int64_t stop, Ranges *gaps) noexcept nogil:
    """Adds to `gaps` the parts of [start, stop) that are not held, all above those that it has."""
    cdef uint32_t position = ranges_find(self, start + 1)
    cdef Range *held
    while position < self.count and start < stop:
        held = range_at(self, position)
        if held.start >= stop:
            break
        if held.start > start and ranges_insert_at(gaps, gaps.count, start, held.start) < 0:
            return NO_MEMORY
        start = held.stop
        position += 1
    return ranges_insert_at(gaps, gaps.count, start, stop) if start < stop else OK


cdef int as_range(object start, object stop, Range *result) except -1:
    result.start = as_integer(start, 0, MAX_VARINT + 1)
    result.stop = as_integer(stop, 0, MAX_VARINT + 1)
    if result.start >= result.stop:
        raise ValueError("an empty range")
    return 0


cdef extern from "Python.h":
    bint PyIndex_Check(object value) noexcept


@final
cdef class RangeSet:
    """Half-open ranges of integers in [0, 2^62]."""

    cdef Ranges ranges

    def __init__(self, ranges=()):
        ranges_free(&self.ranges)
        for start, stop in ranges:
            self.add(start, stop)

    def __dealloc__(self):
        ranges_free(&self.ranges)

    def __reduce__(self):
        raise TypeError("cannot pickle or copy RangeSet")

    def add(self, start, stop):
        """Adds [start, stop); ValueError if it is empty."""
        cdef Range item
        as_range(start, stop, &item)
        if ranges_add(&self.ranges, item.start, item.stop) < 0:
            raise MemoryError

    def remove(self, start, stop):
        """Takes [start, stop) out; ValueError if it is empty."""
        cdef Range item
        as_range(start, stop, &item)
        if ranges_remove(&self.ranges, item.start, item.stop) < 0:
            raise MemoryError

    def missing(self, start, stop):
        """The parts of [start, stop) that are not held, ascending."""
        cdef Range item
        cdef Ranges gaps
        memset(&gaps, 0, sizeof(Ranges))
        as_range(start, stop, &item)
        try:
            if ranges_gaps(&self.ranges, item.start, item.stop, &gaps) < 0:
                raise MemoryError
            return ranges_list(&gaps)
        finally:
            ranges_free(&gaps)

    def pop_first(self, max_size):
        """Removes and gives at most `max_size` integers from the front range; IndexError if there is none."""
        cdef int64_t size = as_integer(max_size, 0, MAX_VARINT + 1)
        cdef Range *item
        cdef int64_t start, stop
        if size < 1:
            raise ValueError("max_size must be at least 1")
        if self.ranges.count == 0:
            raise IndexError("pop_first from an empty RangeSet")
        item = range_at(&self.ranges, 0)
        start = item.start
        stop = min(item.stop, start + size)
        if stop == item.stop:
            ranges_drop_front(&self.ranges)
        else:
            self.ranges.covered -= stop - start
            item.start = stop
        return start, stop

    def clear(self):
        ranges_free(&self.ranges)

    @property
    def covered(self):
        """How many integers are held."""
        return self.ranges.covered

    def __contains__(self, value):
        cdef int overflow = 0
        cdef int64_t number
        if not PyIndex_Check(value):
            return False
        number = PyLong_AsLongLongAndOverflow(index(value), &overflow)
        return not overflow and 0 <= number <= MAX_VARINT and ranges_contain(&self.ranges, number)

    def __len__(self):
        return self.ranges.count

    def __iter__(self):
        return iter(ranges_list(&self.ranges))

    def __eq__(self, other):
        if not isinstance(other, RangeSet):
            return NotImplemented
        return ranges_list(&self.ranges) == ranges_list(&(<RangeSet>other).ranges)

    __hash__ = None

    def __repr__(self):
        return f"RangeSet({ranges_list(&self.ranges)!r})"
