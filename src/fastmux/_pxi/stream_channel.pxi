# A channel of ordered bytes: how one StreamIn and one StreamOut act as a channel.
# Owns: what follows their moves. May not know: packets, frames.

cdef inline int stream_receive(
    Path *path, Channel *channel, int64_t offset, const uint8_t *data, int64_t size, bint fin
) noexcept nogil:
    """Takes checked data of the peer: 1, or 0 if it was of no use."""
    cdef StreamIn *stream = &as_stream(channel).received
    cdef int64_t contiguous = stream.contiguous
    cdef bint ended = fin and stream.final_size < 0
    cdef bint news
    if channel.reset_code >= 0:
        return 0
    if stream_in_receive(stream, offset, data, size, fin) < 0:
        return NO_MEMORY
    if ended:
        list_remove(path, LIST_DUE, channel)
    news = stream.contiguous > contiguous and not stream.discarding
    news = news or (ended and stream_in_is_finished(stream))
    if news and channel.stopped_code < 0:
        channel_notify(path, channel, READY_READABLE)
    if channel_after_receiving(path, channel) < 0:
        return NO_MEMORY
    return ended or size > 0
