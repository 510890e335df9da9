# Acknowledgement and loss (RFC 9002 §5, §6) over the ledger, and the summary of both.
# Owns: the two scans, the delivery rate. May not know: frames' meaning, windows.

cdef int sent_check_ack(Sent *self, const Range *acked, size_t count) noexcept nogil:
    """A FAULT for a number that was never sent or was skipped."""
    cdef size_t position
    for position in range(count):
        if acked[position].start < self.origin or acked[position].stop > self.next_number:
            return fail(PROTOCOL_VIOLATION, b"ACK of a packet never sent")
        if self.skipped.count and (
            ranges_missing_size(&self.skipped, acked[position].start, acked[position].stop)
            != acked[position].stop - acked[position].start
        ):
            return fail(PROTOCOL_VIOLATION, b"ACK of a skipped packet number")
    return OK


# What one ACK frame came to: the packet with the highest number newly acknowledged, and the highest in
# flight.
cdef struct AckNews:
    bint is_there
    bint eliciting
    int64_t number
    double sent_at
    bint has_newest
    SentPacket newest


cdef void sent_ack_run(
    Sent *self, int64_t start, int64_t stop, AckNews *news, PacketHandler handler, void *owner
) noexcept nogil:
    """Acknowledges the packets [start, stop), which are all outstanding."""
    cdef Summary *summary = sent_summary(self)
    cdef int64_t number
    cdef SentPacket *packet = NULL
    cdef SentPacket *newest = NULL
    for number in range(start, stop):
        if packet == NULL or number & (LEDGER_CHUNK - 1) == 0:
            packet = sent_at_number(self, number)
        else:
            packet += 1
        news.eliciting |= packet.flags & PACKET_ELICITING
        sent_leave_flight(self, packet)
        if packet.flags & PACKET_IN_FLIGHT:
            newest = packet
            self.delivered += packet.size
            if not packet.flags & PACKET_PROBE:
                summary.acked_size += packet.size
                summary.acked_packets += 1
                summary.max_acked_size = max(summary.max_acked_size, <int64_t>packet.size)
        handler(owner, number, packet)
        if packet.more != NULL:
            packet_drop_records(packet)
    news.is_there = True
    news.number = stop - 1
    news.sent_at = packet.sent_at
    if newest != NULL:
        news.has_newest = True
        news.newest = newest[0]
    sent_release(self, start, stop)


cdef void sent_sample_rate(Sent *self, SentPacket *newest, double now) noexcept nogil:
    """The delivery rate over the flight of the newest packet acknowledged (draft-ietf-ccwg-bbr §4.1)."""
    cdef double interval
    cdef Summary *summary = &self.summary
    self.delivered_at = now
    self.first_sent_at = newest.sent_at
    summary.has_sample = True
    summary.prior_delivered = newest.delivered
    summary.prior_lost = newest.lost
    summary.tx_in_flight = newest.tx_in_flight
    summary.is_app_limited = newest.flags & PACKET_APP_LIMITED != 0
    if self.app_limited and self.delivered > self.app_limited:
        self.app_limited = 0
    interval = max(newest.sent_at - newest.first_sent_at, now - newest.delivered_at)
    if interval > 0:
        summary.delivery_rate = <double>(self.delivered - newest.delivered) / interval


cdef int sent_ack_range(
    Sent *self, int64_t start, int64_t stop, AckNews *news, PacketHandler handler, void *owner
) noexcept nogil:
    """Acknowledges what is outstanding in [start, stop)."""
    cdef int64_t at = start
    cdef int64_t until
    cdef uint32_t place
    if ranges_room(&self.done) < 0:
        return NO_MEMORY
    place = ranges_find(&self.done, at + 1)
    while at < stop:
        until = stop
        if place < self.done.count and range_at(&self.done, place).start < stop:
            until = range_at(&self.done, place).start
        if at < until:
            sent_ack_run(self, at, until, news, handler, owner)
        if until == stop:
            break
        at = range_at(&self.done, place).stop
        place += 1
    ranges_add(&self.done, start, stop)
    return OK


cdef int sent_acknowledge(
    Sent *self, const Range *acked, size_t count, double ack_delay, double now,
    PacketHandler handler, void *owner
) noexcept nogil:
    """One checked ACK frame, its ranges newest first: O(ranges + newly acknowledged)."""
    cdef size_t position = count
    cdef int64_t largest = acked[0].stop - 1
    cdef int64_t start
    cdef AckNews news
    memset(&news, 0, sizeof(AckNews))
    while position > 0:
        position -= 1
        start = max(acked[position].start, self.first)
        if start < acked[position].stop and (
            sent_ack_range(self, start, acked[position].stop, &news, handler, owner) < 0
        ):
            return NO_MEMORY
    self.largest_acked = max(self.largest_acked, largest)
    if news.is_there:
        self.largest_acked_sent_at = max(self.largest_acked_sent_at, news.sent_at)
        if news.number == largest and news.eliciting:  # RFC 9002 §5.1
            self.summary.latest_rtt = now - news.sent_at
            self.summary.ack_delay = ack_delay
        if news.has_newest:
            sent_sample_rate(self, &news.newest, now)
    sent_advance(self)
    return OK


# The run of neighbours lost in one scan, for persistent congestion (RFC 9002 §7.6).
cdef struct LostRun:
    bint is_there
    uint32_t ordinal
    double eliciting_from


cdef void sent_check_excess(Sent *self, SentPacket *packet) noexcept nogil:
    """Where in the flight up to this lost packet losses passed the threshold, if they did.

    draft-ietf-ccwg-bbr §5.5.10.2, InflightAtLoss.
    """
    cdef Summary *summary = &self.summary
    cdef int64_t lost = self.lost - packet.lost
    cdef int64_t before
    cdef int64_t prefix
    if 100 * lost <= LOSS_THRESHOLD_PERCENT * packet.tx_in_flight:
        return
    before = packet.tx_in_flight - packet.size
    prefix = LOSS_THRESHOLD_PERCENT * before - 100 * (lost - packet.size)
    summary.has_excess = True
    summary.inflight_at_excess = <double>before + <double>prefix / <double>(100 - LOSS_THRESHOLD_PERCENT)
    summary.is_excess_app_limited = packet.flags & PACKET_APP_LIMITED != 0


cdef void sent_lose(
    Sent *self, int64_t number, LostRun *run, PacketHandler handler, void *owner
) noexcept nogil:
    cdef SentPacket *packet = sent_at_number(self, number)
    cdef Summary *summary = sent_summary(self)
    if not run.is_there or packet.ordinal != run.ordinal + 1:
        run.eliciting_from = -1.0
        summary.lost_runs += 1
    run.is_there = True
    run.ordinal = packet.ordinal
    if packet.flags & PACKET_ELICITING:
        if run.eliciting_from < 0.0:
            run.eliciting_from = packet.sent_at
        summary.lost_span = max(summary.lost_span, packet.sent_at - run.eliciting_from)
    self.largest_lost = max(self.largest_lost, number)
    sent_leave_flight(self, packet)
    if packet.flags & PACKET_IN_FLIGHT and not packet.flags & PACKET_PROBE:
        summary.lost_size += packet.size
        summary.lost_packets += 1
        summary.max_lost_size = max(summary.max_lost_size, <int64_t>packet.size)
        summary.largest_lost_sent_at = max(summary.largest_lost_sent_at, packet.sent_at)
        self.lost += packet.size
        if not summary.has_excess:
            sent_check_excess(self, packet)
    handler(owner, number, packet)
    packet_drop_records(packet)
    sent_release(self, number, number + 1)


cdef int sent_detect_losses(
    Sent *self, double loss_delay, double now, PacketHandler handler, void *owner
) noexcept nogil:
    """RFC 9002 §6.1: what is now lost goes to `handler`, ascending; `loss_at` is when the next would be."""
    cdef int64_t number = self.first
    cdef int64_t stop = min(self.largest_acked, self.next_number)
    cdef Range *done
    cdef SentPacket *packet
    cdef LostRun run
    memset(&run, 0, sizeof(LostRun))
    self.loss_at = -1.0
    while number < stop:
        if self.done.count and range_at(&self.done, 0).start <= number:
            done = range_at(&self.done, 0)  # the scan keeps all below `number` in the first range
            number = max(number, done.stop)
            if number >= stop:
                break
        packet = sent_at_number(self, number)
        if number > self.largest_acked - K_PACKET_THRESHOLD and packet.sent_at + loss_delay > now:
            self.loss_at = packet.sent_at + loss_delay
            break
        if ranges_room(&self.done) < 0:
            return NO_MEMORY
        sent_lose(self, number, &run, handler, owner)
        number += 1
        ranges_add(&self.done, number - 1, number)
    sent_advance(self)
    return OK


cdef object none_below_zero(double value):
    return None if value < 0.0 else value


cdef object sent_take_summary(Sent *self):
    """The AckSummary since the last call; None if nothing was newly acknowledged or lost."""
    cdef Summary *summary = &self.summary
    if not summary.is_there:
        return None
    summary.is_there = False
    return AckSummary(
        summary.acked_size,
        summary.acked_packets,
        summary.lost_size,
        summary.lost_packets,
        self.largest_acked,
        self.largest_acked_sent_at,
        none_below_zero(summary.largest_lost_sent_at),
        none_below_zero(summary.latest_rtt),
        summary.ack_delay,
        summary.lost_span,
        summary.prior_in_flight,
        self.bytes_in_flight,
        summary.max_acked_size,
        summary.max_lost_size,
        self.delivered,
        none_below_zero(summary.delivery_rate),
        bool(summary.is_app_limited),
        summary.prior_delivered,
        summary.tx_in_flight,
        self.lost - summary.prior_lost if summary.has_sample else 0,
        summary.lost_runs,
        summary.inflight_at_excess if summary.has_excess else None,
        bool(summary.is_excess_app_limited),
    )
