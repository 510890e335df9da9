# SentPackets: the ledger as Python sees it, for tests and for the handshake space.
# Owns: the class. May not know: frames, windows.

cdef void note_number(void *owner, int64_t number, SentPacket *packet) noexcept nogil:
    """Collects numbers in a Ranges that has room for one more run a call."""
    ranges_add(<Ranges *>owner, number, number + 1)


cdef list numbers_of(Ranges *ranges):
    cdef uint32_t position
    numbers = []
    for position in range(ranges.count):
        numbers.extend(range(range_at(ranges, position).start, range_at(ranges, position).stop))
    return numbers


@final
cdef class SentPackets:
    """The ledger of one packet-number space.

    A packet that is neither ack-eliciting nor in flight (a bare ACK) takes a number and is not kept: nobody
    must acknowledge it, so a ledger of such packets could grow for ever.
    """

    cdef Sent sent

    def __cinit__(self):
        sent_init(&self.sent, 0)

    def __dealloc__(self):
        sent_free(&self.sent)

    def __reduce__(self):
        raise TypeError("cannot pickle or copy SentPackets")

    def add(self, size, now, bint ack_eliciting=True, bint in_flight=True):
        """Gives the next number to a packet of `size` bytes sent at `now`, and returns it."""
        cdef uint32_t length = <uint32_t>as_integer(size, 0, 0xFFFFFFFF)
        cdef double at = as_seconds("now", now)
        cdef SentPacket *packet
        if not ack_eliciting and not in_flight:
            if sent_pass_over(&self.sent) < 0:
                raise MemoryError
            return self.sent.next_number - 1
        packet = sent_begin(&self.sent)
        if packet == NULL:
            raise MemoryError
        sent_commit(
            &self.sent,
            packet,
            length,
            at,
            (PACKET_ELICITING if ack_eliciting else 0) | (PACKET_IN_FLIGHT if in_flight else 0),
        )
        return self.sent.next_number - 1

    def skip(self):
        """Leaves a number out and returns it: who acknowledges it has not seen what it acknowledges."""
        if sent_skip(&self.sent) < 0:
            raise MemoryError
        return self.sent.next_number - 1

    def acknowledge(self, ranges, ack_delay, now):
        """The newly acknowledged numbers, ascending; O(ranges + newly acknowledged).

        ProtocolError(PROTOCOL_VIOLATION) for a number never sent or skipped; nothing changes then.
        """
        cdef double delay = as_seconds("ack_delay", ack_delay)
        cdef double at = as_seconds("now", now)
        cdef Ranges acked
        cdef Ranges newly
        cdef int status
        memset(&acked, 0, sizeof(Ranges))
        memset(&newly, 0, sizeof(Ranges))
        if not ranges:
            raise ValueError("no ranges")
        try:
            pairs = [(index(start), index(stop)) for start, stop in ranges]
            for start, stop in sorted(pairs, reverse=True):
                if not 0 <= start < stop:
                    raise ValueError("an empty range")
                if stop > self.sent.next_number:
                    fail(PROTOCOL_VIOLATION, b"ACK of a packet never sent")
                    raise_status(FAULT)
                if ranges_insert_at(&acked, acked.count, start, stop) < 0:
                    raise MemoryError
            status = sent_check_ack(&self.sent, acked.items, acked.count)
            if status == OK:
                status = sent_acknowledge(
                    &self.sent, acked.items, acked.count, delay, at, note_number, &newly
                )
            if status < 0:
                raise_status(status)
            return numbers_of(&newly)
        finally:
            ranges_free(&acked)
            ranges_free(&newly)

    def detect_losses(self, loss_delay, now):
        """The numbers now lost, ascending (RFC 9002 §6.1); sets `loss_at` for the next one."""
        cdef double delay = as_seconds("loss_delay", loss_delay)
        cdef double at = as_seconds("now", now)
        cdef Ranges lost
        cdef int status
        memset(&lost, 0, sizeof(Ranges))
        status = sent_detect_losses(&self.sent, delay, at, note_number, &lost)
        numbers = numbers_of(&lost)
        ranges_free(&lost)
        if status < 0:
            raise_status(status)
        return numbers

    def take_summary(self):
        """What was newly acknowledged or lost since the last call; None if nothing was."""
        return sent_take_summary(&self.sent)

    def set_app_limited(self):
        """The application has nothing to send: samples until all in flight is delivered are low for it."""
        sent_set_app_limited(&self.sent)

    @property
    def next_packet_number(self):
        """The number that the next packet gets."""
        return self.sent.next_number

    @property
    def largest_acked(self):
        """The largest number acknowledged, -1 before any."""
        return self.sent.largest_acked

    @property
    def largest_lost(self):
        """The largest number declared lost, -1 before any."""
        return self.sent.largest_lost

    @property
    def bytes_in_flight(self):
        """Bytes of the packets in flight."""
        return self.sent.bytes_in_flight

    @property
    def loss_at(self):
        """When the next packet is lost by time, as of the last `detect_losses`."""
        return none_below_zero(self.sent.loss_at)

    @property
    def last_eliciting_sent_at(self):
        """When the newest ack-eliciting packet was sent; None with none in flight (RFC 9002 A.3)."""
        return self.sent.last_eliciting_sent_at if self.sent.eliciting_in_flight else None

    def __len__(self):
        return self.sent.count
