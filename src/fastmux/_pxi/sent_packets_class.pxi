# Acknowledgement and loss (RFC 9002 §5, §6) over the ledger, and the SentPackets class.
# Owns: the two scans and the summary of both. May not know: frames' meaning, windows.

cdef int sent_check_ack(Sent *self, const Range *acked, size_t count) noexcept nogil:
    """A FAULT for a number that was never sent or was skipped."""
    cdef size_t position
    for position in range(count):
        if acked[position].stop > self.next_number:
            return fail(PROTOCOL_VIOLATION, b"ACK of a packet that was never sent")
        if self.skipped.count and (
            ranges_missing_size(&self.skipped, acked[position].start, acked[position].stop)
            != acked[position].stop - acked[position].start
        ):
            return fail(PROTOCOL_VIOLATION, b"ACK of a packet number that was skipped")
    return OK


cdef bint sent_ack_run(
    Sent *self, int64_t start, int64_t stop, double now, PacketHandler handler, void *owner
) noexcept nogil:
    """Acknowledges packets that are all outstanding; True if one of them was ack-eliciting."""
    cdef int64_t number
    cdef SentPacket *packet
    cdef bint eliciting = False
    for number in range(start, stop):
        packet = sent_at_number(self, number)
        if packet.flags & PACKET_ELICITING:
            eliciting = True
        sent_on_acked(self, packet, now)
        handler(owner, number, packet)
        packet.state = PACKET_NONE
        if packet.more != NULL:
            packet_drop_records(packet)
    return eliciting


cdef int sent_acknowledge(
    Sent *self, const Range *acked, size_t count, double ack_delay, double now, PacketHandler handler, void *owner
) noexcept nogil:
    """One checked ACK frame, ranges newest first: O(ranges + newly acknowledged)."""
    cdef size_t position
    cdef uint32_t place
    cdef int64_t start, stop, until
    cdef int64_t largest = acked[0].stop - 1
    cdef double largest_sent_at = -1.0
    cdef bint eliciting = False
    cdef Summary *summary
    if largest >= self.first and not ranges_contain(&self.done, largest):
        largest_sent_at = sent_at_number(self, largest).sent_at
    for position in range(count):
        start = max(acked[position].start, self.first)
        stop = acked[position].stop
        if start >= stop:
            break
        if ranges_room(&self.done) < 0:
            return NO_MEMORY
        place = ranges_find(&self.done, start + 1)
        while start < stop:
            until = stop
            if place < self.done.count and range_at(&self.done, place).start < stop:
                until = range_at(&self.done, place).start
            if start < until:
                eliciting |= sent_ack_run(self, start, until, now, handler, owner)
            if until == stop:
                break
            start = range_at(&self.done, place).stop
            place += 1
        ranges_add(&self.done, max(acked[position].start, self.first), stop)
    if largest > self.largest_acked:
        self.largest_acked = largest
        if largest_sent_at >= 0.0:
            self.largest_acked_sent_at = largest_sent_at
    if largest_sent_at >= 0.0 and eliciting:
        summary = sent_summary(self)
        summary.latest_rtt = now - largest_sent_at
        summary.ack_delay = ack_delay
    if self.app_limited and self.delivered > self.app_limited:
        self.app_limited = 0
    sent_advance(self)
    return OK


cdef void sent_lose(Sent *self, int64_t number, PacketHandler handler, void *owner) noexcept nogil:
    cdef SentPacket *packet = sent_at_number(self, number)
    cdef Summary *summary = sent_summary(self)
    sent_leave_flight(self, packet)
    if packet.flags & PACKET_IN_FLIGHT and not packet.flags & PACKET_PROBE:
        summary.lost_size += packet.size
        summary.lost_packets += 1
        summary.max_lost_size = max(summary.max_lost_size, <int64_t>packet.size)
        summary.largest_lost_sent_at = max(summary.largest_lost_sent_at, packet.sent_at)
    handler(owner, number, packet)
    packet.state = PACKET_NONE
    packet_drop_records(packet)


cdef int sent_detect_losses(
    Sent *self, double loss_delay, double now, PacketHandler handler, void *owner
) noexcept nogil:
    """RFC 9002 §6.1: what is now lost goes to `handler`, ascending; `loss_at` is when the next would be."""
    cdef int64_t number = self.first
    cdef int64_t lost_from = -1
    cdef uint32_t place = 0
    cdef double span_from = -1.0
    cdef SentPacket *packet
    cdef Summary *summary
    self.loss_at = -1.0
    while number < self.largest_acked and number < self.next_number:
        if place < self.done.count and range_at(&self.done, place).start <= number:
            if lost_from >= 0:
                if ranges_add(&self.done, lost_from, number) < 0:
                    return NO_MEMORY
                place = ranges_find(&self.done, number)
                lost_from = -1
                span_from = -1.0
            number = range_at(&self.done, place).stop
            place += 1
            continue
        packet = sent_at_number(self, number)
        if number > self.largest_acked - K_PACKET_THRESHOLD and packet.sent_at > now - loss_delay:
            self.loss_at = packet.sent_at + loss_delay
            break
        if lost_from < 0:
            if ranges_room(&self.done) < 0:
                return NO_MEMORY
            lost_from = number
        if packet.flags & PACKET_ELICITING:
            if span_from < 0.0:
                span_from = packet.sent_at
            summary = sent_summary(self)
            summary.lost_span = max(summary.lost_span, packet.sent_at - span_from)
        sent_lose(self, number, handler, owner)
        number += 1
    if lost_from >= 0 and ranges_add(&self.done, lost_from, number) < 0:
        return NO_MEMORY
    sent_advance(self)
    return OK
