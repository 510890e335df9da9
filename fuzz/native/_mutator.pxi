# Inputs and how they change: bits, interesting values, varints, splices from other inputs.
# Owns: the generator, the inputs kept, every mutation. May not know: what an input means.

cdef enum:
    MAX_INPUT = 4096

cdef struct Input:
    uint8_t *data
    uint32_t size

cdef Input *inputs = NULL
cdef uint32_t input_count = 0
cdef uint32_t input_room = 0
cdef uint64_t dice_state = 1

cdef uint64_t[24] INTERESTING = [
    0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 63, 64, 127, 128, 255, 256, 16383, 16384, 65535, 65536,
    0x3FFFFFFF, 0x40000000, 0x3FFFFFFFFFFFFFFE, 0x3FFFFFFFFFFFFFFF,
]


cdef inline uint64_t dice() noexcept nogil:
    """xorshift64*: 64 bits that follow from the seed."""
    global dice_state
    dice_state ^= dice_state >> 12
    dice_state ^= dice_state << 25
    dice_state ^= dice_state >> 27
    return dice_state * <uint64_t>0x2545F4914F6CDD1D


cdef inline uint32_t below(uint32_t limit) noexcept nogil:
    """A number in [0, limit), limit > 0."""
    return <uint32_t>(((dice() >> 32) * limit) >> 32)


cdef void dice_seed(uint64_t seed) noexcept nogil:
    global dice_state
    dice_state = (seed + 1) * <uint64_t>0x9E3779B97F4A7C15 | 1
    dice()


cdef int input_add(const uint8_t *data, uint32_t size) noexcept nogil:
    """Keeps a copy; NO_MEMORY without room for it."""
    global inputs, input_count, input_room
    cdef Input *grown
    if input_count == input_room:
        grown = <Input *>realloc(inputs, (input_room * 2 + 64) * sizeof(Input))
        if grown == NULL:
            return NO_MEMORY
        inputs = grown
        input_room = input_room * 2 + 64
    inputs[input_count].data = <uint8_t *>malloc(size + 1)
    if inputs[input_count].data == NULL:
        return NO_MEMORY
    memcpy(inputs[input_count].data, data, size)
    inputs[input_count].size = size
    input_count += 1
    return OK


cdef inline uint8_t *put_varint_any(uint8_t *at, uint64_t value) noexcept nogil:
    """A varint in a form that may be longer than needed."""
    cdef uint8_t *end = put_varint(at, value)
    if below(4):
        return end
    if end - at == 1:
        at[0] = 0x40
        at[1] = <uint8_t>value
        return at + 2
    if end - at < 8:
        store_u64(at, value | (<uint64_t>3 << 62))
        return at + 8
    return end


cdef uint32_t insert_bytes(
    uint8_t *data, uint32_t size, uint32_t at, const uint8_t *new, uint32_t count
) noexcept nogil:
    """Puts bytes in before `at`, as far as there is room: the new size."""
    if size + count > MAX_INPUT:
        return size
    memmove(data + at + count, data + at, size - at)
    memcpy(data + at, new, count)
    return size + count


cdef uint32_t mutate_size(uint8_t *data, uint32_t size) noexcept nogil:
    """A mutation that makes the input longer or shorter."""
    cdef uint32_t what = below(6)
    cdef uint32_t at = below(size + 1)
    cdef uint32_t count
    cdef uint8_t piece[16]
    cdef Input *other
    if what == 0 and size > 1:  # cut out
        count = min(1 + below(min(size, <uint32_t>16)), size - min(at, size))
        memmove(data + at, data + at + count, size - at - count)
        return size - count
    if what == 1 and size > 1:  # cut off
        return 1 + below(size)
    if what == 2:  # some bytes of one value
        count = 1 + below(8)
        memset(piece, below(4) if below(2) else below(256), 16)
        return insert_bytes(data, size, at, piece, count)
    if what == 3:  # a varint
        count = <uint32_t>(put_varint_any(piece, INTERESTING[below(24)]) - piece)
        return insert_bytes(data, size, at, piece, count)
    if what == 4 and size > 1:  # a part of itself
        count = 1 + below(min(size, <uint32_t>16))
        memcpy(piece, data + below(size - count + 1), count)
        return insert_bytes(data, size, at, piece, count)
    other = inputs + below(input_count)
    if other.size == 0:
        return size
    what = below(other.size)
    count = 1 + below(min(other.size - what, <uint32_t>64))
    if below(2):
        return insert_bytes(data, size, at, other.data + what, count)
    count = min(count, MAX_INPUT - at)  # over what is there
    memcpy(data + at, other.data + what, count)
    return max(size, at + count)


cdef uint32_t mutate_once(uint8_t *data, uint32_t size) noexcept nogil:
    cdef uint32_t what = below(8)
    cdef uint32_t at
    cdef uint8_t piece[8]
    cdef uint32_t count
    if size == 0 or what < 3:
        return mutate_size(data, size)
    at = below(size)
    if what == 3:
        data[at] ^= <uint8_t>(1 << below(8))
    elif what == 4:
        data[at] = <uint8_t>dice()
    elif what == 5:
        data[at] += <uint8_t>(below(9) - 4)
    elif what == 6:
        data[at] = <uint8_t>INTERESTING[below(16)]
    else:
        count = <uint32_t>(put_varint_any(piece, INTERESTING[below(24)]) - piece)
        count = min(count, size - at)
        memcpy(data + at, piece, count)
    return size


cdef uint32_t mutate_input(uint8_t *data, uint32_t size) noexcept nogil:
    """One to eight mutations, few more often: the new size."""
    cdef uint32_t count = 1 + below(1 << below(4))
    while count:
        size = mutate_once(data, size)
        count -= 1
    return size


def seed_dice(uint64_t seed):
    """Everything drawn from here on follows from the seed."""
    dice_seed(seed)


def add_input(bytes data):
    """An input to start from; ValueError if it is too long."""
    if len(data) > MAX_INPUT:
        raise ValueError(f"an input has at most {MAX_INPUT} bytes")
    if input_add(<const uint8_t *>PyBytes_AS_STRING(data), <uint32_t>len(data)) < 0:
        raise MemoryError


def kept_inputs():
    """All inputs: those that were added and those that reached something new."""
    return [
        PyBytes_FromStringAndSize(<char *>inputs[position].data, inputs[position].size)
        for position in range(input_count)
    ]


def forget_inputs():
    """Drops all inputs."""
    global input_count
    cdef uint32_t position
    for position in range(input_count):
        free(inputs[position].data)
    input_count = 0


def mutated(uint32_t max_size):
    """An input, changed, at most so long: for targets whose loop is in Python. There must be an input."""
    cdef uint8_t data[MAX_INPUT]
    cdef Input *chosen = inputs + below(input_count)
    cdef uint32_t size = chosen.size
    memcpy(data, chosen.data, size)
    size = min(mutate_input(data, size), max_size)
    return PyBytes_FromStringAndSize(<char *>data, size)
