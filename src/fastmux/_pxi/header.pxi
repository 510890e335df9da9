# Packet headers (docs/wire-format.md §3): building short and long ones, parsing long ones.
# Owns: their layout. May not know: keys, frames, connections.

cdef bytes as_sized(str name, object data, Py_ssize_t smallest, Py_ssize_t largest):
    """The bytes; ValueError unless there are `smallest` to `largest` of them."""
    cdef bytes value = as_bytes(data)
    if not smallest <= len(value) <= largest:
        raise ValueError(f"{name} must have {smallest} to {largest} bytes, not {len(value)}")
    return value


cdef bytes truncated_number(object packet_number):
    cdef uint8_t form[4]
    store_u32(form, <uint32_t>as_wire(packet_number))
    return PyBytes_FromStringAndSize(<char *>form, 4)


def encode_short_header(destination_id, packet_number, key_phase=0):
    """First byte, destination id (4 to 20 bytes, else ValueError), low 32 bits of the packet number."""
    remote_id = as_sized("destination_id", destination_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
    first = FIXED_BIT | (KEY_PHASE_BIT if as_integer(key_phase, 0, 1) else 0)
    return bytes((first,)) + remote_id + truncated_number(packet_number)


def encode_long_header(type, version, destination_id, source_id, token, packet_number):
    """The header of `type` (LONG_HANDSHAKE or LONG_RETRY, else ValueError).

    Token and packet number are left out for version 0 and for LONG_RETRY, whose token the caller appends.
    """
    cdef uint8_t form[8]
    cdef int64_t kind = as_wire(type)
    if kind != LONG_HANDSHAKE and kind != LONG_RETRY:
        raise ValueError("type must be LONG_HANDSHAKE or LONG_RETRY")
    cdef uint32_t number = <uint32_t>as_integer(version, 0, 0xFFFFFFFF)
    to_id = as_sized("destination_id", destination_id, 0, MAX_CONNECTION_ID_SIZE)
    from_id = as_sized("source_id", source_id, 0, MAX_CONNECTION_ID_SIZE)
    token_bytes = as_sized("token", token, 0, MAX_TOKEN_SIZE)
    tail = truncated_number(packet_number)
    form[0] = <uint8_t>(FORM_LONG | FIXED_BIT | kind)
    store_u32(form + 1, number)
    head = form[:5] + bytes((len(to_id),)) + to_id + bytes((len(from_id),)) + from_id
    if number == 0 or kind == LONG_RETRY:
        return head
    return head + encode_varint(len(token_bytes)) + token_bytes + tail


# What parse_long_header found; sizes count bytes, offsets count from the packet's start.
cdef struct LongParts:
    uint32_t version
    Py_ssize_t destination_at
    Py_ssize_t destination_size
    Py_ssize_t source_at
    Py_ssize_t source_size
    Py_ssize_t token_at
    uint64_t token_size
    uint32_t packet_number
    Py_ssize_t header_size


cdef int long_id(const uint8_t *packet, Py_ssize_t size, Py_ssize_t *at, Py_ssize_t *id_size) noexcept nogil:
    """An id behind its length byte; up to 255 bytes, for versions that we do not know."""
    if at[0] >= size or at[0] + 1 + packet[at[0]] > size:
        return fail(PROTOCOL_VIOLATION, b"truncated long header")
    id_size[0] = packet[at[0]]
    at[0] += 1 + id_size[0]
    return OK


cdef int long_token(const uint8_t *packet, Py_ssize_t size, LongParts *parts) noexcept nogil:
    """The token and the packet number, which end a HANDSHAKE packet's header."""
    cdef const uint8_t *stop = packet + size
    cdef const uint8_t *at = get_varint(packet + parts.header_size, stop, &parts.token_size)
    if at == NULL:
        return fail(PROTOCOL_VIOLATION, b"truncated long header")
    if parts.token_size > MAX_TOKEN_SIZE:
        return fail(PROTOCOL_VIOLATION, b"token too long")
    if stop - at < <int64_t>parts.token_size + PACKET_NUMBER_SIZE:
        return fail(PROTOCOL_VIOLATION, b"truncated long header")
    parts.token_at = at - packet
    at += parts.token_size
    parts.packet_number = load_u32(at)
    parts.header_size = at - packet + PACKET_NUMBER_SIZE
    return OK


cdef int long_header(const uint8_t *packet, Py_ssize_t size, LongParts *parts) noexcept nogil:
    cdef Py_ssize_t at = 5
    memset(parts, 0, sizeof(LongParts))
    if size < 7 or not packet[0] & FORM_LONG:
        return fail(PROTOCOL_VIOLATION, b"malformed long header")
    parts.version = load_u32(packet + 1)
    if long_id(packet, size, &at, &parts.destination_size) < 0:
        return FAULT
    parts.destination_at = at - parts.destination_size
    if long_id(packet, size, &at, &parts.source_size) < 0:
        return FAULT
    parts.source_at = at - parts.source_size
    parts.header_size = at
    if parts.version != VERSION_1 and parts.version != VERSION_PLAINTEXT:
        return OK
    if (
        not packet[0] & FIXED_BIT
        or parts.destination_size > MAX_CONNECTION_ID_SIZE
        or not MIN_CONNECTION_ID_SIZE <= parts.source_size <= MAX_CONNECTION_ID_SIZE
    ):
        return fail(PROTOCOL_VIOLATION, b"malformed long header")
    if packet[0] & LONG_TYPE_MASK != LONG_HANDSHAKE:
        return OK
    return long_token(packet, size, parts)


def parse_long_header(buffer, start, stop):
    """The long header of the packet in [start, stop) of `buffer`; ProtocolError if it is malformed.

    The ids of any version are read (RFC 8999 §5.1). Token and packet number are read only from HANDSHAKE
    packets of a version that we know; else they are empty and 0, and `header_size` ends after the ids.
    ValueError unless 0 <= start <= stop <= len(buffer).
    """
    cdef int64_t first = as_wire(start)
    cdef int64_t last = as_wire(stop)
    cdef Py_buffer view
    cdef LongParts parts
    cdef int status
    cdef char *packet
    take_buffer(buffer, &view)
    try:
        if not first <= last <= view.len:
            raise ValueError("the packet is not inside the buffer")
        packet = <char *>view.buf + first
        status = long_header(<const uint8_t *>packet, min(last - first, <int64_t>1024), &parts)
        if status < 0:
            raise_status(status)
        return LongHeader(
            packet[0] & LONG_TYPE_MASK,
            parts.version,
            packet[parts.destination_at:parts.destination_at + parts.destination_size],
            packet[parts.source_at:parts.source_at + parts.source_size],
            packet[parts.token_at:parts.token_at + <Py_ssize_t>parts.token_size],
            parts.packet_number,
            parts.header_size,
        )
    finally:
        PyBuffer_Release(&view)
