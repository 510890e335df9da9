# T1: packet headers, and how a train is cut into datagrams.
# Owns: what must hold of both. May not know: how they are parsed. Inputs: fuzz/targets/headers.py says.

cdef enum:
    FUZZ_ID_SIZE = 8

cdef uint8_t[8] FUZZ_ID = [102, 117, 122, 122, 45, 105, 100, 33]  # b"fuzz-id!"
cdef Path *bare_path = NULL  # without keys: it takes what is its own and opens none of it


cdef uint8_t *header_put(uint8_t *at, const uint8_t *packet, LongParts *parts) noexcept nogil:
    """The header that has these parts, token length in its shortest form."""
    at[0] = packet[0]
    store_u32(at + 1, parts.version)
    at[5] = <uint8_t>parts.destination_size
    memcpy(at + 6, packet + parts.destination_at, parts.destination_size)
    at += 6 + parts.destination_size
    at[0] = <uint8_t>parts.source_size
    memcpy(at + 1, packet + parts.source_at, parts.source_size)
    at += 1 + parts.source_size
    if not parts.token_at:
        return at
    at = put_varint(at, parts.token_size)
    memcpy(at, packet + parts.token_at, parts.token_size)
    store_u32(at + parts.token_size, parts.packet_number)
    return at + parts.token_size + 4


cdef const char *check_header(const uint8_t *packet, Py_ssize_t size) noexcept nogil:
    cdef LongParts parts, again
    cdef uint8_t form[1200]
    cdef uint8_t *end
    cdef Py_ssize_t longer
    if long_header(packet, min(size, 1024), &parts) < 0:
        if fault_code != PROTOCOL_VIOLATION:
            return b"a long header fails with another code"
        return NULL
    if parts.header_size > size or parts.header_size < 7:
        return b"a long header is longer than its packet"
    end = header_put(form, packet, &parts)
    longer = parts.header_size - (end - form)
    if longer < 0 or longer > 7 or longer == 4 or longer == 5:
        return b"a header and its parts differ in size"
    if longer == 0 and memcmp(form, packet, parts.header_size) != 0:
        return b"a header is not what its parts say"
    if long_header(form, end - form, &again) < 0:
        return b"a header made of the parts does not parse"
    again.header_size += longer
    again.token_at += longer
    if parts.token_at == 0:
        again.token_at = 0
    if memcmp(&parts, &again, sizeof(LongParts)) != 0:
        return b"a header made of the parts has others"
    return NULL


cdef const char *check_number(uint32_t truncated, int64_t largest) noexcept nogil:
    cdef int64_t number = expand_packet_number(truncated, largest)
    cdef int64_t distance = number - (largest + 1)
    if number < 0 or number > MAX_PACKET_NUMBER or <uint32_t>number != truncated:
        return b"a packet number does not end in what was sent"
    if -(<int64_t>1 << 31) < distance <= <int64_t>1 << 31:
        return NULL
    if number + (<int64_t>1 << 32) <= MAX_PACKET_NUMBER and distance < 0:
        return b"a packet number could be closer above"
    if number >= <int64_t>1 << 32 and distance > 0:
        return b"a packet number could be closer below"
    return NULL


cdef const char *target_headers(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t segment, at, part, taken
    cdef const char *broken
    if size < 3:
        return NULL
    segment = (data[1] << 8 | data[2]) % 1500 + 1
    if size >= 15:
        broken = check_number(load_u32(data + 3), <int64_t>(load_u64(data + 7) & MAX_VARINT) - (data[0] & 1))
        if broken != NULL:
            return broken
    data += 3
    size -= 3
    at = 0
    while at < size:
        part = min(segment, size - at)
        if data[at] & FORM_LONG:
            broken = check_header(data + at, part)
            if broken != NULL:
                return broken
        elif data[at] & FIXED_BIT:
            taken = reader_receive(bare_path, data + at, size - at, segment, 1.0)
            if taken < 0 or taken > size - at or (taken % segment and taken != size - at):
                return b"a train is not cut at its segments"
            part = max(part, taken)
        at += part
    if bare_path.counters.packets_received or bare_path.held_size or bare_path.channels.count:
        return b"a packet was opened without keys"
    return NULL


cdef int make_bare_path() except -1:
    global bare_path
    bare_path = path_new(False, PyBytes_FromStringAndSize(<char *>FUZZ_ID, FUZZ_ID_SIZE))
    return 0

make_bare_path()
