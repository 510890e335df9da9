# T3: ranges of ACK frames into the ledger of sent packets, beside a list with one entry a packet.
# Owns: the list and what must hold. May not know: how the ledger stores. Inputs: fuzz/targets/ledger.py says.

cdef enum:
    MODEL_PACKETS = 1024
    PACKET_NOT_KEPT = 1  # what became of a number
    PACKET_SKIPPED = 2
    PACKET_OUT = 3
    PACKET_DONE = 4

cdef struct ModelPacket:
    uint8_t state
    uint8_t flags
    uint32_t size
    double sent_at

cdef struct LedgerModel:
    Sent sent
    ModelPacket packets[MODEL_PACKETS]
    int64_t next
    int64_t largest_acked
    int64_t in_flight
    uint32_t skips
    double now
    double loss_delay
    int64_t noted  # the last number that the ledger told of
    const char *broken

cdef LedgerModel ledger


cdef void ledger_note(void *owner, int64_t number, SentPacket *packet) noexcept nogil:
    """The ledger gives a packet up: it must be out, ascending, and as it was sent."""
    cdef ModelPacket *known
    if number <= ledger.noted or number >= ledger.next:
        ledger.broken = b"a number twice, or out of order"
        return
    ledger.noted = number
    known = ledger.packets + number
    if known.state != PACKET_OUT:
        ledger.broken = b"a packet that was not out"
    if known.size != packet.size or known.sent_at != packet.sent_at:
        ledger.broken = b"a packet with another size or time"
    known.state = PACKET_DONE
    if known.flags & PACKET_IN_FLIGHT:
        ledger.in_flight -= known.size


cdef int ledger_add(uint32_t count, uint8_t flags) noexcept nogil:
    cdef SentPacket *packet
    cdef ModelPacket *known
    while count and ledger.next < MODEL_PACKETS:
        known = ledger.packets + ledger.next
        known.flags = flags & 3
        known.size = 100 + flags
        known.sent_at = ledger.now
        known.state = PACKET_OUT if flags & 3 else PACKET_NOT_KEPT
        if flags & 3:
            packet = sent_begin(&ledger.sent)
            if packet == NULL:
                return NO_MEMORY
            sent_commit(&ledger.sent, packet, known.size, ledger.now, flags & 3)
        elif sent_pass_over(&ledger.sent) < 0:
            return NO_MEMORY
        if flags & PACKET_IN_FLIGHT:
            ledger.in_flight += known.size
        ledger.next += 1
        count -= 1
    return OK


cdef int ledger_skip() noexcept nogil:
    cdef int64_t number = 0
    if ledger.next == MODEL_PACKETS:
        return OK
    if sent_skip(&ledger.sent) < 0:
        return NO_MEMORY
    ledger.packets[ledger.next].state = PACKET_SKIPPED
    ledger.next += 1
    ledger.skips += 1
    if ledger.skips > MAX_SKIPPED_NUMBERS:  # the oldest is forgotten
        while ledger.packets[number].state != PACKET_SKIPPED:
            number += 1
        ledger.packets[number].state = PACKET_NOT_KEPT
        ledger.skips -= 1
    return OK


cdef bint ledger_allows(const Range *ranges, uint32_t count) noexcept nogil:
    cdef uint32_t position
    cdef int64_t number
    for position in range(count):
        if ranges[position].stop > ledger.next:
            return False
        for number in range(ranges[position].start, ranges[position].stop):
            if ledger.packets[number].state == PACKET_SKIPPED:
                return False
    return True


cdef int ledger_acknowledge(const Range *ranges, uint32_t count) noexcept nogil:
    """Ranges newest first, none empty, as the parser gives them."""
    cdef uint32_t position
    cdef int64_t number
    cdef int status = sent_check_ack(&ledger.sent, ranges, count)
    if (status == OK) != ledger_allows(ranges, count):
        ledger.broken = b"an ACK is allowed by one and not by the other"
    if status != OK or ledger.broken != NULL:
        return OK
    ledger.noted = -1
    if sent_acknowledge(&ledger.sent, ranges, count, 0.001, ledger.now, ledger_note, NULL) < 0:
        return NO_MEMORY
    for position in range(count):
        for number in range(ranges[position].start, ranges[position].stop):
            if ledger.packets[number].state == PACKET_OUT:
                ledger.broken = b"a packet is acknowledged and still out"
    ledger.largest_acked = max(ledger.largest_acked, ranges[0].stop - 1)
    return OK


cdef int ledger_ack(const uint8_t *data, uint32_t count) noexcept nogil:
    """Ranges by bytes: how far below the last one, and how long."""
    cdef Range ranges[4]
    cdef uint32_t position
    cdef uint32_t used = 0
    cdef int64_t at = ledger.next + 2
    for position in range(count):
        at -= (data[2 * position] & 0x3F) + 1
        ranges[position].stop = at
        at -= (data[2 * position + 1] & 0x3F) + 1
        ranges[position].start = at
        if at < 0:
            break
        used += 1
    return ledger_acknowledge(ranges, used) if used else OK


cdef int ledger_frame(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    """An ACK frame as it would come in a packet."""
    cdef Parser parser
    cdef Frame frame
    parser.at = data
    parser.stop = data + size
    if size == 0 or parse_frame(&parser, &frame) < 0:
        return OK
    if frame.type != FRAME_ACK or parser.at < parser.stop:
        return OK
    return ledger_acknowledge(parser.ranges, frame.range_count)


cdef int ledger_lose() noexcept nogil:
    cdef int64_t number
    cdef ModelPacket *known
    cdef double loss_at = -1.0
    ledger.noted = -1
    if sent_detect_losses(&ledger.sent, ledger.loss_delay, ledger.now, ledger_note, NULL) < 0:
        return NO_MEMORY
    for number in range(ledger.largest_acked):
        known = ledger.packets + number
        if known.state == PACKET_OUT:
            loss_at = known.sent_at + ledger.loss_delay
            if loss_at <= ledger.now or number <= ledger.largest_acked - K_PACKET_THRESHOLD:
                ledger.broken = b"a packet is lost and still out"
            break
    if ledger.sent.loss_at != loss_at:
        ledger.broken = b"loss_at is not that of the first packet"
    return OK


cdef const char *ledger_check() noexcept nogil:
    """The figures, and the invariant of the ledger's memory."""
    cdef uint32_t place, found
    cdef uint32_t out = 0
    cdef int64_t number
    cdef SentChunk *chunk
    for number in range(ledger.next):
        out += ledger.packets[number].state == PACKET_OUT
    if ledger.sent.count != out or ledger.sent.bytes_in_flight != ledger.in_flight:
        return b"packets out or bytes in flight differ"
    if ledger.sent.next_number != ledger.next or ledger.sent.largest_acked != ledger.largest_acked:
        return b"next or largest acknowledged differ"
    if (ledger.sent.eliciting_in_flight > 0) and ledger.sent.last_eliciting_sent_at > ledger.now:
        return b"something was sent in the future"
    found = 0
    for place in range(ledger.sent.chunks.capacity):
        chunk = <SentChunk *>ledger.sent.chunks.entries[place].value
        if chunk == NULL:
            continue
        if chunk.outstanding == 0 and chunk != ledger.sent.newest:
            return b"a chunk without packets is kept"
        for number in range(LEDGER_CHUNK):
            found += chunk.outstanding >> number & 1
    if found != out:
        return b"the chunks hold others than are out"
    return NULL


cdef Py_ssize_t ledger_step(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    """One operation; the bytes that it took."""
    cdef uint8_t what = data[0] & 7
    cdef uint8_t amount = data[0] >> 3
    cdef Py_ssize_t taken = 1
    if what <= 1:
        taken = 2
        if size >= 2:
            ledger_add(amount + 1 if amount >= 28 else (amount & 3) + 1, data[1])
    elif what == 2:
        if amount < 2:
            ledger_skip()
        else:
            ledger.now += 0.004 * amount
    elif what <= 4:
        taken = 1 + 2 * ((amount & 3) + 1)
        if size >= taken:
            ledger_ack(data + 1, (amount & 3) + 1)
    elif what == 5:
        taken = min(size, 1 + amount)
        ledger_frame(data + 1, taken - 1)
    elif what == 6:
        ledger.loss_delay = 0.01 * (amount & 7)
        ledger_lose()
    else:
        if amount & 1:
            ledger.sent.summary.is_there = False
        sent_set_app_limited(&ledger.sent)
    return taken


cdef const char *target_ledger(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at = 0
    sent_init(&ledger.sent, 0)
    ledger.next = 0
    ledger.largest_acked = -1
    ledger.in_flight = 0
    ledger.skips = 0
    ledger.now = 1.0
    ledger.loss_delay = 0.01
    ledger.broken = NULL
    while at < size and ledger.broken == NULL:
        at += ledger_step(data + at, size - at)
    if ledger.broken == NULL:
        ledger.broken = ledger_check()
    sent_free(&ledger.sent)
    return ledger.broken
