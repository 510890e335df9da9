# T2: frames. A second reading of docs/wire-format.md §7, by a table, and an encoder of its own.
# Owns: what must hold of the decoder. May not know: how it decodes.

cdef enum:
    MAX_CANONICAL = 16 * 4096

# What stands in a frame of a type: C, a, b, c, d a varint and the field it goes to; 1 and 2 a byte for a, b;
# B data with a length, R the rest of the payload, 8 eight bytes, I an id and a token, K ranges, N entries.
cdef const char *LAYOUTS[64]
cdef int position_of_layout
for position_of_layout in range(64):
    LAYOUTS[position_of_layout] = NULL
LAYOUTS[0x00] = b""
LAYOUTS[0x01] = b""
LAYOUTS[0x02] = b"K"
LAYOUTS[0x03] = b"Kabc"
LAYOUTS[0x06] = b"aB"
LAYOUTS[0x07] = b"B"
LAYOUTS[0x08] = b""
LAYOUTS[0x10] = b"CaR"
LAYOUTS[0x11] = b"CaR"
LAYOUTS[0x12] = b"CaB"
LAYOUTS[0x13] = b"CaB"
LAYOUTS[0x14] = b"CabcR"
LAYOUTS[0x16] = b"CabcB"
LAYOUTS[0x18] = b"Ca"
LAYOUTS[0x19] = b"CN"
LAYOUTS[0x1C] = b"R"
LAYOUTS[0x1E] = b"B"
LAYOUTS[0x20] = b"C12cB"
LAYOUTS[0x21] = b"Cabc"
LAYOUTS[0x22] = b"Ca"
LAYOUTS[0x28] = b"a"
LAYOUTS[0x29] = b"Ca"
LAYOUTS[0x2A] = b"ab"
LAYOUTS[0x2C] = b"a"
LAYOUTS[0x2D] = b"Ca"
LAYOUTS[0x2E] = b"ab"
LAYOUTS[0x30] = b"abI"
LAYOUTS[0x31] = b"a"
LAYOUTS[0x32] = b"8"
LAYOUTS[0x33] = b"8"
LAYOUTS[0x34] = b"abcd"
LAYOUTS[0x38] = b"aB"
LAYOUTS[0x39] = b"aB"

cdef uint8_t first_form[MAX_CANONICAL]
cdef uint8_t second_form[MAX_CANONICAL]


cdef const uint8_t *walk_varint(const uint8_t *at, const uint8_t *stop, uint64_t *value) noexcept nogil:
    """RFC 9000 §16, byte by byte."""
    cdef int count, position
    if at >= stop:
        return NULL
    count = 1 << (at[0] >> 6)
    if stop - at < count:
        return NULL
    value[0] = at[0] & 0x3F
    for position in range(1, count):
        value[0] = value[0] * 256 + at[position]
    return at + count


cdef const uint8_t *walk_many(const uint8_t *at, const uint8_t *stop, uint64_t count) noexcept nogil:
    """`count` varints."""
    cdef uint64_t value = 0
    if count > <uint64_t>(stop - at):
        return NULL
    while count and at != NULL:
        at = walk_varint(at, stop, &value)
        count -= 1
    return at


cdef const uint8_t *walk_counted(
    char what, const uint8_t *at, const uint8_t *stop, uint64_t *value
) noexcept nogil:
    """A part whose size stands before it."""
    if what == c"I":
        if at >= stop or stop - at < 17 + at[0]:
            return NULL
        return at + 17 + at[0]
    if what == c"K":
        at = walk_many(at, stop, 2)
        if at != NULL:
            at = walk_varint(at, stop, value)
        if at == NULL or value[0] > MAX_ACK_RANGES_ACCEPTED:
            return NULL
        return walk_many(at, stop, 1 + 2 * value[0])
    at = walk_varint(at, stop, value)
    if at == NULL:
        return NULL
    if what == c"N":
        return walk_many(at, stop, 2 * value[0])
    return at + value[0] if value[0] <= <uint64_t>(stop - at) else NULL


cdef uint64_t *frame_field(Frame *frame, char what) noexcept nogil:
    if what == c"C":
        return &frame.channel_id
    if what == c"a" or what == c"1":
        return &frame.a
    if what == c"b" or what == c"2":
        return &frame.b
    return &frame.c if what == c"c" else &frame.d


cdef const uint8_t *walk_frame(
    const uint8_t *at, const uint8_t *stop, Frame *frame, bint *agrees
) noexcept nogil:
    """Where the frame ends as this page reads it, NULL if it is cut off; whether its integers agree."""
    cdef uint64_t value = 0
    cdef const char *layout = NULL
    agrees[0] = True
    at = walk_varint(at, stop, &value)
    if at == NULL:
        return NULL
    if value < 64:
        layout = LAYOUTS[value]
    elif 0x100 <= value <= 0x1FF:
        layout = b"B"
    if layout == NULL:
        return NULL
    if value == 0:
        while at < stop and at[0] == 0:
            at += 1
        return at
    while layout[0] and at != NULL:
        if layout[0] == c"R":
            at = stop
        elif layout[0] == c"8":
            at = at + 8 if stop - at >= 8 else NULL
        elif layout[0] in (c"1", c"2"):
            if at >= stop:
                return NULL
            value = at[0]
            at += 1
            agrees[0] = agrees[0] and value == frame_field(frame, layout[0])[0]
        elif layout[0] in (c"B", c"I", c"K", c"N"):
            at = walk_counted(layout[0], at, stop, &value)
        else:
            at = walk_varint(at, stop, &value)
            agrees[0] = agrees[0] and value == frame_field(frame, layout[0])[0]
        layout += 1
    return at


cdef uint8_t *put_data(uint8_t *at, const uint8_t *data, Py_ssize_t size) noexcept nogil:
    at = put_varint(at, size)
    memcpy(at, data, size)
    return at + size


cdef uint8_t *put_ranges(uint8_t *at, Frame *frame, Parser *parser) noexcept nogil:
    cdef uint32_t position
    cdef Range *item = parser.ranges
    at = put_varint(at, item.stop - 1)
    at = put_varint(at, parser.ack_delay)
    at = put_varint(at, frame.range_count - 1)
    at = put_varint(at, item.stop - 1 - item.start)
    for position in range(1, frame.range_count):
        at = put_varint(at, item.start - item[1].stop - 1)
        item += 1
        at = put_varint(at, item.stop - 1 - item.start)
    return at


cdef uint8_t *put_entries(uint8_t *at, Frame *frame) noexcept nogil:
    cdef const uint8_t *entry = frame.data
    cdef uint64_t value = 0
    at = put_varint(at, frame.a)
    while entry < frame.data + frame.size:
        entry = get_varint(entry, frame.data + frame.size, &value)
        at = put_varint(at, value)
    return at


cdef uint8_t *put_frame(uint8_t *at, Frame *frame, Parser *parser) noexcept nogil:
    """The one form of the frame: shortest varints, every length written."""
    cdef uint32_t kind = frame.type
    cdef const char *layout
    if kind == FRAME_PADDING:
        memset(at, 0, frame.a)
        return at + frame.a
    if kind == FRAME_STREAM or kind == FRAME_MESSAGE or kind == FRAME_DATAGRAM:
        kind |= FRAME_LENGTH | (STREAM_FIN if frame.fin else 0)
    layout = LAYOUTS[kind if kind < 64 else FRAME_PARAMETERS]
    at = put_varint(at, kind)
    while layout[0]:
        if layout[0] == c"B":
            at = put_data(at, frame.data, frame.size)
        elif layout[0] == c"8":
            memcpy(at, frame.data, 8)
            at += 8
        elif layout[0] == c"I":
            at[0] = <uint8_t>frame.size
            memcpy(at + 1, frame.data, frame.size + 16)
            at += 17 + frame.size
        elif layout[0] == c"K":
            at = put_ranges(at, frame, parser)
        elif layout[0] == c"N":
            at = put_entries(at, frame)
        elif layout[0] in (c"1", c"2"):
            at[0] = <uint8_t>frame_field(frame, layout[0])[0]
            at += 1
        else:
            at = put_varint(at, frame_field(frame, layout[0])[0])
        layout += 1
    return at


cdef const char *check_ranges(Frame *frame, Parser *parser) noexcept nogil:
    cdef uint32_t position
    if not 0 < frame.range_count <= MAX_ACK_RANGES_ACCEPTED:
        return b"an ACK with so many ranges"
    for position in range(frame.range_count):
        if not 0 <= parser.ranges[position].start < parser.ranges[position].stop <= MAX_VARINT + 1:
            return b"an ACK range is none"
        if position and parser.ranges[position].stop >= parser.ranges[position - 1].start:
            return b"ACK ranges do not descend"
    return NULL


cdef const char *read_frames(
    const uint8_t *data, Py_ssize_t size, uint8_t *form, Py_ssize_t *form_size, bint *is_whole
) noexcept nogil:
    """Decodes a payload, checks each frame, and writes its one form."""
    cdef Parser parser
    cdef Frame frame
    cdef const uint8_t *end
    cdef const uint8_t *begin
    cdef uint8_t *at = form
    cdef const char *broken = NULL
    cdef bint agrees = True
    parser.at = data
    parser.stop = data + size
    is_whole[0] = False
    while parser.at < parser.stop and broken == NULL:
        begin = parser.at
        fault_before()
        if parse_frame(&parser, &frame) < 0:
            if fault_code != FRAME_ENCODING_ERROR and fault_code != PROTOCOL_VIOLATION:
                return b"a frame fails with another code"
            return NULL
        if frame.begin != begin or frame.end != parser.at or parser.at <= begin or parser.at > parser.stop:
            return b"a frame is not where it was decoded"
        end = walk_frame(begin, parser.stop, &frame, &agrees)
        if end != parser.at:
            return b"a frame ends elsewhere by the table"
        if not agrees:
            return b"a frame has other integers by the table"
        if frame.type == FRAME_ACK or frame.type == FRAME_ACK_ECN:
            broken = check_ranges(&frame, &parser)
        at = put_frame(at, &frame, &parser)
    is_whole[0] = broken == NULL
    form_size[0] = at - form
    return broken


cdef inline void fault_before() noexcept nogil:
    global fault_code
    fault_code = 0


cdef const char *target_frames(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t first_size = 0
    cdef Py_ssize_t second_size = 0
    cdef bint is_whole = False
    cdef const char *broken = read_frames(data, size, first_form, &first_size, &is_whole)
    if broken != NULL or not is_whole:
        return broken
    broken = read_frames(first_form, first_size, second_form, &second_size, &is_whole)
    if broken != NULL:
        return broken
    if not is_whole:
        return b"the encoded frames do not decode"
    if first_size != second_size or memcmp(first_form, second_form, first_size) != 0:
        return b"the encoded frames decode to others"
    return NULL
