# The sending side of a stream (RFC 9000 §2.2, §3.1): what was written until it is acknowledged.
# Owns: the bytes of one stream and which of them are unsent, lost or acknowledged. May not know: packets,
# credit.

# Written bytes from `start` on: in an exact bytes object held by reference, or a pool block that is filled up
# (owner NULL).
cdef struct Piece:
    const uint8_t *data
    void *owner
    int64_t start
    int64_t size

# Invariant: pieces[first : first + count] are the bytes from base or before it to `written`, in order and
# without gaps. base <= next <= written. [0, base) is acknowledged; `acked` and `lost` hold ranges in [base,
# next), disjoint from each other. `cursor` is a piece at or before the one that holds `next`, counted from
# `first`.
cdef struct StreamOut:
    Piece *pieces
    uint32_t first
    uint32_t count
    uint32_t capacity
    uint32_t cursor
    int64_t base
    int64_t next
    int64_t written
    uint8_t finished
    uint8_t fin_due
    uint8_t fin_acked
    Ranges acked
    Ranges lost

# A run to send: what next_range gives, before its bytes are copied.
cdef struct Run:
    int64_t start
    int64_t stop
    bint fin
    bint is_again


cdef inline Piece *piece_at(StreamOut *self, uint32_t position) noexcept nogil:
    return self.pieces + self.first + position


cdef void piece_free(Piece *piece) noexcept nogil:
    if piece.owner != NULL:
        let_go(piece.owner)
    else:
        pool_give(&block_pool, <void *>piece.data)


cdef void stream_out_free(StreamOut *self) noexcept nogil:
    cdef uint32_t position
    for position in range(self.count):
        piece_free(piece_at(self, position))
    mem_free(self.pieces, self.capacity * sizeof(Piece))
    ranges_free(&self.acked)
    ranges_free(&self.lost)
    self.pieces = NULL
    self.first = 0
    self.count = 0
    self.capacity = 0
    self.cursor = 0


cdef void stream_out_drop(StreamOut *self) noexcept nogil:
    """Forgets everything that was written: the stream was reset."""
    stream_out_free(self)
    self.base = self.next
    self.written = self.next
    self.finished = True
    self.fin_due = False


cdef int stream_out_room(StreamOut *self) noexcept nogil:
    cdef uint32_t capacity
    cdef Piece *grown
    if self.first + self.count < self.capacity:
        return OK
    if self.first > self.count:
        memmove(self.pieces, self.pieces + self.first, self.count * sizeof(Piece))
        self.first = 0
        return OK
    capacity = self.capacity * 2 if self.capacity else 2
    grown = <Piece *>mem_resize(self.pieces, self.capacity * sizeof(Piece), capacity * sizeof(Piece))
    if grown == NULL:
        return NO_MEMORY
    self.pieces = grown
    self.capacity = capacity
    return OK


cdef int stream_out_join(StreamOut *self, const uint8_t *data, int64_t size) noexcept nogil:
    """A small write: into the block of the write before it, or a new one; 0 < size < JOIN_BELOW."""
    cdef Piece *last
    cdef uint8_t *block
    if self.count:
        last = piece_at(self, self.count - 1)
        if last.owner == NULL and last.size + size <= BLOCK_SIZE:
            fm_copy(<uint8_t *>last.data + last.size, data, size)
            last.size += size
            self.written += size
            return OK
    if stream_out_room(self) < 0:
        return NO_MEMORY
    block = <uint8_t *>pool_take(&block_pool)
    if block == NULL:
        return NO_MEMORY
    fm_copy(block, data, size)
    last = piece_at(self, self.count)
    last.data = block
    last.owner = NULL
    last.start = self.written
    last.size = size
    self.count += 1
    self.written += size
    return OK


cdef int stream_out_hold(StreamOut *self, const Kept *data) noexcept nogil:
    """A large write: the bytes object by reference."""
    cdef Piece *last
    if stream_out_room(self) < 0:
        return NO_MEMORY
    hold(data.owner)
    last = piece_at(self, self.count)
    last.data = data.data
    last.owner = data.owner
    last.start = self.written
    last.size = data.size
    self.count += 1
    self.written += last.size
    return OK


cdef inline int stream_out_write(StreamOut *self, const Kept *data) noexcept nogil:
    """Takes it whole."""
    if data.size >= JOIN_BELOW:
        return stream_out_hold(self, data)
    return stream_out_join(self, data.data, data.size) if data.size else OK


cdef inline bint stream_out_next(StreamOut *self, int64_t max_size, int64_t limit, Run *run) noexcept nogil:
    """The next run to send, lost ones first; False if nothing can go. A FIN alone is a run of no bytes."""
    cdef Range *lost
    run.is_again = self.lost.count > 0 and max_size > 0
    if run.is_again:
        lost = range_at(&self.lost, 0)
        run.start = lost.start
        run.stop = min(lost.stop, lost.start + max_size)
        ranges_remove(&self.lost, run.start, run.stop)
    else:
        run.start = self.next
        run.stop = max(self.next, min(min(self.written, limit), self.next + max_size))
        self.next = run.stop
    run.fin = self.fin_due and run.stop == self.written
    if run.fin:
        self.fin_due = False
    return run.start < run.stop or run.fin


cdef Piece *stream_out_find(StreamOut *self, int64_t offset) noexcept nogil:
    """The piece that holds the byte at `offset`, which is below `written`."""
    cdef uint32_t low = 0
    cdef uint32_t high = self.count - 1
    cdef uint32_t middle
    cdef Piece *piece = piece_at(self, self.cursor)
    if piece.start <= offset:
        if offset < piece.start + piece.size:
            return piece
        low = self.cursor + 1
        piece = piece_at(self, low)
        if offset < piece.start + piece.size:
            self.cursor = low
            return piece
    while low < high:
        middle = (low + high + 1) >> 1
        if piece_at(self, middle).start <= offset:
            low = middle
        else:
            high = middle - 1
    return piece_at(self, low)


cdef inline void stream_out_copy(
    StreamOut *self, int64_t start, int64_t stop, uint8_t *target
) noexcept nogil:
    """Copies the bytes of [start, stop)."""
    cdef Piece *piece
    cdef int64_t part
    if start == stop:
        return
    piece = stream_out_find(self, start)
    while True:
        part = min(stop, piece.start + piece.size) - start
        fm_copy(target, piece.data + (start - piece.start), part)
        start += part
        if start == stop:
            fm_prefetch(piece.data + (start - piece.start), min(part, piece.start + piece.size - start))
            return
        target += part
        piece += 1


cdef void stream_out_drop_pieces(StreamOut *self) noexcept nogil:
    """Drops the pieces that end at or below `base`."""
    cdef Piece *piece
    cdef uint32_t dropped = 0
    while dropped < self.count:
        piece = piece_at(self, dropped)
        if piece.start + piece.size > self.base:
            break
        piece_free(piece)
        dropped += 1
    self.first += dropped
    self.count -= dropped
    self.cursor = self.cursor - dropped if self.cursor > dropped else 0
    if self.count == 0:
        self.first = 0
        if self.capacity > SMALL_DIRECTORY:
            mem_free(self.pieces, self.capacity * sizeof(Piece))
            self.pieces = NULL
            self.capacity = 0


cdef void stream_out_advance(StreamOut *self) noexcept nogil:
    """Moves `base` past what is acknowledged."""
    cdef Range *front = range_at(&self.acked, 0)
    if front.start <= self.base:
        self.base = front.stop
        ranges_drop_front(&self.acked)
        stream_out_drop_pieces(self)


cdef int64_t stream_out_acked(StreamOut *self, int64_t start, int64_t stop, bint fin) noexcept nogil:
    """The peer has the run [start, stop), and FIN if `fin`: how far `base` moves, or NO_MEMORY."""
    cdef int64_t released = 0
    start = max(start, self.base)
    stop = min(stop, self.next)
    if start < stop:
        if start == self.base and self.acked.count == 0 and self.lost.count == 0:
            self.base = stop  # in order: nothing to remember
            released = stop - start
            stream_out_drop_pieces(self)
        else:
            if ranges_add(&self.acked, start, stop) < 0:
                return NO_MEMORY
            if self.lost.count and ranges_remove(&self.lost, start, stop) < 0:
                return NO_MEMORY
            released = self.base
            stream_out_advance(self)
            released = self.base - released
    if fin:
        self.fin_acked = True
        self.fin_due = False
    return released


cdef int stream_out_lost(StreamOut *self, int64_t start, int64_t stop, bint fin) noexcept nogil:
    """The run [start, stop), and FIN if `fin`, must go again, but for what was acknowledged meanwhile."""
    cdef int64_t until
    cdef uint32_t position
    start = max(start, self.base)
    stop = min(stop, self.next)
    if start < stop:
        position = ranges_find(&self.acked, start + 1)
        while start < stop:
            until = stop
            if position < self.acked.count and range_at(&self.acked, position).start < stop:
                until = range_at(&self.acked, position).start
            if start < until and ranges_add(&self.lost, start, until) < 0:
                return NO_MEMORY
            if until == stop:
                break
            start = range_at(&self.acked, position).stop
            position += 1
    if fin and not self.fin_acked:
        self.fin_due = True
    return OK


cdef inline bint stream_out_is_delivered(StreamOut *self) noexcept nogil:
    return self.fin_acked and self.base == self.written


cdef inline bint stream_out_is_free(StreamOut *self) noexcept nogil:
    """True if a lost run or a bare FIN waits, which need no credit."""
    return self.lost.count > 0 or (self.fin_due and self.next == self.written)
