# Whether bytes are UTF-8 (RFC 3629), exactly as CPython's strict decoder has it.
# Owns: the rule. May not know: what the text is.
# Nothing here makes an object: an error of Python's decoder is one, which may set off the collector, and so
# any code, in the middle of a packet.

cdef inline bint is_continuation(uint8_t byte) noexcept nogil:
    return byte & 0xC0 == 0x80


cdef bint is_utf8(const uint8_t *at, Py_ssize_t size) noexcept nogil:
    """False for what is cut off, longer than it needs to be, a surrogate, or above U+10FFFF."""
    cdef const uint8_t *stop = at + size
    cdef uint8_t lowest, highest
    cdef Py_ssize_t more
    while at < stop:
        if at[0] < 0x80:
            at += 1
            continue
        lowest = 0x80  # bounds of the second byte (RFC 3629 §4)
        highest = 0xBF
        if 0xC2 <= at[0] <= 0xDF:
            more = 1
        elif 0xE0 <= at[0] <= 0xEF:
            more = 2
            if at[0] == 0xE0:
                lowest = 0xA0
            elif at[0] == 0xED:
                highest = 0x9F
        elif 0xF0 <= at[0] <= 0xF4:
            more = 3
            if at[0] == 0xF0:
                lowest = 0x90
            elif at[0] == 0xF4:
                highest = 0x8F
        else:
            return False
        if stop - at <= more or not lowest <= at[1] <= highest:
            return False
        if more >= 2 and not is_continuation(at[2]) or more == 3 and not is_continuation(at[3]):
            return False
        at += more + 1
    return True


# By pointer: as fill_trains.
ctypedef bint (*IsText)(const uint8_t *at, Py_ssize_t size) noexcept nogil
cdef IsText is_text = is_utf8
