# Key update by a phase bit (docs/wire-format.md §5.4, RFC 9001 §6): which keys seal and open what.
# Owns: the keys before and after the present ones, and where a phase began. May not know: how keys are
# derived, when an update is wanted, clocks.

cdef void key_update_restart(Path *path) noexcept nogil:
    """Phase 0 of both directions, after the first keys were set."""
    cdef KeyUpdate *self = &path.keys
    cipher_free(&self.next_sealer)
    cipher_free(&self.next_opener)
    cipher_free(&self.old_opener)
    self.old_largest = -1
    self.send_phase = 0
    self.receive_phase = 0
    self.send_first = path.sent.next_number
    self.receive_first = 0
    self.watch_below = 0


cdef void key_update_free(Path *path) noexcept nogil:
    cipher_free(&path.keys.next_sealer)
    cipher_free(&path.keys.next_opener)
    cipher_free(&path.keys.old_opener)


# --- what Python does ------------------------------------------------------------------------------------

cdef int key_update_suite(Path *path) except -1:
    """The suite that the next keys must have; ValueError if none can be set now."""
    if not path.sealer.is_set:
        raise ValueError("no keys are set")
    if path.sealer.suite == SUITE_NULL:
        raise ValueError("the null suite has no key update")
    if path.keys.next_sealer.is_set or path.keys.next_opener.is_set:
        raise ValueError("the next keys are set already")
    return path.sealer.suite


cdef bint key_update_begin(Path *path) noexcept nogil:
    """Seals with the next keys from now on; False if the last update is not through (RFC 9001 §6.1)."""
    cdef KeyUpdate *self = &path.keys
    if not self.next_sealer.is_set or path.sent.largest_acked < self.send_first:
        return False
    if not cipher_wake(&self.next_sealer, False):
        return False
    key_update_sealer(path)
    return True


# --- what packets do -------------------------------------------------------------------------------------

cdef void key_update_watch(Path *path) noexcept nogil:
    """Until the peer has answered every packet may acknowledge too much, afterwards only older ones."""
    cdef KeyUpdate *self = &path.keys
    self.watch_below = (
        self.receive_first if self.send_phase == self.receive_phase else MAX_PACKET_NUMBER + 1
    )


cdef void key_update_sealer(Path *path) noexcept nogil:
    cdef KeyUpdate *self = &path.keys
    cipher_free(&path.sealer)
    path.sealer = self.next_sealer
    memset(&self.next_sealer, 0, sizeof(Cipher))
    self.send_phase ^= KEY_PHASE_BIT
    self.send_first = path.sent.next_number
    key_update_watch(path)


cdef int key_update_opener(Path *path, int64_t number) noexcept nogil:
    """The peer uses its next keys: so do we from our next packet on, if we do not yet."""
    cdef KeyUpdate *self = &path.keys
    cdef bint is_answer = self.send_phase != self.receive_phase
    if number <= path.received.largest:
        return fail(KEY_UPDATE_ERROR, b"older keys for a higher packet number")
    if not is_answer and path.counters.key_updates and path.sent.next_number == self.send_first:
        return fail(KEY_UPDATE_ERROR, b"a key update before the last one was acknowledged")
    if not cipher_wake(&self.next_sealer, False):
        return NO_MEMORY
    if report_add(path, CONTROL_KEYS_UPDATED, 0, NULL, REPORT_CHARGE) < 0:
        return NO_MEMORY
    cipher_free(&self.old_opener)
    self.old_opener = path.opener
    path.opener = self.next_opener
    memset(&self.next_opener, 0, sizeof(Cipher))
    self.old_largest = path.received.largest
    self.receive_phase ^= KEY_PHASE_BIT
    self.receive_first = number
    path.counters.key_updates += 1
    if is_answer:
        key_update_watch(path)
    else:
        key_update_sealer(path)
    return OK


cdef int key_update_open(
    Path *path, int64_t number, const uint8_t *header, Py_ssize_t header_size,
    const uint8_t *text, Py_ssize_t size, uint8_t *out
) noexcept nogil:
    """A packet whose phase bit differs, older or newer by its number: 1 if it opens, else 0 or a status."""
    cdef KeyUpdate *self = &path.keys
    cdef int status
    if (
        number >= self.receive_first
        and self.next_opener.is_set
        and cipher_wake(&self.next_opener, True)
        and cipher_open(&self.next_opener, number, header, header_size, text, size, out)
    ):
        status = key_update_opener(path, number)
        return status if status < 0 else 1
    if not self.old_opener.is_set or not cipher_open(
        &self.old_opener, number, header, header_size, text, size, out
    ):
        return 0
    if number >= self.receive_first:
        return fail(KEY_UPDATE_ERROR, b"older keys for a higher packet number")
    return 1


cdef int key_update_check_acks(Path *path, PacketFrames *frames) noexcept nogil:
    """Who acknowledges a packet under new keys has to use them (RFC 9001 §6.2)."""
    cdef Frame *frame
    frames_rewind(frames)
    frame = frames_next(frames)
    while frame != NULL:
        if (
            frame.type == FRAME_ACK or frame.type == FRAME_ACK_ECN
        ) and frames.parser.ranges[0].stop > path.keys.send_first:
            return fail(KEY_UPDATE_ERROR, b"newer keys acknowledged under older ones")
        frame = frames_next(frames)
    return OK


cdef int key_update_check(Path *path, int64_t number, int phase, PacketFrames *frames) noexcept nogil:
    """A packet below `watch_below`, open and checked otherwise: a fault if its keys are too old."""
    cdef KeyUpdate *self = &path.keys
    if phase != self.receive_phase:
        self.old_largest = max(self.old_largest, number)
    elif number < self.receive_first:
        if number <= self.old_largest:
            return fail(KEY_UPDATE_ERROR, b"older keys for a higher packet number")
        self.receive_first = number
        key_update_watch(path)
    if phase != self.receive_phase or self.send_phase != self.receive_phase:
        return key_update_check_acks(path, frames)
    return OK
