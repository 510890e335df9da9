# Encoding frames (docs/wire-format.md §7): the inverse of parse_frames. Once per control frame, so plain
# Python.
# Owns: the canonical coding of every frame tuple. May not know: when a frame is sent.

cdef enum:
    MAX_BLOB = 0x7FFFFFFF


cdef bytes encode_blob(object data, Py_ssize_t largest):
    cdef bytes value = as_sized("field", data, 0, largest)
    return encode_varint(len(value)) + value


cdef bytes encode_integers(object values):
    return b"".join([encode_varint(value) for value in values])


cdef bytes encode_ack(object kind, object delay, object ranges, object counts):
    if not ranges:
        raise ValueError("an ACK without ranges")
    start, stop = ranges[0]
    units = min(int(delay * ACK_DELAY_UNITS + 0.5), MAX_VARINT)  # the wire's largest delays are no floats
    out = encode_integers((kind, stop - 1, units, len(ranges) - 1))
    out += encode_varint(stop - 1 - start)
    for next_start, next_stop in ranges[1:]:
        out += encode_integers((start - next_stop - 1, next_stop - 1 - next_start))
        start = next_start
    as_wire(start)
    if kind == FRAME_ACK_ECN:
        ect0, ect1, ce = counts
        out += encode_integers((ect0, ect1, ce))
    return out


cdef bytes encode_padding(object kind, object count):
    return bytes(as_integer(count, 1, MAX_VARINT))


cdef bytes encode_stream(object kind, object channel_id, object offset, object data, object fin):
    first = kind | FRAME_LENGTH | (STREAM_FIN if fin else 0)
    return encode_integers((first, channel_id, offset)) + encode_blob(data, MAX_BLOB)


cdef bytes encode_message(object kind, tuple fields):
    return encode_integers((kind | FRAME_LENGTH, *fields[:4])) + encode_blob(fields[4], MAX_BLOB)


cdef bytes encode_abandon(object kind, object channel_id, object entries):
    if not entries:
        raise ValueError("MESSAGE_ABANDON of nothing")
    out = encode_integers((kind, channel_id, len(entries)))
    for entry in entries:
        out += encode_integers(entry)
    return out


cdef bytes encode_open(object kind, tuple fields):
    channel_id, priority, ordered, reliability, value, label = fields
    flags = as_integer(reliability, 0, 3) << 1 | (1 if ordered else 0)
    fixed = bytes((as_integer(priority, 0, 255), flags))
    head = encode_integers((kind, channel_id)) + fixed + encode_varint(value)
    return head + encode_blob(label, MAX_LABEL_SIZE)


cdef bytes encode_new_id(object kind, tuple fields):
    sequence, retire_prior_to, connection_id, reset_token = fields
    value = as_sized("id", connection_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
    token = as_sized("reset_token", reset_token, RESET_TOKEN_SIZE, RESET_TOKEN_SIZE)
    return encode_integers((kind, sequence, retire_prior_to)) + bytes((len(value),)) + value + token


cdef dict FIELD_COUNTS = {
    FRAME_PADDING: 1,
    FRAME_PING: 0,
    FRAME_ACK: 2,
    FRAME_ACK_ECN: 3,
    FRAME_HANDSHAKE: 2,
    FRAME_PARAMETERS: 1,
    FRAME_HANDSHAKE_DONE: 0,
    FRAME_STREAM: 4,
    FRAME_MESSAGE: 5,
    FRAME_MESSAGE_FIN: 2,
    FRAME_MESSAGE_ABANDON: 2,
    FRAME_DATAGRAM: 1,
    FRAME_OPEN: 6,
    FRAME_RESET: 4,
    FRAME_STOP: 2,
    FRAME_MAX_DATA: 1,
    FRAME_MAX_CHANNEL_DATA: 2,
    FRAME_MAX_CHANNELS: 2,
    FRAME_DATA_BLOCKED: 1,
    FRAME_CHANNEL_DATA_BLOCKED: 2,
    FRAME_CHANNELS_BLOCKED: 2,
    FRAME_NEW_ID: 4,
    FRAME_RETIRE_ID: 1,
    FRAME_PATH_CHALLENGE: 1,
    FRAME_PATH_RESPONSE: 1,
    FRAME_ACK_FREQUENCY: 4,
    FRAME_CONNECTION_CLOSE: 2,
    FRAME_APPLICATION_CLOSE: 2,
}


cdef bytes encode_by_type(uint32_t kind, tuple fields):
    if kind == FRAME_PADDING:
        return encode_padding(kind, fields[0])
    if kind == FRAME_ACK or kind == FRAME_ACK_ECN:
        return encode_ack(kind, fields[0], fields[1], fields[2] if kind == FRAME_ACK_ECN else ())
    if kind == FRAME_STREAM:
        return encode_stream(kind, fields[0], fields[1], fields[2], fields[3])
    if kind == FRAME_MESSAGE:
        return encode_message(kind, fields)
    if kind == FRAME_MESSAGE_ABANDON:
        return encode_abandon(kind, fields[0], fields[1])
    if kind == FRAME_DATAGRAM:
        return encode_varint(kind | FRAME_LENGTH) + encode_blob(fields[0], MAX_BLOB)
    if kind == FRAME_OPEN:
        return encode_open(kind, fields)
    if kind == FRAME_NEW_ID:
        return encode_new_id(kind, fields)
    if kind == FRAME_PATH_CHALLENGE or kind == FRAME_PATH_RESPONSE:
        return encode_varint(kind) + as_sized("data", fields[0], 8, 8)
    if kind == FRAME_HANDSHAKE:
        return encode_integers((kind, fields[0])) + encode_blob(fields[1], MAX_BLOB)
    if kind == FRAME_CONNECTION_CLOSE or kind == FRAME_APPLICATION_CLOSE:
        return encode_integers((kind, fields[0])) + encode_blob(fields[1], MAX_REASON_SIZE)
    if kind == FRAME_PARAMETERS or kind >= FRAME_EXTENSION_FIRST:
        return encode_varint(kind) + encode_blob(fields[0], MAX_BLOB)
    return encode_integers((kind, *fields))


def encode_frame(frame):
    """The canonical coding of one frame (docs/core.md has the tuples).

    ValueError for an unknown type, a wrong number of fields or a field of the wrong size; OverflowError
    for an integer out of range; TypeError for a field of the wrong type.
    """
    cdef tuple fields = tuple(frame)
    if not fields:
        raise ValueError("an empty frame")
    cdef int64_t kind = as_wire(fields[0])
    if kind not in FIELD_COUNTS and not FRAME_EXTENSION_FIRST <= kind <= FRAME_EXTENSION_LAST:
        raise ValueError("unknown frame type")
    if len(fields) != FIELD_COUNTS.get(kind, 1) + 1:
        raise ValueError("wrong number of fields")
    return encode_by_type(<uint32_t>kind, fields[1:])
