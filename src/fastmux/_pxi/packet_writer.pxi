# Sending: packets are filled with what waits, sealed, and put side by side into a train.
# Owns: the order in which frames go and the layout of trains. May not know: how anything is received,
# clocks, windows.

# A train being written: [out, out + at).
cdef struct Train:
    uint8_t *out
    Py_ssize_t at
    Py_ssize_t room_size  # where the last packet may start
    Py_ssize_t segment_size
    int64_t allowance
    int64_t segments
    int64_t max_segments
    double now


cdef inline bint path_has_pending(Path *path) noexcept nogil:
    """True if `fill` with room would send something."""
    if not path.sealer.is_set:
        return False
    return (
        scheduler_choice(path) != 0
        or path.pending_count > 0
        or path.control_count > 0
        or path.ack_is_due_now
        or path.probes > 0
        or path.outgoing.items.count > 0
    )


cdef inline int64_t writer_remaining(Path *path) noexcept nogil:
    """Packets that may still go: under the key, and with a number (docs/wire-format.md §3.7)."""
    return min(cipher_remaining(&path.sealer), MAX_PACKET_NUMBER + 1 - path.sent.next_number)


cdef inline Py_ssize_t writer_header(Path *path, uint8_t *out) noexcept nogil:
    """The short header of the next packet: its size."""
    out[0] = FIXED_BIT | path.keys.send_phase
    memcpy(out + 1, path.remote_id, MAX_CONNECTION_ID_SIZE)  # of a fixed size: the rest is overwritten
    store_u32(out + 1 + path.remote_id_size, <uint32_t>path.sent.next_number)
    return 1 + path.remote_id_size + PACKET_NUMBER_SIZE


cdef inline void writer_assemble(Path *path, Packing *self, bint may_elicit, double now) noexcept nogil:
    """The frames of the next packet; an empty payload if nothing is to go."""
    cdef bint wants_data = may_elicit and path_has_pending(path)
    cdef uint8_t *after_ack
    cdef uint8_t *after_control
    if path.ack_due_at >= 0.0 and (wants_data or ack_is_due(path, now)):
        pack_ack(path, self, (self.stop - self.start) // 2, now)
    after_ack = self.at
    if wants_data:
        if path.control_count:
            pack_control(path, self)
        after_control = self.at
        if path.pending_count:
            pack_pending(path, self)
        if path.outgoing.items.count:
            pack_datagrams(path, self)
        pack_channels(path, self)
        if path.pending_count:  # a MESSAGE_FIN that is due just now
            pack_pending(path, self)
        if self.at > after_control:
            self.eliciting = True
        if path.probes and not self.eliciting and self.at < self.stop:
            self.at[0] = FRAME_PING
            self.at += 1
            self.eliciting = True
    if self.at == after_ack and not ack_is_due(path, now):
        self.at = self.start
    elif after_ack > self.start:
        ack_on_sent(path)
        path.counters.acks_sent += 1


cdef int writer_commit(
    Path *path, Packing *packing, uint8_t *out, Py_ssize_t size, double now, uint8_t flags
) noexcept nogil:
    """Seals the packet at `out`, `size` bytes with its tag, and files it in the ledger."""
    cdef Py_ssize_t header_size = packing.start - out
    cdef SentPacket *slot = packing.packet
    if not cipher_seal_parts(
        &path.sealer,
        path.sent.next_number,
        out,
        header_size,
        packing.start,
        size - header_size - TAG_SIZE,
        packing.source,
        packing.source_at,
    ):
        return NO_MEMORY
    path.counters.packets_sent += 1
    path.counters.bytes_sent += size
    if flags & (PACKET_ELICITING | PACKET_IN_FLIGHT):
        sent_commit(&path.sent, slot, <uint32_t>size, now, flags)
        return OK
    packet_drop_records(slot)
    return sent_pass_over(&path.sent)


cdef inline int writer_begin(Path *path, Packing *self, uint8_t *out, Py_ssize_t size) noexcept nogil:
    """A packet of at most `size` bytes at `out`."""
    self.packet = sent_begin(&path.sent)
    if self.packet == NULL:
        return NO_MEMORY
    self.start = out + writer_header(path, out)
    self.at = self.start
    self.stop = out + size - TAG_SIZE
    self.source = NULL
    self.source_at = NULL
    self.eliciting = False
    self.status = OK
    return OK


cdef int writer_packet(Path *path, Train *train) noexcept nogil:
    """Adds one packet to the train: 1 if another may follow, 0 if it was the last or there is none."""
    cdef Packing packing
    cdef uint8_t *out = train.out + train.at
    cdef bint is_probe = path.probes > 0
    cdef bint is_last, may_go_on
    cdef Py_ssize_t size
    if writer_begin(path, &packing, out, train.segment_size) < 0:
        return NO_MEMORY
    writer_assemble(path, &packing, is_probe or train.allowance >= train.segment_size, train.now)
    if packing.status < 0 or packing.at == packing.start:
        packet_drop_records(packing.packet)
        return packing.status
    path.probes -= is_probe and packing.eliciting
    size = packing.at - out + TAG_SIZE
    if packing.eliciting:
        is_last = train.at + train.segment_size > train.room_size or train.segments + 1 == train.max_segments
        may_go_on = path.probes > 0 or train.allowance >= 2 * train.segment_size
        if may_go_on and not is_last and path_has_pending(path):
            memset(packing.at, 0, train.segment_size - size)
            size = train.segment_size
        train.allowance -= size
    if writer_commit(
        path, &packing, out, size, train.now, PACKET_ELICITING | PACKET_IN_FLIGHT if packing.eliciting else 0
    ) < 0:
        return NO_MEMORY
    train.at += size
    train.segments += 1
    return size == train.segment_size and packing.eliciting


cdef int writer_fill(
    Path *path, Train *train, uint8_t *out, Py_ssize_t size,
    Py_ssize_t segment_size, int64_t size_limit, double now
) noexcept nogil:
    """Fills trains, one behind the other, at the front of `out`."""
    cdef int status = 1
    cdef int64_t remaining
    memset(train, 0, sizeof(Train))
    if not path.sealer.is_set:
        return OK
    remaining = writer_remaining(path)
    if remaining <= SEALS_KEPT:
        return fail(AEAD_LIMIT_REACHED, b"too many packets under one key")
    train.out = out
    train.room_size = size - segment_size
    train.max_segments = remaining - SEALS_KEPT
    train.segment_size = segment_size
    train.allowance = size_limit
    train.now = now
    scheduler_set_allowance(path, size_limit, segment_size)
    while train.at <= train.room_size and train.segments < train.max_segments and status == 1:
        status = writer_packet(path, train)
    if train.allowance >= segment_size and not path_has_pending(path):
        sent_set_app_limited(&path.sent)
    return min(status, 0)


# By pointer, like receive_train: the compiler would otherwise put the loop over packets into the method and
# have it share its registers with Python's arguments and errors.
ctypedef int (*FillTrains)(
    Path *path, Train *train, uint8_t *out, Py_ssize_t size,
    Py_ssize_t segment_size, int64_t size_limit, double now
) noexcept nogil
cdef FillTrains fill_trains = writer_fill


cdef Py_ssize_t writer_build(
    Path *path, uint8_t *out, Py_ssize_t room, const uint8_t *payload, Py_ssize_t payload_size,
    Py_ssize_t size, int64_t token, double now
) noexcept nogil:
    """One packet of the given frames, padded to `size` in all (0: not): its size, 0 without room."""
    cdef Packing packing
    cdef Py_ssize_t overhead = 1 + path.remote_id_size + PACKET_NUMBER_SIZE + TAG_SIZE
    cdef Py_ssize_t length = max(overhead + payload_size, size)
    if length == overhead or length > room:
        return 0
    if writer_remaining(path) <= 0:
        return fail(AEAD_LIMIT_REACHED, b"too many packets under one key")
    if writer_begin(path, &packing, out, length) < 0:
        return NO_MEMORY
    fm_copy(packing.at, payload, payload_size)
    memset(packing.at + payload_size, 0, length - overhead - payload_size)
    if token and not packing_record(&packing, RECORD_CONTROL, -1, token, 0):
        return NO_MEMORY
    if writer_commit(
        path, &packing, out, length, now, PACKET_ELICITING | PACKET_IN_FLIGHT | PACKET_PROBE if token else 0
    ) < 0:
        return NO_MEMORY
    return length
