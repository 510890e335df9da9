# The sent-packet ledger (RFC 9002 A.1): what was sent, acknowledged, lost, and the delivery rate.
# Owns: packet numbers, bytes in flight, loss by packet and time threshold. May not know: frames' meaning,
# windows.

cdef enum:
    PACKET_ELICITING = 1  # flags of a kept packet
    PACKET_IN_FLIGHT = 2
    PACKET_APP_LIMITED = 4
    PACKET_PROBE = 8  # outside the summaries' sizes
    RECORDS_PER_CHUNK = 7
    LEDGER_SHIFT = 4
    LEDGER_CHUNK = 16  # packets whose slots stand together: all an idle connection keeps

# One frame of a packet, as acknowledgement and loss need it; what start, stop and aux mean is `kind`'s.
cdef struct Record:
    uint8_t kind
    uint8_t fin
    uint32_t aux
    int64_t channel_id
    int64_t start
    int64_t stop

cdef struct RecordChunk:
    RecordChunk *next
    Record records[RECORDS_PER_CHUNK]

cdef struct SentPacket:
    double sent_at
    int64_t delivered
    double delivered_at
    double first_sent_at
    int64_t lost
    int64_t tx_in_flight  # itself included
    uint32_t size
    uint32_t ordinal  # counts the packets kept: neighbours differ by one, whatever numbers lie between
    uint16_t record_count
    uint8_t flags
    Record record  # the first; further ones in `more`, newest chunk first
    RecordChunk *more

cdef struct Summary:
    bint is_there
    bint is_app_limited
    bint has_sample  # of the rate: prior_delivered, prior_lost and tx_in_flight mean something
    bint has_excess
    bint is_excess_app_limited
    int64_t acked_size
    int64_t acked_packets
    int64_t lost_size
    int64_t lost_packets
    int64_t max_acked_size
    int64_t max_lost_size
    int64_t prior_in_flight
    int64_t prior_delivered
    int64_t prior_lost
    int64_t tx_in_flight
    int64_t lost_runs
    double inflight_at_excess
    double largest_lost_sent_at  # None as -1, like the next and delivery_rate
    double latest_rtt
    double ack_delay
    double lost_span
    double delivery_rate

# Slots of the packets number << LEDGER_SHIFT and after it; `outstanding` has a bit for each that is.
cdef struct SentChunk:
    int64_t number
    uint32_t outstanding
    SentPacket slots[LEDGER_CHUNK]

# Invariant: each outstanding packet has its slot in the chunk of `chunks` under number >> LEDGER_SHIFT; a
# chunk without any is kept only as `newest`, the last one made. So memory follows the packets outstanding,
# not the span of their numbers: one that is never acknowledged holds one chunk, however many come after it.
# `found` is the chunk looked up last, or NULL. `done` holds the numbers from `first` to next_number that are
# acknowledged, lost, skipped or not kept; the other `count` are outstanding. `first` is in no range of it.
cdef struct Sent:
    Map chunks
    SentChunk *newest
    SentChunk *found
    uint32_t count
    uint32_t ordinal
    int64_t origin  # the first number of all
    int64_t first
    int64_t next_number
    int64_t largest_acked
    int64_t largest_lost
    double largest_acked_sent_at
    int64_t bytes_in_flight
    int64_t eliciting_in_flight
    double last_eliciting_sent_at
    double loss_at
    int64_t delivered
    double delivered_at
    double first_sent_at
    int64_t lost
    int64_t app_limited
    Ranges done
    Ranges skipped
    Summary summary

ctypedef void (*PacketHandler)(void *owner, int64_t number, SentPacket *packet) noexcept nogil

cdef Pool chunk_pool
chunk_pool.free_list = NULL
chunk_pool.count = 0
chunk_pool.limit = RECORD_POOL_LIMIT
chunk_pool.size = sizeof(RecordChunk)

cdef Pool ledger_pool
ledger_pool.free_list = NULL
ledger_pool.count = 0
ledger_pool.limit = BLOCK_POOL_LIMIT
ledger_pool.size = sizeof(SentChunk)


cdef void sent_init(Sent *self, int64_t first_number) noexcept nogil:
    memset(self, 0, sizeof(Sent))
    self.chunks.is_counted = True
    self.origin = first_number
    self.first = first_number
    self.next_number = first_number
    self.largest_acked = -1
    self.largest_lost = -1
    self.loss_at = -1.0


cdef inline SentPacket *sent_at_number(Sent *self, int64_t number) noexcept nogil:
    """The slot of an outstanding packet."""
    if self.found == NULL or self.found.number != number >> LEDGER_SHIFT:
        self.found = <SentChunk *>map_get(&self.chunks, number >> LEDGER_SHIFT)
    return self.found.slots + (number & (LEDGER_CHUNK - 1))


cdef void packet_drop_records(SentPacket *packet) noexcept nogil:
    cdef RecordChunk *chunk = packet.more
    cdef RecordChunk *after
    while chunk != NULL:
        after = chunk.next
        pool_give(&chunk_pool, chunk)
        chunk = after
    packet.more = NULL
    packet.record_count = 0


cdef void sent_free(Sent *self) noexcept nogil:
    cdef uint32_t place
    cdef int slot
    cdef SentChunk *chunk
    for place in range(self.chunks.capacity):
        chunk = <SentChunk *>self.chunks.entries[place].value
        if chunk == NULL:
            continue
        for slot in range(LEDGER_CHUNK):
            if chunk.outstanding >> slot & 1:
                packet_drop_records(chunk.slots + slot)
        pool_give(&ledger_pool, chunk)
    map_free(&self.chunks)
    ranges_free(&self.done)
    ranges_free(&self.skipped)
    self.newest = NULL
    self.found = NULL
    self.first = self.next_number


cdef void sent_drop_chunk(Sent *self, SentChunk *chunk) noexcept nogil:
    map_pop(&self.chunks, chunk.number)
    if self.found == chunk:
        self.found = NULL
    pool_give(&ledger_pool, chunk)


cdef SentChunk *sent_add_chunk(Sent *self) noexcept nogil:
    """The chunk of next_number, which the newest one is not; NULL without memory."""
    cdef SentChunk *chunk = <SentChunk *>pool_take(&ledger_pool)
    if chunk == NULL:
        return NULL
    chunk.number = self.next_number >> LEDGER_SHIFT
    chunk.outstanding = 0
    if map_put(&self.chunks, chunk.number, chunk) < 0:
        pool_give(&ledger_pool, chunk)
        return NULL
    if self.newest != NULL and self.newest.outstanding == 0:
        sent_drop_chunk(self, self.newest)
    self.newest = chunk
    return chunk


cdef void sent_release(Sent *self, int64_t start, int64_t stop) noexcept nogil:
    """Gives up the slots of [start, stop), all of which were outstanding."""
    cdef SentChunk *chunk
    cdef int64_t until
    while start < stop:
        sent_at_number(self, start)
        chunk = self.found
        until = min(stop, (chunk.number + 1) << LEDGER_SHIFT)
        chunk.outstanding &= ~(((<uint32_t>1 << (until - start)) - 1) << (start & (LEDGER_CHUNK - 1)))
        if chunk.outstanding == 0 and chunk != self.newest:
            sent_drop_chunk(self, chunk)
        start = until


cdef void sent_advance(Sent *self) noexcept nogil:
    """Moves `first` past what is done."""
    cdef Range *front
    if self.done.count:
        front = range_at(&self.done, 0)
        if front.start <= self.first:
            self.first = front.stop
            ranges_drop_front(&self.done)


cdef int sent_pass_over(Sent *self) noexcept nogil:
    """Uses one number that is not kept."""
    if ranges_add(&self.done, self.next_number, self.next_number + 1) < 0:
        return NO_MEMORY
    self.next_number += 1
    sent_advance(self)
    return OK


cdef int sent_skip(Sent *self) noexcept nogil:
    if ranges_add(&self.skipped, self.next_number, self.next_number + 1) < 0:
        return NO_MEMORY
    if self.skipped.covered > MAX_SKIPPED_NUMBERS:
        ranges_remove(&self.skipped, range_at(&self.skipped, 0).start, range_at(&self.skipped, 0).start + 1)
    return sent_pass_over(self)


cdef SentPacket *sent_begin(Sent *self) noexcept nogil:
    """The slot of the packet being built, without records; sent_commit files it. NULL without memory."""
    cdef SentPacket *packet
    cdef SentChunk *chunk = self.newest
    if chunk == NULL or chunk.number != self.next_number >> LEDGER_SHIFT:
        chunk = sent_add_chunk(self)
        if chunk == NULL:
            return NULL
    packet = chunk.slots + (self.next_number & (LEDGER_CHUNK - 1))
    packet.record_count = 0
    packet.more = NULL
    return packet


cdef Record *packet_record(SentPacket *packet) noexcept nogil:
    """Room for one more record; NULL without memory."""
    cdef RecordChunk *chunk
    cdef uint32_t position = packet.record_count
    if position == 0:
        packet.record_count = 1
        return &packet.record
    position = (position - 1) % RECORDS_PER_CHUNK
    if position == 0:
        chunk = <RecordChunk *>pool_take(&chunk_pool)
        if chunk == NULL:
            return NULL
        chunk.next = packet.more
        packet.more = chunk
    packet.record_count += 1
    return &packet.more.records[position]


cdef void sent_commit(
    Sent *self, SentPacket *packet, uint32_t size, double now, uint8_t flags
) noexcept nogil:
    """Files the packet that `sent_begin` gave under next_number."""
    packet.size = size
    packet.ordinal = self.ordinal
    self.ordinal += 1
    packet.sent_at = now
    if flags & PACKET_IN_FLIGHT:
        if self.bytes_in_flight == 0:
            self.first_sent_at = now
            self.delivered_at = now
        self.bytes_in_flight += size
        if flags & PACKET_ELICITING:
            self.eliciting_in_flight += 1
            self.last_eliciting_sent_at = now
    packet.delivered = self.delivered
    packet.delivered_at = self.delivered_at
    packet.first_sent_at = self.first_sent_at
    packet.lost = self.lost
    packet.tx_in_flight = self.bytes_in_flight
    packet.flags = flags | (PACKET_APP_LIMITED if self.app_limited else 0)
    self.newest.outstanding |= <uint32_t>1 << (self.next_number & (LEDGER_CHUNK - 1))
    self.next_number += 1
    self.count += 1


cdef void sent_leave_flight(Sent *self, SentPacket *packet) noexcept nogil:
    if packet.flags & PACKET_IN_FLIGHT:
        self.bytes_in_flight -= packet.size
        if packet.flags & PACKET_ELICITING:
            self.eliciting_in_flight -= 1
    self.count -= 1


cdef void sent_leave_path(Sent *self) noexcept nogil:
    """What was sent so far is in flight no more: it was on another path (RFC 9000 §9.4)."""
    cdef uint32_t place
    cdef int slot
    cdef SentChunk *chunk
    for place in range(self.chunks.capacity):
        chunk = <SentChunk *>self.chunks.entries[place].value
        if chunk != NULL:
            for slot in range(LEDGER_CHUNK):
                if chunk.outstanding >> slot & 1:
                    chunk.slots[slot].flags &= ~(PACKET_ELICITING | PACKET_IN_FLIGHT)
    self.bytes_in_flight = 0
    self.eliciting_in_flight = 0
    self.app_limited = 0
    self.summary.is_there = False


cdef Summary *sent_summary(Sent *self) noexcept nogil:
    """The open summary; a new one notes the bytes in flight before it."""
    cdef Summary *summary = &self.summary
    if not summary.is_there:
        memset(summary, 0, sizeof(Summary))
        summary.is_there = True
        summary.prior_in_flight = self.bytes_in_flight
        summary.latest_rtt = -1.0
        summary.largest_lost_sent_at = -1.0
        summary.delivery_rate = -1.0
    return summary


cdef inline void sent_set_app_limited(Sent *self) noexcept nogil:
    self.app_limited = max(self.delivered + self.bytes_in_flight, <int64_t>1)
