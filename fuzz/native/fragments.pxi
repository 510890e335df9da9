# T5: the reassembler of one message, beside one entry for each unit.
# Owns: the entries and what must hold. May not know: blocks, ranges. Inputs: fuzz/targets/fragments.py says.

cdef enum:
    MODEL_UNITS = 128

cdef uint8_t unit_owners[MODEL_UNITS]
cdef int64_t[8] UNIT_COUNTS = [1, 2, 3, 31, 32, 33, 65, 96]

cdef struct MessageModel:
    Assembly assembly
    int64_t count
    int64_t last_size

cdef MessageModel message_model


cdef bint message_allows(int64_t first, int64_t size) noexcept nogil:
    """The rules of docs/wire-format.md §9 for a run of `size` bytes from unit `first`."""
    cdef int64_t whole = size // FRAGMENT_UNIT
    cdef int64_t rest = size % FRAGMENT_UNIT
    cdef int64_t stop = first + whole + (rest > 0)
    if first >= message_model.count:
        return False
    if size == 0:
        return message_model.count == 1 and message_model.last_size in (-1, 0)
    if stop > message_model.count or (rest and stop < message_model.count):
        return False
    if stop == message_model.count and message_model.last_size >= 0:
        return message_model.last_size == (rest if rest else FRAGMENT_UNIT)
    return True


cdef const char *message_add(int64_t first, int64_t size, int pattern) noexcept nogil:
    cdef Assembly *assembly = &message_model.assembly
    cdef int64_t stop = assembly_check(assembly, first, size)
    cdef int64_t unit
    cdef int status
    cdef bint is_new = False
    if (stop >= 0) != message_allows(first, size):
        return b"a run is allowed by one and not by the other"
    if stop < 0:
        return NULL
    status = assembly_add(assembly, first, stop, patterns[pattern] + first * FRAGMENT_UNIT, size)
    for unit in range(first, stop):
        is_new = is_new or unit_owners[unit] == 0
        if unit_owners[unit] == 0:
            unit_owners[unit] = <uint8_t>(pattern + 1)
    if stop == message_model.count:
        message_model.last_size = size - (stop - 1 - first) * FRAGMENT_UNIT
    if status != is_new:
        return b"something was new for one and not for the other"
    return NULL


cdef const char *message_check() noexcept nogil:
    cdef int64_t unit
    cdef int64_t held = 0
    cdef int64_t block = -1
    cdef int64_t units = 0
    cdef uint32_t spans = 0
    cdef bint before = False
    cdef bint is_empty = message_model.count == 1 and message_model.last_size == 0  # it needs no block
    for unit in range(message_model.count):
        if unit_owners[unit] and unit // 32 != block and not is_empty:
            block = unit // 32
            held += min(message_model.count - block * 32, <int64_t>32) * FRAGMENT_UNIT
        units += unit_owners[unit] != 0
        spans += unit_owners[unit] != 0 and not before
        before = unit_owners[unit] != 0
    if message_model.assembly.held_size != held or message_model.assembly.units.count != spans:
        return b"other bytes held, or other spans"
    if assembly_is_complete(&message_model.assembly) != (units == message_model.count):
        return b"the message is complete for one and not for the other"
    return NULL


cdef const char *message_take() noexcept nogil:
    """A complete message, byte by byte."""
    cdef void *message = assembly_take(&message_model.assembly)
    cdef int64_t size = (message_model.count - 1) * FRAGMENT_UNIT + message_model.last_size
    cdef int64_t at
    cdef const char *broken = NULL
    if message == NULL:
        return NULL
    if fm_bytes_size(message) != size:
        broken = b"the message has another size"
    else:
        for at in range(size):
            if <uint8_t>fm_bytes_data(message)[at] != patterns[unit_owners[at // FRAGMENT_UNIT] - 1][at]:
                broken = b"a byte is not the one that came first"
                break
    fm_decref(message)
    return broken


cdef const char *target_fragments(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef const char *broken = NULL
    cdef Py_ssize_t at = 1
    cdef int64_t length
    if size == 0:
        return NULL
    message_model.count = UNIT_COUNTS[data[0] & 7]
    message_model.last_size = -1
    assembly_init(&message_model.assembly, message_model.count)
    while at + 3 <= size and broken == NULL:
        length = data[at + 1] * (FRAGMENT_UNIT if data[at + 2] & 1 else 1) % 4225
        if data[at + 2] & 2:  # up to the end
            length = max((message_model.count - data[at]) * FRAGMENT_UNIT - data[at + 1] % 160, <int64_t>0)
        broken = message_add(data[at], length, data[at + 2] >> 3 & (PATTERNS - 1))
        at += 3
    if broken == NULL:
        broken = message_check()
    if broken == NULL and assembly_is_complete(&message_model.assembly):
        broken = message_take()
    memset(unit_owners, 0, message_model.count)
    assembly_free(&message_model.assembly)
    if broken == NULL and message_model.assembly.held_size:
        broken = b"bytes are left"
    return broken
