# One incoming message: units of 128 bytes by index, in any order, first copy wins.
# Owns: units received and their bytes. May not know: message ids, channels, credit.

cdef struct UnitBlock:
    int64_t number
    uint8_t *data

# Invariant: `units` are the units that came, each < fragment_count; `blocks` ascends by number and holds
# every block with one of them; last_size is the last unit's size once that came, else -1. A unit is written
# once.
cdef struct Assembly:
    int64_t fragment_count
    int64_t held_units
    int64_t held_size
    UnitBlock *blocks
    uint32_t block_count
    uint32_t block_capacity
    int32_t last_size
    Ranges units


cdef void assembly_init(Assembly *self, int64_t fragment_count) noexcept nogil:
    memset(self, 0, sizeof(Assembly))
    self.fragment_count = fragment_count
    self.last_size = -1


cdef inline size_t unit_block_size(Assembly *self, int64_t number) noexcept nogil:
    """A message's last block is as long as its units."""
    cdef int64_t units = self.fragment_count - number * UNITS_PER_BLOCK
    return <size_t>(min(units, <int64_t>UNITS_PER_BLOCK) * FRAGMENT_UNIT)


cdef void assembly_free_blocks(Assembly *self) noexcept nogil:
    cdef uint32_t position
    cdef size_t size
    for position in range(self.block_count):
        size = unit_block_size(self, self.blocks[position].number)
        if size == BLOCK_SIZE:
            pool_give(&block_pool, self.blocks[position].data)
        else:
            mem_free(self.blocks[position].data, size)
    mem_free(self.blocks, self.block_capacity * sizeof(UnitBlock))
    self.blocks = NULL
    self.block_count = 0
    self.block_capacity = 0
    self.held_size = 0


cdef void assembly_free(Assembly *self) noexcept nogil:
    assembly_free_blocks(self)
    ranges_free(&self.units)


cdef inline int64_t units_of(int64_t size) noexcept nogil:
    """Units of a run of `size` bytes; no bytes are one unit."""
    return (size + FRAGMENT_UNIT - 1) // FRAGMENT_UNIT if size else 1


cdef int assembly_add_block(Assembly *self, uint32_t position, int64_t number) noexcept nogil:
    cdef uint32_t capacity
    cdef UnitBlock *grown
    cdef size_t size = unit_block_size(self, number)
    cdef uint8_t *data
    if self.block_count == self.block_capacity:
        capacity = self.block_capacity * 2 if self.block_capacity else 2
        grown = <UnitBlock *>mem_resize(
            self.blocks, self.block_capacity * sizeof(UnitBlock), capacity * sizeof(UnitBlock)
        )
        if grown == NULL:
            return NO_MEMORY
        self.blocks = grown
        self.block_capacity = capacity
    data = <uint8_t *>(pool_take(&block_pool) if size == BLOCK_SIZE else mem_alloc(size))
    if data == NULL:
        return NO_MEMORY
    if position < self.block_count:
        grown = self.blocks + position
        memmove(grown + 1, grown, (self.block_count - position) * sizeof(UnitBlock))
    self.blocks[position].number = number
    self.blocks[position].data = data
    self.block_count += 1
    self.held_size += <int64_t>size
    return OK


cdef uint8_t *assembly_block(Assembly *self, int64_t number) noexcept nogil:
    """The block of that number, made if it is not there; NULL without memory."""
    cdef uint32_t low = 0
    cdef uint32_t high = self.block_count
    cdef uint32_t middle
    if high and self.blocks[high - 1].number <= number:
        low = high - (self.blocks[high - 1].number == number)
        high = low
    while low < high:
        middle = (low + high) >> 1
        if self.blocks[middle].number < number:
            low = middle + 1
        else:
            high = middle
    if low == self.block_count or self.blocks[low].number != number:
        if assembly_add_block(self, low, number) < 0:
            return NULL
    return self.blocks[low].data


cdef int assembly_store(Assembly *self, int64_t unit, const uint8_t *data, int64_t size) noexcept nogil:
    """Copies `size` bytes from unit `unit` on into their blocks."""
    cdef int64_t within, part
    cdef uint8_t *block
    while size > 0:
        block = assembly_block(self, unit // UNITS_PER_BLOCK)
        if block == NULL:
            return NO_MEMORY
        within = unit % UNITS_PER_BLOCK
        part = min(size, (UNITS_PER_BLOCK - within) * FRAGMENT_UNIT)
        fm_copy(block + within * FRAGMENT_UNIT, data, part)
        data += part
        size -= part
        unit += UNITS_PER_BLOCK - within
    return OK


cdef int64_t run_stop(int64_t first, int64_t size, int64_t count) noexcept nogil:
    """The unit after the run of `size` bytes from unit `first` of `count`; FAULT if it breaks a rule."""
    cdef int64_t stop
    if first >= count:
        return fail(PROTOCOL_VIOLATION, b"fragment index beyond the message")
    if size == 0 and count == 1:
        return 1
    stop = first + (size + FRAGMENT_UNIT - 1) // FRAGMENT_UNIT
    if stop > count:
        return fail(PROTOCOL_VIOLATION, b"fragment beyond the message")
    if size == 0 or (size % FRAGMENT_UNIT and stop != count):
        return fail(FRAME_ENCODING_ERROR, b"fragment is not whole units")
    return stop


cdef int64_t assembly_check(Assembly *self, int64_t first, int64_t size) noexcept nogil:
    """`run_stop`, and that the message keeps its size."""
    cdef int64_t stop = run_stop(first, size, self.fragment_count)
    if stop == self.fragment_count and self.last_size >= 0:
        if self.last_size != size - (stop - 1 - first) * FRAGMENT_UNIT:
            return fail(FINAL_SIZE_ERROR, b"message size changed")
    return stop


cdef int assembly_add(
    Assembly *self, int64_t first, int64_t stop, const uint8_t *data, int64_t size
) noexcept nogil:
    """A checked run of units [first, stop): 1 if anything was new, else 0."""
    cdef int64_t start = first
    cdef int64_t until, at, end, fresh
    cdef uint32_t position
    fresh = ranges_missing_size(&self.units, first, stop)
    if fresh == 0:
        return 0
    if ranges_room(&self.units) < 0:
        return NO_MEMORY
    position = ranges_find(&self.units, start + 1)
    while start < stop:
        until = stop
        if position < self.units.count and range_at(&self.units, position).start < stop:
            until = max(range_at(&self.units, position).start, start)
        if start < until:
            at = (start - first) * FRAGMENT_UNIT
            end = min(size, (until - first) * FRAGMENT_UNIT)
            if assembly_store(self, start, data + at, end - at) < 0:
                return NO_MEMORY
        if until == stop:
            break
        start = range_at(&self.units, position).stop
        position += 1
    if stop == self.fragment_count:
        self.last_size = <int32_t>(size - (stop - 1 - first) * FRAGMENT_UNIT)
    ranges_add(&self.units, first, stop)
    self.held_units += fresh
    return 1


cdef inline bint assembly_is_complete(Assembly *self) noexcept nogil:
    return self.held_units == self.fragment_count


cdef void *assembly_take(Assembly *self) noexcept nogil:
    """The complete message as a new bytes object; its blocks are given back. NULL without memory."""
    cdef int64_t size = (self.fragment_count - 1) * FRAGMENT_UNIT + self.last_size
    cdef int64_t at = 0
    cdef uint32_t position
    cdef void *message = fm_bytes(NULL, size)
    if message == NULL:
        fm_clear_error()
        return NULL
    for position in range(self.block_count):
        fm_copy(fm_bytes_data(message) + at, self.blocks[position].data, min(size - at, <int64_t>BLOCK_SIZE))
        at += BLOCK_SIZE
    assembly_free_blocks(self)
    return message


@final
cdef class Reassembler:
    """One message of `fragment_count` units of 128 bytes; memory follows bytes received, by 32 units."""

    cdef Assembly assembly
    cdef bint is_taken

    def __cinit__(self):
        assembly_init(&self.assembly, 1)

    def __init__(self, fragment_count):
        cdef int64_t count = as_integer(fragment_count, 0, MAX_VARINT // FRAGMENT_UNIT)
        if count == 0:
            raise ValueError("fragment_count must be at least 1")
        assembly_free(&self.assembly)
        assembly_init(&self.assembly, count)
        self.is_taken = False

    def __dealloc__(self):
        assembly_free(&self.assembly)

    def __reduce__(self):
        raise TypeError("cannot pickle or copy Reassembler")

    def add(self, index, data):
        """True if anything in the run from unit `index` on was new.

        ProtocolError: PROTOCOL_VIOLATION outside the message, FRAME_ENCODING_ERROR for broken units,
        FINAL_SIZE_ERROR for a last unit of another length than one already seen.
        """
        cdef int64_t first = as_wire(index)
        cdef int64_t stop
        cdef int status = OK
        cdef Py_buffer view
        take_buffer(data, &view)
        stop = assembly_check(&self.assembly, first, view.len)
        if stop >= 0:
            status = assembly_add(&self.assembly, first, stop, <const uint8_t *>view.buf, view.len)
        PyBuffer_Release(&view)
        if stop < 0:
            raise_status(FAULT)
        if status < 0:
            raise_status(status)
        return status == 1

    def take(self):
        """The whole message, once; ValueError if it is not complete or was taken."""
        cdef void *message
        if self.is_taken or not assembly_is_complete(&self.assembly):
            raise ValueError("the message is not complete")
        message = assembly_take(&self.assembly)
        if message == NULL:
            raise MemoryError
        self.is_taken = True
        result = <object>message
        fm_decref(message)
        return result

    @property
    def is_complete(self):
        """True when every unit came."""
        return bool(assembly_is_complete(&self.assembly))

    @property
    def held_size(self):
        """Bytes of the blocks allocated."""
        return self.assembly.held_size

    @property
    def span_count(self):
        """Disjoint runs of units held."""
        return self.assembly.units.count
