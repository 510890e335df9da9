# Rare frames: those that Python queues, and those of the peer that Python acts on; and DATAGRAM queues (RFC
# 9221).
# Owns: these queues and their limits. May not know: what the frames mean, who reads.

cdef int control_push(Path *path, int64_t token, void *frame) noexcept nogil:
    """An encoded frame (bytes, held here) to be sent once."""
    cdef uint32_t capacity
    cdef ControlFrame *grown
    if path.control_first + path.control_count == path.control_capacity:
        if path.control_first:
            grown = path.control + path.control_first
            memmove(path.control, grown, path.control_count * sizeof(ControlFrame))
            path.control_first = 0
        else:
            capacity = path.control_capacity * 2 if path.control_capacity else 4
            grown = <ControlFrame *>mem_resize(
                path.control, path.control_capacity * sizeof(ControlFrame), capacity * sizeof(ControlFrame)
            )
            if grown == NULL:
                return NO_MEMORY
            path.control = grown
            path.control_capacity = capacity
    hold(frame)
    path.control[path.control_first + path.control_count].token = token
    path.control[path.control_first + path.control_count].frame = frame
    path.control_count += 1
    path.control_size += fm_bytes_size(frame)
    return OK


cdef bint is_reported(uint32_t kind) noexcept nogil:
    """True for a frame of the peer that Python acts on (of MAX_CHANNELS, for one that is news)."""
    return (
        FRAME_NEW_ID <= kind <= FRAME_ACK_FREQUENCY
        or kind == FRAME_MAX_CHANNELS
        or kind == FRAME_HANDSHAKE_DONE
        or kind == FRAME_CONNECTION_CLOSE
        or kind == FRAME_APPLICATION_CLOSE
        or kind >= FRAME_EXTENSION_FIRST
    )


cdef int64_t report_charge(Frame *frame) noexcept nogil:
    """What a report is charged while it waits: an object, and what may be long in its frame."""
    cdef uint32_t kind = frame.type
    if kind == FRAME_CONNECTION_CLOSE or kind == FRAME_APPLICATION_CLOSE or kind >= FRAME_EXTENSION_FIRST:
        return REPORT_CHARGE + frame.size
    return REPORT_CHARGE


cdef void challenge_add(Path *path, void *frame) noexcept nogil:
    """A PATH_CHALLENGE, whose reference is taken over; the oldest goes if they are too many."""
    if path.challenge_count == MAX_PATH_CHALLENGES:
        let_go(path.challenges[0].frame)
        path.report_size -= REPORT_CHARGE
        path.challenge_count -= 1
        memmove(path.challenges, path.challenges + 1, path.challenge_count * sizeof(Challenge))
    hold_new(frame)
    path.challenges[path.challenge_count].position = path.report_count
    path.challenges[path.challenge_count].frame = frame
    path.challenge_count += 1
    path.report_size += REPORT_CHARGE


cdef int report_add(Path *path, int64_t kind, int64_t token, void *frame, int64_t charge) noexcept nogil:
    """Something for take_control, but a PATH_CHALLENGE. `frame` is taken over."""
    cdef uint32_t capacity
    cdef Report *grown
    if path.report_count == path.report_capacity:
        capacity = path.report_capacity * 2 if path.report_capacity else 4
        grown = <Report *>mem_resize(
            path.reports, path.report_capacity * sizeof(Report), capacity * sizeof(Report)
        )
        if grown == NULL:
            if frame != NULL:
                fm_decref(frame)
            return NO_MEMORY
        path.reports = grown
        path.report_capacity = capacity
    if frame != NULL:
        hold_new(frame)
    path.reports[path.report_count].kind = kind
    path.reports[path.report_count].token = token
    path.reports[path.report_count].frame = frame
    path.report_count += 1
    path.report_size += charge
    return OK


cdef int report_frame(Path *path, Frame *frame) noexcept nogil:
    """A frame of the peer as it came; objects are made when it is taken, so few of a packet are of use."""
    cdef void *copy = fm_bytes(frame.begin, frame.end - frame.begin)
    path.reported_frames += 1
    if path.reported_frames > MAX_REPORTED_FRAMES:
        path.was_useless = True
    if copy == NULL:
        fm_clear_error()
        return NO_MEMORY
    if frame.type == FRAME_PATH_CHALLENGE:
        challenge_add(path, copy)
        return OK
    return report_add(path, frame.type, 0, copy, report_charge(frame))


cdef object report_tuple(void *held):
    """A held frame as a tuple."""
    frame = hand_over(held)
    return tuples_of(<const uint8_t *>PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), 1)[0]


cdef list take_reports(Path *path):
    """The reports since the last call, as tuples."""
    cdef Report *reports = path.reports
    cdef uint32_t count = path.report_count
    cdef uint32_t capacity = path.report_capacity
    cdef Challenge challenges[MAX_PATH_CHALLENGES]
    cdef uint32_t challenge_count = path.challenge_count
    cdef uint32_t challenge = 0
    cdef uint32_t position
    memcpy(challenges, path.challenges, sizeof(challenges))
    path.reports = NULL
    path.report_count = 0
    path.report_capacity = 0
    path.report_size = 0
    path.challenge_count = 0
    taken = []
    for position in range(count + 1):
        while challenge < challenge_count and challenges[challenge].position == position:
            taken.append(report_tuple(challenges[challenge].frame))
            challenge += 1
        if position == count:
            break
        if reports[position].frame != NULL:
            taken.append(report_tuple(reports[position].frame))
        else:
            taken.append((reports[position].kind, reports[position].token))
    mem_free(reports, capacity * sizeof(Report))
    return taken


cdef void control_free(Path *path) noexcept nogil:
    cdef uint32_t position
    for position in range(path.control_count):
        let_go(path.control[path.control_first + position].frame)
    mem_free(path.control, path.control_capacity * sizeof(ControlFrame))
    for position in range(path.report_count):
        if path.reports[position].frame != NULL:
            let_go(path.reports[position].frame)
    mem_free(path.reports, path.report_capacity * sizeof(Report))
    for position in range(path.challenge_count):
        let_go(path.challenges[position].frame)


# --- datagrams -------------------------------------------------------------------------------------------

cdef int datagram_push(Path *path, DatagramQueue *self, void *data) noexcept nogil:
    """1, or 0 without room: dropped and counted. A taken datagram is held; the caller keeps its reference."""
    if self.items.count >= MAX_DATAGRAM_QUEUE or self.size + fm_bytes_size(data) > MAX_DATAGRAM_QUEUE_SIZE:
        path.counters.datagrams_dropped += 1
        return 0
    if fifo_push(&self.items, data) < 0:
        return NO_MEMORY
    hold(data)
    self.size += fm_bytes_size(data)
    return 1


cdef void *datagram_pop(DatagramQueue *self) noexcept nogil:
    """The oldest one, still held."""
    cdef void *data = fifo_pop(&self.items)
    self.size -= fm_bytes_size(data)
    return data


cdef int datagram_receive(Path *path, const uint8_t *data, int64_t size) noexcept nogil:
    cdef void *datagram
    cdef int status
    if path.incoming.items.count >= MAX_DATAGRAM_QUEUE or path.incoming.size + size > MAX_DATAGRAM_QUEUE_SIZE:
        path.counters.datagrams_dropped += 1
        return OK
    datagram = fm_bytes(data, size)
    if datagram == NULL:
        fm_clear_error()
        return NO_MEMORY
    status = datagram_push(path, &path.incoming, datagram)
    fm_decref(datagram)
    return min(status, 0)


cdef void datagrams_free(DatagramQueue *self) noexcept nogil:
    while self.items.count:
        let_go(datagram_pop(self))
    fifo_free(&self.items)
