# Variable-length integers (RFC 9000 §16) and big-endian loads and stores.
# Owns: their coding. May not know: what an integer means.

cdef inline uint32_t load_u32(const uint8_t *at) noexcept nogil:
    return (<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3]


cdef inline void store_u32(uint8_t *at, uint32_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 24)
    at[1] = <uint8_t>(value >> 16)
    at[2] = <uint8_t>(value >> 8)
    at[3] = <uint8_t>value


cdef inline uint64_t load_u64(const uint8_t *at) noexcept nogil:
    return (<uint64_t>load_u32(at) << 32) | load_u32(at + 4)


cdef inline void store_u64(uint8_t *at, uint64_t value) noexcept nogil:
    store_u32(at, <uint32_t>(value >> 32))
    store_u32(at + 4, <uint32_t>value)


cdef inline int varint_length(uint64_t value) noexcept nogil:
    """1, 2, 4 or 8 bytes."""
    if value < 0x40:
        return 1
    if value < 0x4000:
        return 2
    return 4 if value < 0x40000000 else 8


cdef inline uint8_t *put_varint(uint8_t *at, uint64_t value) noexcept nogil:
    """Writes the shortest form; gives where the next byte goes."""
    if value < 0x40:
        at[0] = <uint8_t>value
        return at + 1
    if value < 0x4000:
        at[0] = <uint8_t>(0x40 | (value >> 8))
        at[1] = <uint8_t>value
        return at + 2
    if value < 0x40000000:
        store_u32(at, <uint32_t>value | <uint32_t>0x80000000)
        return at + 4
    store_u64(at, value | (<uint64_t>0xC0 << 56))
    return at + 8


cdef inline const uint8_t *get_varint(const uint8_t *at, const uint8_t *stop, uint64_t *value) noexcept nogil:
    """Reads any form; NULL if it is cut off."""
    cdef uint8_t first
    if at >= stop:
        return NULL
    first = at[0]
    if first < 0x40:
        value[0] = first
        return at + 1
    if first < 0x80:
        if stop - at < 2:
            return NULL
        value[0] = (<uint64_t>(first & 0x3F) << 8) | at[1]
        return at + 2
    if first < 0xC0:
        if stop - at < 4:
            return NULL
        value[0] = load_u32(at) & 0x3FFFFFFF
        return at + 4
    if stop - at < 8:
        return NULL
    value[0] = load_u64(at) & MAX_VARINT
    return at + 8


def varint_size(value):
    """Bytes that `value` takes as a varint; OverflowError outside [0, 2^62-1]."""
    return varint_length(as_wire(value))


def encode_varint(value):
    """The shortest form (RFC 9000 §16); OverflowError outside [0, 2^62-1]."""
    cdef uint8_t form[8]
    cdef uint8_t *stop = put_varint(form, as_wire(value))
    return PyBytes_FromStringAndSize(<char *>form, stop - form)


def decode_varint(buffer, offset=0):
    """(value, offset after it); ProtocolError(FRAME_ENCODING_ERROR) if it is cut off."""
    cdef int64_t start = as_wire(offset)
    cdef uint64_t value = 0
    cdef Py_buffer view
    cdef const uint8_t *at = NULL
    cdef Py_ssize_t stop = 0
    take_buffer(buffer, &view)
    if start < view.len:
        at = get_varint(<const uint8_t *>view.buf + start, <const uint8_t *>view.buf + view.len, &value)
        if at != NULL:
            stop = at - <const uint8_t *>view.buf
    PyBuffer_Release(&view)
    if at == NULL:
        raise ProtocolError(FRAME_ENCODING_ERROR, "truncated varint")
    return value, stop


cdef inline int64_t expand_packet_number(uint32_t truncated, int64_t largest) noexcept nogil:
    """RFC 9000 A.3 with 32 bits: the number closest to largest + 1 that ends in `truncated`, and is one."""
    cdef int64_t window = <int64_t>1 << 32
    cdef int64_t expected = largest + 1
    cdef int64_t candidate = (expected & ~(window - 1)) | truncated
    if candidate <= expected - window // 2 and candidate <= MAX_PACKET_NUMBER - window:
        return candidate + window
    if candidate > min(expected + window // 2, MAX_PACKET_NUMBER) and candidate >= window:
        return candidate - window
    return candidate


def decode_packet_number(truncated, largest):
    """The full number (RFC 9000 A.3) from its low 32 bits; `largest` is -1 before any packet."""
    return expand_packet_number(
        <uint32_t>as_integer(truncated, 0, 0xFFFFFFFF), as_integer(largest, -1, MAX_PACKET_NUMBER)
    )
