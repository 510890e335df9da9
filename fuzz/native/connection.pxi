# T6: a connection after the handshake. Its loop is in Python (fuzz/targets/connection.py): here is what only
# C sees.
# Owns: the sums of a connection, computed anew. May not know: how it got there.

cdef const char *check_ranges_order(Ranges *ranges) noexcept nogil:
    cdef uint32_t position
    cdef int64_t covered = 0
    for position in range(ranges.count):
        covered += range_at(ranges, position).stop - range_at(ranges, position).start
        if range_at(ranges, position).start >= range_at(ranges, position).stop:
            return b"an empty range"
        if position and range_at(ranges, position - 1).stop >= range_at(ranges, position).start:
            return b"ranges touch or do not ascend"
    if covered != ranges.covered:
        return b"ranges cover another number"
    return NULL


cdef const char *check_inbox(Inbox *inbox) noexcept nogil:
    """Its invariant, message by message."""
    cdef uint32_t place
    cdef uint32_t spans = 0
    cdef int64_t held = 0
    cdef int64_t ready = 0
    cdef int64_t units = 0  # of the messages that are held
    cdef int64_t size
    cdef MapEntry *entry
    cdef Assembly *partial
    cdef const char *broken
    for place in range(inbox.partial.capacity):
        entry = inbox.partial.entries + place
        if entry.value == NULL:
            continue
        partial = <Assembly *>entry.value
        if ranges_contain(&inbox.done, entry.key) or map_get(&inbox.complete, entry.key) != NULL:
            return b"a message is partial and done"
        broken = check_ranges_order(&partial.units)
        if broken != NULL:
            return broken
        if partial.units.covered != partial.held_units or assembly_is_complete(partial):
            return b"a partial message has another number of units, or all"
        spans += partial.units.count
        held += partial.held_size
        units += partial.fragment_count
    for place in range(inbox.complete.capacity):
        entry = inbox.complete.entries + place
        if entry.value != NULL:
            size = fm_bytes_size(entry.value)
            held += size
            units += units_of(size)
            if not ranges_contain(&inbox.done, entry.key):
                return b"a whole message is not done"
    for place in range(inbox.ready.count):
        size = fm_bytes_size(fifo_at(&inbox.ready, place)[0])
        ready += size
        units += units_of(size)
    if inbox.held_size != held + ready or inbox.ready_size != ready or inbox.partial_spans != spans:
        return b"the sums of an inbox are wrong"
    if not inbox.is_reset and inbox.charged - inbox.consumed != units * FRAGMENT_UNIT:
        return b"what is charged and not consumed is not what is held"
    return check_ranges_order(&inbox.done)


cdef bint has_blocks(StreamIn *stream, int64_t start, int64_t stop) noexcept nogil:
    """True if all bytes of [start, stop) have a block."""
    cdef int64_t number
    if start >= stop:
        return True
    for number in range(start >> BLOCK_SHIFT, ((stop - 1) >> BLOCK_SHIFT) + 1):
        if stream.capacity == 0:
            if map_get(&stream.scattered, number) == NULL:
                return False
        elif stream.blocks[number & (stream.capacity - 1)] == NULL:
            return False
    return True


cdef const char *check_stream_in(StreamIn *stream) noexcept nogil:
    cdef int64_t place
    cdef uint32_t blocks = stream.scattered.count
    cdef Range *item
    if stream.capacity and blocks:
        return b"blocks are in the array and in the map"
    for place in range(stream.capacity):
        blocks += stream.blocks[place] != NULL
    if blocks != stream.block_count:
        return b"another number of blocks"
    if not stream.consumed <= stream.contiguous <= stream.highest:
        return b"consumed, contiguous and highest do not ascend"
    if stream.final_size >= 0 and stream.highest > stream.final_size:
        return b"data beyond the final size"
    if stream.ranges.count and range_at(&stream.ranges, 0).start <= stream.contiguous:
        return b"a range touches what is contiguous"
    if not has_blocks(stream, stream.consumed, stream.contiguous):
        return b"bytes that can be read have no block"
    for place in range(stream.ranges.count):
        item = range_at(&stream.ranges, place)
        if not has_blocks(stream, item.start, item.stop):
            return b"bytes out of order have no block"
    return check_ranges_order(&stream.ranges)


cdef const char *check_sums(Path *path) noexcept nogil:
    """Every channel, then the sums over all of them."""
    cdef int64_t charged = 0
    cdef int64_t held = 0
    cdef int64_t busy = 0
    cdef int64_t told = 0
    cdef uint32_t place
    cdef Channel *channel
    cdef const char *broken = NULL
    for place in range(path.channels.capacity):
        channel = <Channel *>path.channels.entries[place].value
        if channel == NULL:
            continue
        busy += channel.is_busy
        told += channel.told_charged
        held += channel.told_held
        if is_message_id(channel.id):
            broken = check_inbox(&as_messages(channel).inbox)
            charged += as_messages(channel).inbox.charged
        else:
            broken = check_stream_in(&as_stream(channel).received)
            charged += as_stream(channel).received.highest
        if broken != NULL:
            return broken
    if held != path.held_size or charged != told or told > path.charged:
        return b"what is held or charged is not the sum over the channels"
    if busy != path.busy_count:
        return b"another number of channels is busy"
    if path.consumed > path.charged:
        return b"more was consumed than charged"
    if path.charged > path.limit + (path.max_message_charge if path.local_limits[KIND_MESSAGE] else 0):
        return b"more was charged than the limit allows"
    return check_ranges_order(&path.received.ranges)


def check_connection(DataPath connection):
    """AssertionError with what does not hold of the connection's state."""
    cdef const char *broken
    if connection.path == NULL:
        return
    broken = check_sums(connection.path)
    if broken != NULL:
        raise AssertionError(broken.decode())
