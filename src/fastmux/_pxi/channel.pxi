# The state of one channel, both directions: how a direction opens, finishes, is reset or stopped, its limits,
# and when the channel is over.
# Owns: those moves. May not know: packets, frames, the order of the rings.

cdef inline int64_t channel_unsent(Channel *channel) noexcept nogil:
    """Bytes (of messages: 128 times the units) never sent yet."""
    if is_message_id(channel.id):
        return as_messages(channel).sending.unsent_size
    return as_stream(channel).sending.written - as_stream(channel).sending.next


cdef inline bint channel_needs_no_credit(Channel *channel) noexcept nogil:
    """True if something may go without connection credit: lost data, a bare FIN, a started message."""
    if is_message_id(channel.id):
        return queue_has_started(&as_messages(channel).sending)
    return stream_out_is_free(&as_stream(channel).sending)


cdef inline bint channel_has_new(Channel *channel) noexcept nogil:
    """True if something new may go as far as this channel's limit is concerned."""
    cdef MessageQueue *queue
    cdef StreamOut *stream
    if is_message_id(channel.id):
        queue = &as_messages(channel).sending
        return queue.waiting_first != NULL and queue.charged < channel.peer_limit
    stream = &as_stream(channel).sending
    return stream.next < stream.written and stream.next < channel.peer_limit


cdef bint channel_is_acknowledged(Channel *channel) noexcept nogil:
    """True if everything written, and the end if finish was called, is acknowledged."""
    cdef MessageQueue *queue
    cdef StreamOut *stream
    if is_message_id(channel.id):
        queue = &as_messages(channel).sending
        return queue_is_acknowledged(queue) and (not channel.is_finishing or queue.fin_acked)
    stream = &as_stream(channel).sending
    return stream.base == stream.written and (not channel.is_finishing or stream.fin_acked)


cdef inline void channel_note_busy(Path *path, Channel *channel) noexcept nogil:
    """Counts the channel while anything that it sent, or its OPEN or RESET, waits to be acknowledged."""
    cdef bint is_over
    if channel.is_reset:
        is_over = channel.is_reset_acked
    else:
        is_over = channel_is_acknowledged(channel)
    path.busy_count -= channel.is_busy
    channel.is_busy = not (is_over and channel.is_open_acked)
    path.busy_count += channel.is_busy


cdef inline bint channel_is_receive_over(Channel *channel) noexcept nogil:
    """True if everything up to the end was taken, discarded or reset."""
    if is_message_id(channel.id):
        return inbox_is_finished(&as_messages(channel).inbox)
    return stream_in_is_finished(&as_stream(channel).received)


cdef inline bint channel_is_readable(Channel *channel) noexcept nogil:
    """True if bytes, a message or the end can be taken."""
    if is_message_id(channel.id):
        return as_messages(channel).inbox.ready.count > 0 or inbox_is_finished(&as_messages(channel).inbox)
    cdef StreamIn *stream = &as_stream(channel).received
    return stream_in_readable(stream) > 0 or stream_in_is_finished(stream)


cdef inline bint channel_is_size_known(Channel *channel) noexcept nogil:
    """True if the peer needs no more credit: its end is known."""
    if is_message_id(channel.id):
        return as_messages(channel).inbox.final_count >= 0
    return as_stream(channel).received.final_size >= 0


cdef inline bint channel_is_delivered(Channel *channel) noexcept nogil:
    return channel.is_finishing and not channel.is_reset and channel_is_acknowledged(channel)


cdef inline void channel_schedule(Path *path, Channel *channel) noexcept nogil:
    """Puts the channel where it belongs, and out of where it does not: O(1)."""
    if channel_needs_no_credit(channel):
        ring_add(path, LIST_RING, channel)
        ring_add(path, LIST_FREE, channel)
        return
    ring_remove(path, LIST_FREE, channel)
    if channel_has_new(channel):
        ring_add(path, LIST_RING, channel)
    else:
        ring_remove(path, LIST_RING, channel)


# --- sending ---------------------------------------------------------------------------------------------

cdef int channel_finish(Path *path, Channel *channel) noexcept nogil:
    """The end follows what was written; nothing happens if this direction has ended already."""
    if channel.is_finishing or channel.is_reset:
        return OK
    channel.is_finishing = True
    if is_message_id(channel.id):
        as_messages(channel).sending.is_finished = True
        if messages_queue_fin(path, channel) < 0:
            return NO_MEMORY
    else:
        as_stream(channel).sending.finished = True
        as_stream(channel).sending.fin_due = True
    channel_note_busy(path, channel)
    channel_schedule(path, channel)
    return OK


cdef int channel_reset(Path *path, Channel *channel, int64_t code) noexcept nogil:
    """Ends our direction at once; nothing happens if it has ended already."""
    if channel.is_reset or channel_is_delivered(channel):
        return OK
    if pending_add(path, PENDING_RESET, channel) < 0:
        return NO_MEMORY
    channel.is_reset = True
    channel.our_reset_code = code
    if is_message_id(channel.id):
        path.sent_released += as_messages(channel).sending.charged - as_messages(channel).sending.released
        queue_drop(&as_messages(channel).sending)
        channel.our_final_size = as_messages(channel).sending.next_id
        channel.our_charged = as_messages(channel).sending.charged
    else:
        path.sent_released += as_stream(channel).sending.next - as_stream(channel).sending.base
        stream_out_drop(&as_stream(channel).sending)
        channel.our_final_size = as_stream(channel).sending.next
        channel.our_charged = channel.our_final_size
    path_set_send_limit(path)
    ring_remove(path, LIST_RING, channel)
    ring_remove(path, LIST_FREE, channel)
    pending_cancel(path, PENDING_MESSAGE_FIN, channel)
    pending_cancel(path, PENDING_MESSAGE_ABANDON, channel)
    channel_note_busy(path, channel)
    return OK


cdef inline bint channel_is_sending_over(Channel *channel) noexcept nogil:
    """True if our direction was reset, or is delivered to its end: STOP changes nothing any more."""
    return channel.is_reset or channel_is_delivered(channel)


cdef int channel_on_stop(Path *path, Channel *channel, int64_t code) noexcept nogil:
    """The peer asks to stop: RESET with the same code, unless all is delivered or reset already."""
    if channel_is_sending_over(channel):
        return OK
    channel.stop_code = code
    if channel_reset(path, channel, code) < 0:
        return NO_MEMORY
    channel_notify(path, channel, READY_STOPPED)
    return OK


cdef void channel_on_peer_limit(Path *path, Channel *channel, int64_t limit) noexcept nogil:
    """MAX_CHANNEL_DATA."""
    if limit > channel.peer_limit:
        channel.peer_limit = limit
        channel_schedule(path, channel)


cdef int64_t channel_after_write(Path *path, Channel *channel) noexcept nogil:
    """Schedules what was written; gives the unsent size."""
    cdef int64_t unsent = channel_unsent(channel)
    if unsent >= path.write_limit:
        channel.writer_waits = True
    channel_note_busy(path, channel)
    channel_schedule(path, channel)
    return unsent


cdef inline void channel_tell_writer(Path *path, Channel *channel) noexcept nogil:
    """Tells a waiting writer when half of the write limit is free."""
    if channel.writer_waits and channel_unsent(channel) * 2 <= path.write_limit:
        channel.writer_waits = False
        channel_notify(path, channel, READY_WRITABLE)


cdef inline void channel_check_watch(Path *path, Channel *channel) noexcept nogil:
    """Tells who waits that everything written is acknowledged."""
    if channel.is_watching and channel_is_acknowledged(channel):
        channel.is_watching = False
        channel_notify(path, channel, READY_DELIVERED)


# --- receiving -------------------------------------------------------------------------------------------

cdef int channel_stop(Path *path, Channel *channel, int64_t code) noexcept nogil:
    """Drops what is held and what comes; nothing is sent if the direction is over then."""
    if channel.stopped_code >= 0 or channel_is_receive_over(channel):
        return OK
    channel.stopped_code = code
    if is_message_id(channel.id):
        if inbox_discard(&as_messages(channel).inbox) < 0:
            return NO_MEMORY
    else:
        stream_in_discard(&as_stream(channel).received)
    list_remove(path, LIST_DUE, channel)
    if not channel_is_receive_over(channel) and pending_add(path, PENDING_STOP, channel) < 0:
        return NO_MEMORY
    return channel_after_receiving(path, channel)


cdef int channel_on_reset(
    Path *path, Channel *channel, int64_t code, int64_t final_size, int64_t charged
) noexcept nogil:
    """The peer reset its direction; too late if everything was taken already."""
    cdef StreamIn *stream
    if channel.reset_code >= 0 or channel_is_receive_over(channel):
        return OK
    if is_message_id(channel.id):
        inbox_reset(&as_messages(channel).inbox, final_size, charged)
    else:
        stream = &as_stream(channel).received
        stream.final_size = final_size
        stream.highest = final_size
        stream_in_discard(stream)
    channel.reset_code = code
    pending_cancel(path, PENDING_STOP, channel)
    list_remove(path, LIST_DUE, channel)
    if channel.stopped_code < 0:
        channel_notify(path, channel, READY_RESET)
    return channel_after_receiving(path, channel)


cdef inline int channel_after_receiving(Path *path, Channel *channel) noexcept nogil:
    """Tells the connection's credit what changed; the channel may be over, and gone, after it."""
    cdef int64_t charged, consumed, held, gaps
    if is_message_id(channel.id):
        charged = as_messages(channel).inbox.charged
        consumed = as_messages(channel).inbox.consumed
        held = as_messages(channel).inbox.held_size
        gaps = inbox_spans(&as_messages(channel).inbox)
    else:
        charged = as_stream(channel).received.highest
        consumed = as_stream(channel).received.consumed
        held = <int64_t>as_stream(channel).received.block_count << BLOCK_SHIFT
        gaps = as_stream(channel).received.ranges.count
    path.charged += charged - channel.told_charged
    path.held_size += held - channel.told_held
    path.gap_count += gaps - channel.told_gaps
    channel.told_charged = charged
    channel.told_held = held
    channel.told_gaps = gaps
    if consumed != channel.told_consumed:
        path.consumed += consumed - channel.told_consumed
        channel.told_consumed = consumed
        if channel.stopped_code < 0 and not channel_is_size_known(channel):
            if consumed - channel.limit + channel.window >= credit_step(channel.window):
                list_append(path, LIST_DUE, channel)
        return channel_check_done(path, channel)
    if channel_is_size_known(channel) and channel_is_receive_over(channel):
        return channel_check_done(path, channel)
    return OK


# --- both ------------------------------------------------------------------------------------------------

cdef int channel_check_done(Path *path, Channel *channel) noexcept nogil:
    """When both directions are over: tells the application, or frees the slot if it let go."""
    if channel.is_done or not channel.has_fields or not channel.is_open_acked:
        return OK
    if not (channel.is_reset_acked or channel_is_delivered(channel)):
        return OK
    scheduler_dismiss(path, channel)
    if not channel_is_receive_over(channel):
        return OK
    channel.is_done = True
    if channel.is_released:
        return table_remove(path, channel)
    channel_notify(path, channel, READY_DONE)
    return OK


cdef int channel_release(Path *path, Channel *channel) noexcept nogil:
    """The application needs the channel no more: what it has not ended is given up."""
    if not channel.is_finishing and channel_reset(path, channel, CANCELLED) < 0:
        return NO_MEMORY
    if channel_stop(path, channel, CANCELLED) < 0:
        return NO_MEMORY
    channel.is_released = True
    channel.ready = 0
    list_remove(path, LIST_READY, channel)
    if channel.is_done:
        return table_remove(path, channel)
    return channel_check_done(path, channel)


cdef int channel_on_open(
    Path *path, Channel *channel, int priority, bint ordered, int reliability, int64_t value, void *label
) noexcept nogil:
    """The peer's OPEN: 1, or 0 if it came before. `label` is a new reference to bytes, taken over."""
    cdef int flags = READY_OPENED
    if channel.has_fields:
        fm_decref(label)
        return 0
    hold_new(label)
    channel.label = label
    channel.priority = <uint8_t>priority
    channel.ordered = <uint8_t>ordered
    channel.reliability = <uint8_t>reliability
    channel.value = value
    channel.has_fields = True
    if scheduler_admit(path, channel) < 0 or (is_message_id(channel.id) and messages_on_open(channel) < 0):
        return NO_MEMORY
    if channel.reset_code >= 0:
        flags |= READY_RESET
    elif channel_is_readable(channel):
        flags |= READY_READABLE
    if channel.stop_code >= 0:
        flags |= READY_STOPPED
    channel_notify(path, channel, flags)
    return 1 if channel_after_receiving(path, channel) == OK else NO_MEMORY
