# Edges reached: where the core is compiled with -fsanitize-coverage=trace-pc, else nothing is ever counted.
# Owns: the counts of the execution that runs, and what earlier ones have reached. May not know: any target.

cdef extern from *:
    """
    #define FUZZ_EDGES 65536
    static uint8_t fuzz_counts[FUZZ_EDGES];
    static uint16_t fuzz_touched[FUZZ_EDGES];
    static uint32_t fuzz_touched_count = 0;
    static uint32_t fuzz_before = 0;
    static int fuzz_counting = 0;

    #ifdef FUZZ_GUIDED
    /* An edge is two places in a row, as AFL has it. */
    __attribute__((visibility("hidden"), no_sanitize_coverage, no_sanitize("address", "undefined")))
    void __sanitizer_cov_trace_pc(void) {
        if (!fuzz_counting) return;
        uint64_t place = (uint64_t)(uintptr_t)__builtin_return_address(0) * 0x9E3779B97F4A7C15u;
        uint32_t here = (uint32_t)(place >> 40) & (FUZZ_EDGES - 1);
        uint32_t edge = here ^ fuzz_before;
        fuzz_before = here >> 1;
        if (fuzz_counts[edge] == 0) fuzz_touched[fuzz_touched_count++] = (uint16_t)edge;
        if (fuzz_counts[edge] < 255) fuzz_counts[edge]++;
    }
    #endif

    /* How often, as one of eight bits: 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more. */
    static uint8_t fuzz_class(uint8_t count) {
        if (count < 4) return (uint8_t)(1u << (count - 1));
        if (count < 8) return 8;
        if (count < 16) return 16;
        if (count < 32) return 32;
        return count < 128 ? 64 : 128;
    }
    """
    enum:
        FUZZ_EDGES
    uint8_t fuzz_counts[FUZZ_EDGES]
    uint16_t fuzz_touched[FUZZ_EDGES]
    uint32_t fuzz_touched_count
    uint32_t fuzz_before
    int fuzz_counting
    uint8_t fuzz_class(uint8_t count) noexcept nogil

cdef uint8_t reached[65536]
cdef uint32_t reached_edges = 0


cdef void coverage_start() noexcept nogil:
    """Forgets the last execution's counts and begins to count."""
    global fuzz_touched_count, fuzz_before, fuzz_counting
    cdef uint32_t position
    for position in range(fuzz_touched_count):
        fuzz_counts[fuzz_touched[position]] = 0
    fuzz_touched_count = 0
    fuzz_before = 0
    fuzz_counting = 1


cdef bint coverage_stop() noexcept nogil:
    """Ends the count: True if this execution reached an edge, or one more often, for the first time."""
    global fuzz_counting, reached_edges
    cdef uint32_t position
    cdef uint8_t bit
    cdef uint8_t *known
    cdef bint is_new = False
    fuzz_counting = 0
    for position in range(fuzz_touched_count):
        known = reached + fuzz_touched[position]
        bit = fuzz_class(fuzz_counts[fuzz_touched[position]])
        if known[0] & bit == 0:
            reached_edges += known[0] == 0
            known[0] |= bit
            is_new = True
    return is_new


def coverage_begin():
    """Counts from here to `coverage_end`, for targets whose loop is in Python."""
    coverage_start()


def coverage_end():
    """True if anything since `coverage_begin` was reached for the first time."""
    return bool(coverage_stop())


def coverage_forget():
    """As if nothing had been reached yet."""
    global reached_edges
    memset(reached, 0, sizeof(reached))
    reached_edges = 0


def coverage_edges():
    """How many different edges were reached."""
    return reached_edges


def coverage_features():
    """What the last execution reached: (edge << 8 | how often) of each edge."""
    return [
        fuzz_touched[position] << 8 | fuzz_class(fuzz_counts[fuzz_touched[position]])
        for position in range(fuzz_touched_count)
    ]
