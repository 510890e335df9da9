# T4: the receiving side of a stream, beside one entry for each byte.
# Owns: the entries and what must hold. May not know: blocks, ranges. Inputs: fuzz/targets/stream.py says.

cdef enum:
    MODEL_BYTES = 32768
    PATTERNS = 8  # two writes at one offset seldom bring the same bytes

cdef uint8_t patterns[PATTERNS][MODEL_BYTES]
cdef uint8_t owners[MODEL_BYTES]  # 1 + the pattern that came first at an offset, 0: nothing came
cdef uint8_t read_bytes[MODEL_BYTES]

cdef struct StreamModel:
    StreamIn stream
    int64_t highest
    int64_t consumed
    int64_t final_size
    bint is_reset


cdef StreamModel model


cdef int fill_patterns() except -1:
    """The same bytes as `octet` of fuzz/targets/cursor.py."""
    cdef int pattern, position
    for pattern in range(PATTERNS):
        for position in range(MODEL_BYTES):
            patterns[pattern][position] = <uint8_t>(position * 31 + (position >> 8) * 7 + pattern * 101)
    return 0

fill_patterns()


cdef const char *model_receive(int64_t offset, int64_t size, bint fin, int pattern) noexcept nogil:
    cdef int64_t stop = offset + size
    cdef int64_t at, advance
    cdef bint allowed = not fin or stop >= model.highest
    if model.final_size >= 0 and (stop > model.final_size or (fin and stop != model.final_size)):
        allowed = False
    if (check_final_size(model.stream.highest, model.stream.final_size, stop, fin) == OK) != allowed:
        return b"the end of the stream is held otherwise"
    if not allowed:
        return NULL
    advance = stream_in_receive(&model.stream, offset, patterns[pattern] + offset, size, fin)
    if advance != max(stop - model.highest, <int64_t>0):
        return b"the highest offset advanced by something else"
    model.highest = max(model.highest, stop)
    if fin:
        model.final_size = stop
    if model.is_reset:
        model.consumed = model.highest
    for at in range(max(offset, model.consumed), stop):
        if owners[at] == 0:
            owners[at] = <uint8_t>(pattern + 1)
    return NULL


cdef const char *model_read(int64_t size) noexcept nogil:
    cdef int64_t at = model.consumed
    cdef int64_t count
    while at < model.highest and owners[at]:
        at += 1
    if stream_in_readable(&model.stream) != (0 if model.is_reset else at - model.consumed):
        return b"another number of bytes is readable"
    count = min(size, stream_in_readable(&model.stream))
    stream_in_read(&model.stream, read_bytes, count)
    for at in range(count):
        if read_bytes[at] != patterns[owners[model.consumed + at] - 1][model.consumed + at]:
            return b"a byte is not the one that came first"
    model.consumed += count
    return NULL


cdef void model_reset(int64_t size) noexcept nogil:
    """RESET with a final size, as ReceiveStream.reset does it."""
    if check_final_size(model.stream.highest, model.stream.final_size, size, True) < 0:
        return
    model.final_size = size
    model.highest = size
    model.consumed = size
    model.is_reset = True
    model.stream.final_size = size
    model.stream.highest = size
    stream_in_discard(&model.stream)


cdef const char *model_check() noexcept nogil:
    """Figures, spans and blocks, from the entries."""
    cdef int64_t at
    cdef int64_t block = -1
    cdef uint32_t blocks = 0
    cdef uint32_t spans = 0
    cdef bint before = False
    if model.stream.highest != model.highest or model.stream.consumed != model.consumed:
        return b"highest or consumed differ"
    if stream_in_is_finished(&model.stream) != (model.consumed == model.final_size):
        return b"the stream is finished for one and not for the other"
    if not model.is_reset:
        for at in range(model.consumed, model.highest):
            if owners[at] and at >> BLOCK_SHIFT != block:
                block = at >> BLOCK_SHIFT
                blocks += 1
            spans += owners[at] != 0 and not before
            before = owners[at] != 0
    if stream_in_spans(&model.stream) != spans:
        return b"another number of spans"
    if model.stream.block_count != blocks:
        return b"another number of blocks is held"
    return NULL


cdef const char *target_stream(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef const char *broken = NULL
    cdef Py_ssize_t at = 0
    cdef uint8_t what, amount
    cdef int64_t value, length
    stream_in_init(&model.stream)
    model.highest = 0
    model.consumed = 0
    model.final_size = -1
    model.is_reset = False
    while at + 3 <= size and broken == NULL:
        what = data[at] & 7
        amount = data[at] >> 3
        value = (data[at + 1] << 8 | data[at + 2]) % 20000
        at += 3
        if what <= 3 and at < size:
            length = data[at] << (amount & 1) * 4
            broken = model_receive(value, length, amount >= 24, data[at] & (PATTERNS - 1))
            at += 1
        elif what <= 5:
            broken = model_read(value)
        elif what == 6:
            broken = model_read(MODEL_BYTES)
        elif amount < 4:
            model_reset(value)
    if broken == NULL:
        broken = model_check()
    memset(owners, 0, model.highest)
    stream_in_free(&model.stream)
    if broken == NULL and (model.stream.blocks != NULL or model.stream.block_count):
        broken = b"blocks are left"
    return broken
