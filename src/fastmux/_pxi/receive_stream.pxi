# The receiving side of a stream (RFC 9000 §2.2, §4.5): bytes by offset, put in order.
# Owns: what arrived of one stream and how far it was read. May not know: channels, credit, frames.

cdef enum:
    SMALL_DIRECTORY = 16  # block pointers that an empty stream keeps
    ARRAY_BLOCKS = 128  # an array of pointers may cover so many blocks however few are held,
    ARRAY_SHARE = 4  # or else as many times those that are: what a peer announces costs nothing

# Invariant: [consumed, contiguous) is here and `ranges` holds what is here above it, never touching it; each
# such byte is in block (offset >> BLOCK_SHIFT), found at blocks[number & (capacity - 1)], or by its number in
# `scattered` where capacity is 0: from the first block too far from the others until the stream is empty.
# A byte is written once. No block is kept that holds nothing unread. consumed <= contiguous, highest <=
# final_size once that is known (else -1).
cdef struct StreamIn:
    uint8_t **blocks
    int64_t capacity
    Map scattered
    uint32_t block_count
    bint discarding
    int64_t consumed
    int64_t contiguous
    int64_t highest
    int64_t final_size
    Ranges ranges


cdef void stream_in_init(StreamIn *self) noexcept nogil:
    memset(self, 0, sizeof(StreamIn))
    self.final_size = -1


cdef void stream_in_give_block(StreamIn *self, int64_t number) noexcept nogil:
    cdef uint8_t *block
    if self.capacity:
        block = self.blocks[number & (self.capacity - 1)]
        self.blocks[number & (self.capacity - 1)] = NULL
    else:
        block = <uint8_t *>map_pop(&self.scattered, number)
    if block != NULL:
        pool_give(&block_pool, block)
        self.block_count -= 1


cdef void stream_in_free(StreamIn *self) noexcept nogil:
    """Drops every block and range."""
    cdef int64_t place
    for place in range(self.capacity):
        if self.block_count == 0:
            break
        stream_in_give_block(self, place)
    for place in range(self.scattered.capacity):
        if self.scattered.entries[place].value != NULL:
            pool_give(&block_pool, self.scattered.entries[place].value)
    map_free(&self.scattered)
    self.block_count = 0
    mem_free(self.blocks, self.capacity * sizeof(uint8_t *))
    self.blocks = NULL
    self.capacity = 0
    ranges_free(&self.ranges)


cdef int stream_in_scatter(StreamIn *self) noexcept nogil:
    """Puts the blocks from the array into the map; a fault leaves them where they are."""
    cdef int64_t number
    cdef int64_t first = self.consumed >> BLOCK_SHIFT
    cdef uint8_t *block
    for number in range(first, first + self.capacity):
        block = self.blocks[number & (self.capacity - 1)]
        if block != NULL and map_put(&self.scattered, number, block) < 0:
            map_free(&self.scattered)
            return NO_MEMORY
    mem_free(self.blocks, self.capacity * sizeof(uint8_t *))
    self.blocks = NULL
    self.capacity = 0
    return OK


cdef int stream_in_widen(StreamIn *self, int64_t last, int64_t size) noexcept nogil:
    """An array that covers the blocks from the first unread one to `last`, in which `size` bytes end.

    Where it would be nearly empty the blocks go into the map: capacity is 0 then.
    """
    cdef int64_t first = self.consumed >> BLOCK_SHIFT
    cdef int64_t blocks_then = <int64_t>self.block_count + (size >> BLOCK_SHIFT) + 1
    cdef int64_t capacity = self.capacity if self.capacity else 4
    cdef int64_t place
    cdef uint8_t **blocks
    if self.scattered.count:
        return OK
    if last - first >= max(<int64_t>ARRAY_BLOCKS, ARRAY_SHARE * blocks_then):
        return stream_in_scatter(self)
    while last - first >= capacity:
        capacity *= 2
    if capacity == self.capacity:
        return OK
    blocks = <uint8_t **>mem_zeroed(capacity * sizeof(uint8_t *))
    if blocks == NULL:
        return NO_MEMORY
    for place in range(self.capacity):
        blocks[(first + place) & (capacity - 1)] = self.blocks[(first + place) & (self.capacity - 1)]
    mem_free(self.blocks, self.capacity * sizeof(uint8_t *))
    self.blocks = blocks
    self.capacity = capacity
    return OK


cdef int stream_in_store_scattered(
    StreamIn *self, int64_t offset, const uint8_t *data, int64_t size
) noexcept nogil:
    """As stream_in_store, into the map."""
    cdef int64_t part, within
    cdef uint8_t *block
    while size > 0:
        within = offset & (BLOCK_SIZE - 1)
        part = min(size, BLOCK_SIZE - within)
        block = <uint8_t *>map_get(&self.scattered, offset >> BLOCK_SHIFT)
        if block == NULL:
            block = <uint8_t *>pool_take(&block_pool)
            if block == NULL:
                return NO_MEMORY
            if map_put(&self.scattered, offset >> BLOCK_SHIFT, block) < 0:
                pool_give(&block_pool, block)
                return NO_MEMORY
            self.block_count += 1
        fm_copy(block + within, data, part)
        data += part
        offset += part
        size -= part
    return OK


cdef int stream_in_store(StreamIn *self, int64_t offset, const uint8_t *data, int64_t size) noexcept nogil:
    """Copies bytes that are not here yet into their blocks; size > 0."""
    cdef int64_t number, part, within
    cdef uint8_t **place
    if ((offset + size - 1) >> BLOCK_SHIFT) - (self.consumed >> BLOCK_SHIFT) >= self.capacity:
        if stream_in_widen(self, (offset + size - 1) >> BLOCK_SHIFT, size) < 0:
            return NO_MEMORY
        if self.capacity == 0:
            return stream_in_store_scattered(self, offset, data, size)
    while size > 0:
        number = offset >> BLOCK_SHIFT
        within = offset & (BLOCK_SIZE - 1)
        part = min(size, BLOCK_SIZE - within)
        place = self.blocks + (number & (self.capacity - 1))
        if place[0] == NULL:
            place[0] = <uint8_t *>pool_take(&block_pool)
            if place[0] == NULL:
                return NO_MEMORY
            self.block_count += 1
        fm_copy(place[0] + within, data, part)
        data += part
        offset += part
        size -= part
    return OK


cdef inline int check_final_size(
    int64_t highest, int64_t final_size, int64_t stop, bint fin
) noexcept nogil:
    """A FAULT if data up to `stop`, the end if `fin`, contradicts what is known (RFC 9000 §4.5)."""
    if final_size >= 0 and (stop > final_size or (fin and stop != final_size)):
        return fail(FINAL_SIZE_ERROR, b"final size changed or passed")
    if fin and stop < highest:
        return fail(FINAL_SIZE_ERROR, b"final size below the data received")
    return OK


cdef int stream_in_keep(StreamIn *self, int64_t start, int64_t stop, const uint8_t *data) noexcept nogil:
    """Bytes out of order, or around gaps: stores the parts of [start, stop) that are not here."""
    cdef int64_t at = max(start, self.contiguous)
    cdef int64_t until
    cdef uint32_t position
    cdef Range *front
    if at >= stop:
        return OK
    if ranges_room(&self.ranges) < 0:
        return NO_MEMORY
    position = ranges_find(&self.ranges, at + 1)
    while at < stop:
        until = stop
        if position < self.ranges.count and range_at(&self.ranges, position).start < stop:
            until = max(range_at(&self.ranges, position).start, at)
        if at < until and stream_in_store(self, at, data + (at - start), until - at) < 0:
            return NO_MEMORY
        if until == stop:
            break
        at = range_at(&self.ranges, position).stop
        position += 1
    ranges_add(&self.ranges, max(start, self.contiguous), stop)
    front = range_at(&self.ranges, 0)
    if front.start <= self.contiguous:
        self.contiguous = front.stop
        ranges_drop_front(&self.ranges)
    return OK


cdef inline int64_t stream_in_receive(
    StreamIn *self, int64_t offset, const uint8_t *data, int64_t size, bint fin
) noexcept nogil:
    """Checked bytes at `offset`: how far the highest offset advanced. In order it is one copy."""
    cdef int64_t stop = offset + size
    cdef int64_t advance = max(stop - self.highest, <int64_t>0)
    if not self.discarding:
        if offset == self.contiguous and self.ranges.count == 0:
            if size > 0 and stream_in_store(self, offset, data, size) < 0:
                return NO_MEMORY
            self.contiguous = stop
        elif stop > offset and stream_in_keep(self, offset, stop, data) < 0:
            return NO_MEMORY
    if fin:
        self.final_size = stop
    self.highest += advance
    if self.discarding:
        self.consumed = self.highest
        self.contiguous = self.highest
    return advance


cdef void stream_in_discard(StreamIn *self) noexcept nogil:
    """Drops what is held and from now on what comes."""
    self.discarding = True
    stream_in_free(self)
    self.consumed = self.highest
    self.contiguous = self.highest


cdef inline int64_t stream_in_readable(StreamIn *self) noexcept nogil:
    return self.contiguous - self.consumed


cdef inline bint stream_in_is_finished(StreamIn *self) noexcept nogil:
    return self.consumed == self.final_size


cdef inline uint32_t stream_in_spans(StreamIn *self) noexcept nogil:
    return self.ranges.count + (self.contiguous > self.consumed)


cdef inline bint stream_in_touches(StreamIn *self, int64_t start, int64_t stop) noexcept nogil:
    """True if [start, stop) makes no new span of unread bytes."""
    if self.contiguous > self.consumed and start <= self.contiguous and stop >= self.consumed:
        return True
    return self.ranges.count > 0 and ranges_touch(&self.ranges, start, stop)


cdef inline uint8_t *stream_in_block(StreamIn *self, int64_t number) noexcept nogil:
    """A block that is held."""
    if self.capacity:
        return self.blocks[number & (self.capacity - 1)]
    return <uint8_t *>map_get(&self.scattered, number)


cdef void stream_in_read(StreamIn *self, uint8_t *target, int64_t size) noexcept nogil:
    """Copies out `size` readable bytes and gives back the blocks behind them."""
    cdef int64_t number, part, within
    while size > 0:
        number = self.consumed >> BLOCK_SHIFT
        within = self.consumed & (BLOCK_SIZE - 1)
        part = min(size, BLOCK_SIZE - within)
        fm_copy(target, stream_in_block(self, number) + within, part)
        target += part
        self.consumed += part
        size -= part
        if within + part == BLOCK_SIZE:
            stream_in_give_block(self, number)
    number = self.consumed >> BLOCK_SHIFT
    if self.consumed < self.contiguous:
        return
    if self.ranges.count == 0:
        stream_in_give_block(self, number)
        if self.capacity > SMALL_DIRECTORY:
            stream_in_free(self)
    elif range_at(&self.ranges, 0).start >= (number + 1) << BLOCK_SHIFT:
        stream_in_give_block(self, number)


cdef object stream_in_take(StreamIn *self, int64_t max_size):
    """At most `max_size` bytes in order; b"" if nothing is there now, None at the end."""
    cdef int64_t size = min(max_size, stream_in_readable(self))
    cdef bytes data
    if size == 0:
        return None if stream_in_is_finished(self) else b""
    data = PyBytes_FromStringAndSize(NULL, size)
    stream_in_read(self, <uint8_t *>PyBytes_AS_STRING(data), size)
    return data


@final
cdef class ReceiveStream:
    """The bytes of one stream as they come, in blocks of 4 KiB by offset."""

    cdef StreamIn stream

    def __cinit__(self):
        stream_in_init(&self.stream)

    def __dealloc__(self):
        stream_in_free(&self.stream)

    def __reduce__(self):
        raise TypeError("cannot pickle or copy ReceiveStream")

    def receive(self, offset, data, fin=False):
        """Takes the bytes at `offset`; returns how far the highest offset advanced.

        ProtocolError(FINAL_SIZE_ERROR) when the final size changes or is passed (RFC 9000 §4.5).
        """
        cdef int64_t start = as_wire(offset)
        cdef bint is_last = bool(fin)
        cdef int64_t advance
        cdef Py_buffer view
        take_buffer(data, &view)
        if start + view.len > MAX_VARINT:
            PyBuffer_Release(&view)
            raise OverflowError("offset out of range")
        advance = check_final_size(self.stream.highest, self.stream.final_size, start + view.len, is_last)
        if advance == OK:
            advance = stream_in_receive(&self.stream, start, <const uint8_t *>view.buf, view.len, is_last)
        PyBuffer_Release(&view)
        if advance < 0:
            raise_status(<int>advance)
        return advance

    def read(self, max_bytes):
        """At most `max_bytes` in order; b"" if nothing is there now, None at the end."""
        return stream_in_take(&self.stream, as_wire(max_bytes))

    def read_into(self, buffer):
        """As `read`, into a writable buffer: the count, 0 if nothing is there now, -1 at the end."""
        cdef Py_buffer view
        cdef int64_t size
        take_writable(buffer, &view)
        size = min(<int64_t>view.len, stream_in_readable(&self.stream))
        stream_in_read(&self.stream, <uint8_t *>view.buf, size)
        PyBuffer_Release(&view)
        if size == 0 and stream_in_is_finished(&self.stream):
            return -1
        return size

    def reset(self, final_size):
        """Drops what is held; returns the bytes whose credit returns; errors as `receive`."""
        cdef int64_t size = as_wire(final_size)
        cdef int64_t returned
        if check_final_size(self.stream.highest, self.stream.final_size, size, True) < 0:
            raise_status(FAULT)
        returned = size - self.stream.consumed
        self.stream.final_size = size
        self.stream.highest = size
        stream_in_discard(&self.stream)
        return returned

    @property
    def readable_size(self):
        """Bytes that can be read now."""
        return stream_in_readable(&self.stream)

    @property
    def highest_offset(self):
        """The offset after the last byte known of: what credit is charged."""
        return self.stream.highest

    @property
    def consumed(self):
        """The offset up to which everything was read or dropped."""
        return self.stream.consumed

    @property
    def held_size(self):
        """Bytes of the blocks allocated."""
        return <int64_t>self.stream.block_count * BLOCK_SIZE

    @property
    def span_count(self):
        """Disjoint spans of unread bytes."""
        return stream_in_spans(&self.stream)

    @property
    def final_size(self):
        """The size of the whole stream once FIN or RESET told it."""
        return None if self.stream.final_size < 0 else self.stream.final_size

    @property
    def is_finished(self):
        """True when the final size is known and everything up to it was read or dropped."""
        return bool(stream_in_is_finished(&self.stream))
