# The first of two passes over a packet: every rule and every memory limit, before anything changes.
# Owns: the checks of frames against the state of channels and credit. May not know: how frames are applied.

cdef enum:
    INLINE_VIEWS = 32  # views and messages looked through one by one; more go into a map
    CHECK_OK = 0
    CHECK_NO_ROOM = 1  # within the rules, but this end has no room: the packet is dropped unacknowledged

# A channel's receiving direction as it will be after the frames checked so far. `highest` is what is charged,
# final_size the size or message count, -1 until it is known.
cdef struct View:
    int64_t channel_id
    Channel *channel
    int64_t limit
    int64_t window
    int64_t highest
    int64_t final_size
    int64_t next_unseen
    int64_t spans
    int64_t new_spans

# A message first seen or abandoned in this packet, or whose end is in it; `next` is another of the same id
# plus one, or 0.
cdef struct SeenMessage:
    uint32_t view
    uint32_t next
    int64_t id
    int64_t count
    int64_t last_size
    bint is_new
    bint is_over

cdef struct Checker:
    View *views
    uint32_t view_count
    uint32_t view_capacity
    SeenMessage *seen
    uint32_t seen_count
    uint32_t seen_capacity
    Map view_map
    Map seen_map
    int64_t charged
    int64_t stored
    int64_t new_spans  # of all views
    int64_t reported  # what the packet's rare frames will be charged

# One packet is checked at a time and no Python runs meanwhile.
cdef View inline_views[INLINE_VIEWS]
cdef SeenMessage inline_seen[INLINE_VIEWS]


cdef inline void checker_begin(Checker *self) noexcept nogil:
    memset(self, 0, sizeof(Checker))
    self.views = inline_views
    self.view_capacity = INLINE_VIEWS
    self.seen = inline_seen
    self.seen_capacity = INLINE_VIEWS


cdef inline void checker_end(Checker *self) noexcept nogil:
    if self.views != inline_views:
        mem_free(self.views, self.view_capacity * sizeof(View))
    if self.seen != inline_seen:
        mem_free(self.seen, self.seen_capacity * sizeof(SeenMessage))
    if self.view_map.count:
        map_free(&self.view_map)
    if self.seen_map.count:
        map_free(&self.seen_map)


cdef void *checker_grow(void *items, uint32_t count, size_t size, bint is_inline) noexcept nogil:
    """Twice the room for `count` items; NULL without memory."""
    cdef void *grown = mem_alloc(count * 2 * size)
    if grown != NULL:
        memcpy(grown, items, count * size)
        if not is_inline:
            mem_free(items, count * size)
    return grown


# --- views -------------------------------------------------------------------------------------------------

cdef View *checker_find_view(Checker *self, int64_t channel_id) noexcept nogil:
    cdef uint32_t position = self.view_count
    if position > INLINE_VIEWS:
        position = <uint32_t><size_t>map_get(&self.view_map, channel_id)
        return self.views + position - 1 if position else NULL
    while position > 0:
        position -= 1
        if self.views[position].channel_id == channel_id:
            return self.views + position
    return NULL


cdef int checker_index_view(Checker *self, uint32_t position) noexcept nogil:
    return map_put(&self.view_map, self.views[position].channel_id, <void *><size_t>(position + 1))


cdef View *checker_add_view(Checker *self, Path *path, int64_t channel_id, Channel *channel) noexcept nogil:
    """A new view of the channel as it is (NULL: as it would be made); NULL without memory."""
    cdef View *view
    cdef uint32_t position
    if self.view_count == self.view_capacity:
        view = <View *>checker_grow(self.views, self.view_count, sizeof(View), self.views == inline_views)
        if view == NULL:
            return NULL
        self.views = view
        self.view_capacity *= 2
    view = self.views + self.view_count
    memset(view, 0, sizeof(View))
    view.channel_id = channel_id
    view.channel = channel
    view.limit = path.max_channel_data
    view.window = path.max_channel_data
    view.final_size = -1
    if channel != NULL:
        view.limit = channel.limit
        view.window = channel.window
        if is_message_id(channel_id):
            view.highest = as_messages(channel).inbox.charged
            view.final_size = as_messages(channel).inbox.final_count
            view.next_unseen = as_messages(channel).inbox.next_unseen
            view.spans = inbox_spans(&as_messages(channel).inbox)
        else:
            view.highest = as_stream(channel).received.highest
            view.final_size = as_stream(channel).received.final_size
            view.spans = stream_in_spans(&as_stream(channel).received)
    self.view_count += 1
    if self.view_count == <uint32_t>INLINE_VIEWS + 1:
        for position in range(<uint32_t>INLINE_VIEWS):
            if checker_index_view(self, position) < 0:
                return NULL
    if self.view_count > INLINE_VIEWS and checker_index_view(self, self.view_count - 1) < 0:
        return NULL
    return view


cdef int checker_view(Checker *self, Path *path, Frame *frame, int kind, View **found) noexcept nogil:
    """The view of the frame's channel in `found`, NULL if frames for it are ignored."""
    cdef Channel *channel
    cdef int64_t channel_id = <int64_t>frame.channel_id
    cdef int status
    found[0] = NULL
    if is_message_id(channel_id) != kind:
        if kind == KIND_STREAM:
            return fail(CHANNEL_STATE_ERROR, b"stream frame on a message channel")
        return fail(CHANNEL_STATE_ERROR, b"message frame on a stream")
    status = table_find(path, channel_id, &channel)
    if status < 0 or status == FOUND_RELEASED:
        return min(status, 0)
    found[0] = checker_find_view(self, channel_id)
    if found[0] == NULL:
        found[0] = checker_add_view(self, path, channel_id, channel)
        if found[0] == NULL:
            return NO_MEMORY
    if kind == KIND_MESSAGE and channel != NULL and channel.reset_code >= 0:
        found[0] = NULL
    return OK


# --- credit ------------------------------------------------------------------------------------------------

cdef inline int checker_charge(Checker *self, Path *path, int64_t amount) noexcept nogil:
    """The connection's limit; where there may be messages, it may be passed by the largest one."""
    cdef int64_t total
    self.charged += amount
    total = path.charged + self.charged
    if total > path.limit and amount:
        if total > path.limit + (path.max_message_charge if path.local_limits[KIND_MESSAGE] else 0):
            return fail(FLOW_CONTROL_ERROR, b"data above the connection's limit")
    return OK


cdef int checker_end_stream(Checker *self, Path *path, View *view, int64_t stop, bint fin) noexcept nogil:
    cdef int64_t advance = stop - view.highest
    if check_final_size(view.highest, view.final_size, stop, fin) < 0:
        return FAULT
    if fin:
        view.final_size = stop
    if advance > 0:
        if stop > view.limit:
            return fail(FLOW_CONTROL_ERROR, b"stream data above the channel's limit")
        view.highest = stop
        return checker_charge(self, path, advance)
    return OK


cdef int checker_charge_messages(Checker *self, Path *path, View *view, int64_t charge) noexcept nogil:
    """Messages may pass a limit by the largest one (docs/wire-format.md §10)."""
    view.highest += charge
    if charge and view.highest > view.limit + path.max_message_charge:
        return fail(FLOW_CONTROL_ERROR, b"messages above the channel's limit")
    return checker_charge(self, path, charge)


cdef int checker_end_messages(View *view, int64_t count) noexcept nogil:
    if view.final_size >= 0 and view.final_size != count:
        return fail(FINAL_SIZE_ERROR, b"message count changed")
    if count < view.next_unseen:
        return fail(FINAL_SIZE_ERROR, b"message count below the messages received")
    view.final_size = count
    return OK


# --- frames ------------------------------------------------------------------------------------------------

cdef inline int checker_add_span(Checker *self, View *view) noexcept nogil:
    """One run more: CHECK_NO_ROOM above the channel's limit, where nothing else in the packet matters."""
    view.new_spans += 1
    self.new_spans += 1
    if view.spans + view.new_spans > MIN_RECEIVED_SPANS:
        if view.spans + view.new_spans > view.window // RECEIVED_SPAN_DIVISOR:
            return CHECK_NO_ROOM
    return CHECK_OK


cdef int check_stream(Checker *self, Path *path, Frame *frame) noexcept nogil:
    cdef View *view
    cdef int64_t start = <int64_t>frame.a
    cdef int status = checker_view(self, path, frame, KIND_STREAM, &view)
    if status < 0 or view == NULL:
        return status
    if checker_end_stream(self, path, view, start + frame.size, frame.fin) < 0:
        return FAULT
    self.stored += frame.size
    if frame.size and (
        view.channel == NULL
        or not stream_in_touches(&as_stream(view.channel).received, start, start + frame.size)
    ):
        return checker_add_span(self, view)
    return OK


cdef SeenMessage *checker_find_seen(Checker *self, uint32_t view, int64_t message_id) noexcept nogil:
    cdef uint32_t position = self.seen_count
    if position > INLINE_VIEWS:
        position = <uint32_t><size_t>map_get(&self.seen_map, message_id)
        while position and self.seen[position - 1].view != view:
            position = self.seen[position - 1].next
        return self.seen + position - 1 if position else NULL
    while position > 0:
        position -= 1
        if self.seen[position].id == message_id and self.seen[position].view == view:
            return self.seen + position
    return NULL


cdef int checker_index_seen(Checker *self, uint32_t position) noexcept nogil:
    """Makes the entry the first of its id."""
    self.seen[position].next = <uint32_t><size_t>map_pop(&self.seen_map, self.seen[position].id)
    return map_put(&self.seen_map, self.seen[position].id, <void *><size_t>(position + 1))


cdef SeenMessage *checker_seen(Checker *self, uint32_t view, int64_t message_id, bint maybe) noexcept nogil:
    """The entry of that message, made if it is not there (`maybe` off: it is not); NULL without memory."""
    cdef SeenMessage *found = checker_find_seen(self, view, message_id) if maybe else NULL
    cdef uint32_t position
    if found != NULL:
        return found
    if self.seen_count == self.seen_capacity:
        found = <SeenMessage *>checker_grow(
            self.seen, self.seen_count, sizeof(SeenMessage), self.seen == inline_seen
        )
        if found == NULL:
            return NULL
        self.seen = found
        self.seen_capacity *= 2
    found = self.seen + self.seen_count
    memset(found, 0, sizeof(SeenMessage))
    found.view = view
    found.id = message_id
    found.last_size = -1
    self.seen_count += 1
    if self.seen_count == <uint32_t>INLINE_VIEWS + 1:
        for position in range(<uint32_t>INLINE_VIEWS):
            if checker_index_seen(self, position) < 0:
                return NULL
    if self.seen_count > INLINE_VIEWS and checker_index_seen(self, self.seen_count - 1) < 0:
        return NULL
    return found


cdef int checker_see(
    Checker *self, Path *path, View *view, int64_t message_id, int64_t count, SeenMessage **seen
) noexcept nogil:
    """Charges a message never seen: 1 with its entry, 0 if it is done."""
    cdef int64_t known = 0
    cdef bint maybe = message_id < view.next_unseen
    seen[0] = NULL
    if maybe and view.channel != NULL:
        known = inbox_count_of(&as_messages(view.channel).inbox, message_id)
    if known < 0:
        return 0
    seen[0] = checker_seen(self, <uint32_t>(view - self.views), message_id, maybe)
    if seen[0] == NULL:
        return NO_MEMORY
    if seen[0].is_over:
        return 0
    if known == 0:
        known = seen[0].count
    if known:
        return 1 if known == count else fail(PROTOCOL_VIOLATION, b"fragment count changed")
    if view.final_size >= 0 and message_id >= view.final_size:
        return fail(FINAL_SIZE_ERROR, b"message beyond the last one")
    seen[0].is_new = True
    seen[0].count = count
    view.next_unseen = max(view.next_unseen, message_id + 1)
    return 1 if checker_charge_messages(self, path, view, count * FRAGMENT_UNIT) == OK else FAULT


cdef bint checker_is_next(Checker *self, View *view, int64_t message_id) noexcept nogil:
    """True if a message that is over with this packet makes no new run of done ids."""
    cdef SeenMessage *before
    if self.seen_count > 1:
        before = checker_find_seen(self, <uint32_t>(view - self.views), message_id - 1)
        if before != NULL and before.is_new:
            return True
    if view.channel == NULL:
        return False
    return ranges_touch(&as_messages(view.channel).inbox.done, message_id, message_id + 1)


cdef int check_message(Checker *self, Path *path, Frame *frame) noexcept nogil:
    cdef View *view
    cdef SeenMessage *seen
    cdef Assembly *known = NULL
    cdef int64_t message_id = <int64_t>frame.a
    cdef int64_t first = <int64_t>frame.b
    cdef int64_t count = <int64_t>frame.c
    cdef int64_t stop, last_size
    cdef int status = checker_view(self, path, frame, KIND_MESSAGE, &view)
    if status < 0:
        return status
    if count > path.max_message_charge // FRAGMENT_UNIT and count > 1:
        return fail(PROTOCOL_VIOLATION, b"message larger than announced")
    stop = run_stop(first, frame.size, count)
    if stop < 0:
        return FAULT
    if view == NULL:
        return OK
    status = checker_see(self, path, view, message_id, count, &seen)
    if status <= 0:
        return status
    if view.channel != NULL:
        known = <Assembly *>map_get(&as_messages(view.channel).inbox.partial, message_id)
    if known != NULL and assembly_check(known, first, frame.size) < 0:
        return FAULT
    if stop == count:
        last_size = frame.size - (count - 1 - first) * FRAGMENT_UNIT
        if seen.last_size >= 0 and seen.last_size != last_size:
            return fail(FINAL_SIZE_ERROR, b"message size changed")
        seen.last_size = last_size
    self.stored += frame.size
    if known != NULL:
        return OK if ranges_touch(&known.units, first, stop) else checker_add_span(self, view)
    if first > 0 or stop < count or not checker_is_next(self, view, message_id):
        return checker_add_span(self, view)
    return OK


cdef int check_abandon(Checker *self, Path *path, Frame *frame) noexcept nogil:
    cdef View *view
    cdef SeenMessage *seen
    cdef const uint8_t *at = frame.data
    cdef const uint8_t *stop = frame.data + frame.size
    cdef uint64_t message_id = 0
    cdef uint64_t count = 0
    cdef int status = checker_view(self, path, frame, KIND_MESSAGE, &view)
    if status < 0:
        return status
    while at < stop:
        at = get_varint(at, stop, &message_id)
        at = get_varint(at, stop, &count)
        if count == 0 or (<int64_t>count > path.max_message_charge // FRAGMENT_UNIT and count > 1):
            return fail(PROTOCOL_VIOLATION, b"message larger than announced")
        if view == NULL:
            continue
        status = checker_see(self, path, view, <int64_t>message_id, <int64_t>count, &seen)
        if status < 0:
            return status
        if status == 1:
            seen.is_over = True
            if not checker_is_next(self, view, <int64_t>message_id):
                if checker_add_span(self, view) == CHECK_NO_ROOM:
                    return CHECK_NO_ROOM
    return OK


cdef int check_reset(Checker *self, Path *path, Frame *frame) noexcept nogil:
    cdef View *view
    cdef int64_t final_size = <int64_t>frame.b
    cdef int64_t charged = <int64_t>frame.c
    cdef int kind = is_message_id(<int64_t>frame.channel_id)
    cdef int status = checker_view(self, path, frame, kind, &view)
    if status < 0:
        return status
    if kind == KIND_STREAM:
        if charged != final_size:
            return fail(FINAL_SIZE_ERROR, b"RESET of a stream charges its final size")
        return OK if view == NULL else checker_end_stream(self, path, view, final_size, True)
    if view == NULL:
        return OK
    if checker_end_messages(view, final_size) < 0:
        return FAULT
    if charged < view.highest or charged % FRAGMENT_UNIT or charged // FRAGMENT_UNIT < final_size:
        return fail(FINAL_SIZE_ERROR, b"RESET charges less than was received")
    return checker_charge_messages(self, path, view, charged - view.highest)
