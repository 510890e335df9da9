# The loop of the targets in C: an input, mutated, into a target, again and again, without Python objects.
# Owns: the executions. May not know: what a target checks.

cdef enum:
    RED_ZONE = 64  # poisoned on both sides of an input, where the address sanitizer is on
    AREA_SIZE = 8192  # of the file that still holds the last input when the process died

# What a target gives back: NULL, or what did not hold.
ctypedef const char *(*Target)(const uint8_t *data, Py_ssize_t size) noexcept nogil

cdef Target[6] TARGETS = [
    target_headers, target_frames, target_ledger, target_stream, target_fragments, target_packets,
]
NAMES = ("headers", "frames", "ledger", "stream", "fragments", "packets")


cdef const char *execute(Target target, uint8_t *area, uint32_t size) noexcept nogil:
    """One execution on the input that stands in the area behind its size and a red zone."""
    cdef uint8_t *data = area + RED_ZONE
    cdef const char *broken
    memcpy(area, &size, sizeof(size))
    fuzz_poison(area + sizeof(size), RED_ZONE - sizeof(size))
    fuzz_poison(data + size, RED_ZONE)
    broken = target(data, size)
    fuzz_unpoison(data + size, RED_ZONE)
    fuzz_unpoison(area + sizeof(size), RED_ZONE - sizeof(size))
    return broken


cdef class Area:
    """A writable buffer of AREA_SIZE bytes (a mapped file), held while it is used."""

    cdef Py_buffer view
    cdef uint8_t *at

    def __init__(self, buffer):
        take_writable(buffer, &self.view)
        self.at = <uint8_t *>self.view.buf
        if self.view.len < AREA_SIZE:
            raise ValueError(f"the area must have {AREA_SIZE} bytes")

    def __dealloc__(self):
        if self.at != NULL:
            PyBuffer_Release(&self.view)


def run(name, uint64_t executions, area, uint32_t max_size):
    """So many executions of mutated inputs of at most `max_size` bytes, of which there must be one.

    AssertionError with what did not hold, and the input.
    """
    cdef Target target = TARGETS[NAMES.index(name)]
    cdef Area held = Area(area)
    cdef uint8_t *data = held.at + RED_ZONE
    cdef const char *broken = NULL
    cdef Input *chosen
    cdef uint32_t size = 0
    cdef uint64_t done = 0
    while done < executions and broken == NULL:
        chosen = inputs + below(input_count)
        size = chosen.size
        memcpy(data, chosen.data, size)
        size = min(mutate_input(data, size), max_size)
        coverage_start()
        broken = execute(target, held.at, size)
        if coverage_stop() and input_add(data, size) < 0:
            raise MemoryError
        done += 1
    if broken != NULL:
        raise AssertionError(broken.decode(), PyBytes_FromStringAndSize(<char *>data, size))


def run_one(name, bytes data, area):
    """One execution of exactly this input."""
    cdef Area held = Area(area)
    cdef const char *broken
    cdef uint32_t size = <uint32_t>min(len(data), MAX_INPUT)
    memcpy(held.at + RED_ZONE, PyBytes_AS_STRING(data), size)
    coverage_start()
    broken = execute(TARGETS[NAMES.index(name)], held.at, size)
    coverage_stop()
    if broken != NULL:
        raise AssertionError(broken.decode(), data)
