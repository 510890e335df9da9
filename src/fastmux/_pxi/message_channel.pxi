# A channel of messages: how one MessageQueue and one Inbox act as a channel.
# Owns: what follows their moves. May not know: packets, frames.

cdef int messages_on_open(Channel *channel) noexcept nogil:
    """OPEN tells order and reliability, which hold for both directions."""
    cdef MessageChannel *self = as_messages(channel)
    self.sending.reliability = channel.reliability
    self.sending.value = channel.value
    return inbox_set_order(&self.inbox, channel.ordered)


cdef int messages_queue_fin(Path *path, Channel *channel) noexcept nogil:
    """MESSAGE_FIN is due when every message was started."""
    cdef MessageQueue *queue = &as_messages(channel).sending
    if queue_is_fin_ready(queue) and not queue.is_fin_queued:
        if pending_add(path, PENDING_MESSAGE_FIN, channel) < 0:
            return NO_MEMORY
        queue.is_fin_queued = True
    return OK


cdef int messages_after_sending(Path *path, Channel *channel) noexcept nogil:
    if messages_queue_fin(path, channel) < 0:
        return NO_MEMORY
    channel_tell_writer(path, channel)
    return OK


cdef int messages_after_abandon(Path *path, Channel *channel) noexcept nogil:
    cdef MessageQueue *queue = &as_messages(channel).sending
    path.counters.messages_abandoned += queue.abandoned_count
    queue.abandoned_count = 0
    if queue.due.covered and pending_add(path, PENDING_MESSAGE_ABANDON, channel) < 0:
        return NO_MEMORY
    if messages_after_sending(path, channel) < 0:
        return NO_MEMORY
    channel_check_watch(path, channel)
    channel_note_busy(path, channel)
    return OK


cdef int messages_after_arrival(Path *path, Channel *channel, bint had_ready) noexcept nogil:
    cdef Inbox *inbox = &as_messages(channel).inbox
    if channel.stopped_code < 0 and (
        inbox.ready.count > 0 or (not had_ready and inbox.final_count >= 0 and inbox_is_finished(inbox))
    ):
        channel_notify(path, channel, READY_READABLE)
    return channel_after_receiving(path, channel)


cdef int messages_receive(
    Path *path, Channel *channel, int64_t message_id, int64_t first, int64_t count,
    const uint8_t *data, int64_t size
) noexcept nogil:
    """Takes a run of units of the peer: 1, or 0 if it was of no use."""
    cdef Inbox *inbox = &as_messages(channel).inbox
    cdef bint had_ready = inbox.ready.count > 0
    if channel.reset_code >= 0 or inbox_count_of(inbox, message_id) < 0:
        return 0
    if inbox_receive(inbox, message_id, first, count, data, size) < 0:
        return NO_MEMORY
    return 1 if messages_after_arrival(path, channel, had_ready) == OK else NO_MEMORY


cdef int messages_on_abandon(Path *path, Channel *channel, Frame *frame) noexcept nogil:
    """The peer gave messages up."""
    cdef Inbox *inbox = &as_messages(channel).inbox
    cdef bint had_ready = inbox.ready.count > 0
    cdef const uint8_t *at = frame.data
    cdef const uint8_t *stop = frame.data + frame.size
    cdef uint64_t message_id = 0
    cdef uint64_t count = 0
    if channel.reset_code >= 0:
        return OK
    while at < stop:
        at = get_varint(at, stop, &message_id)
        at = get_varint(at, stop, &count)
        if inbox_abandon(inbox, <int64_t>message_id, <int64_t>count) < 0:
            return NO_MEMORY
    return messages_after_arrival(path, channel, had_ready)


cdef int messages_on_finish(Path *path, Channel *channel, int64_t count) noexcept nogil:
    """The peer's direction has `count` messages."""
    cdef Inbox *inbox = &as_messages(channel).inbox
    if channel.reset_code >= 0 or inbox.final_count >= 0:
        return OK
    inbox_finish(inbox, count)
    list_remove(path, LIST_DUE, channel)
    if channel.stopped_code < 0 and inbox_is_finished(inbox):
        channel_notify(path, channel, READY_READABLE)
    return channel_after_receiving(path, channel)


cdef int messages_expire(Path *path, Channel *channel, double now) noexcept nogil:
    """Gives up the messages whose lifetime is over."""
    if channel.is_reset:
        return OK
    if queue_expire(&as_messages(channel).sending, now) < 0:
        return NO_MEMORY
    return messages_after_abandon(path, channel)
