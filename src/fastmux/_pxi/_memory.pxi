# Memory, counted: every byte and object of this core is known to live(); faults of the inner functions.
# Owns: allocation, pools, the record of the last fault. May not know: what is stored.

cdef extern from *:
    """
    #ifdef FASTMUX_NO_POOLS
    #define FM_POOL_LIMIT(n) 0
    #else
    #define FM_POOL_LIMIT(n) (n)
    #endif
    static CYTHON_INLINE void fm_incref(void *object) { Py_INCREF((PyObject *)object); }
    static CYTHON_INLINE void fm_decref(void *object) { Py_DECREF((PyObject *)object); }
    static CYTHON_INLINE void *fm_bytes(const void *data, Py_ssize_t size) {
        return (void *)PyBytes_FromStringAndSize((const char *)data, size);
    }
    static CYTHON_INLINE char *fm_bytes_data(void *object) { return PyBytes_AS_STRING((PyObject *)object); }
    static CYTHON_INLINE Py_ssize_t fm_bytes_size(void *object) {
        return PyBytes_GET_SIZE((PyObject *)object);
    }
    #if defined(__GNUC__) || defined(__clang__)
    #define fm_prefetch_line(at) __builtin_prefetch(at)
    #else
    #define fm_prefetch_line(at) ((void)(at))
    #endif
    /* What is copied next comes closer while this packet is sealed. */
    static CYTHON_INLINE void fm_prefetch(const void *data, Py_ssize_t size) {
        for (Py_ssize_t at = 0; at < size; at += 64) fm_prefetch_line((const char *)data + at);
    }
    static CYTHON_INLINE void fm_clear_error(void) { PyErr_Clear(); }
    /* Where gcc sees that a copy has some thousand bytes at the most it makes a string instruction of it,
     * which is slow to start and, on some processors, very slow at some alignments. libc's knows better. */
    #if defined(__GNUC__)
    __attribute__((noinline))
    #endif
    static void fm_copy(void *to, const void *from, size_t size) {
    #if defined(__GNUC__)
        __asm__("" : "+r"(size));  /* any size, as far as the compiler knows */
    #endif
        memcpy(to, from, size);
    }
    """
    void fm_copy(void *to, const void *source, size_t size) noexcept nogil
    enum:
        BLOCK_POOL_LIMIT "FM_POOL_LIMIT(512)"
        RECORD_POOL_LIMIT "FM_POOL_LIMIT(1024)"
    # These touch Python objects: the caller holds the GIL although the functions around them are nogil.
    void fm_incref(void *object) noexcept nogil
    void fm_decref(void *object) noexcept nogil
    void *fm_bytes(const void *data, Py_ssize_t size) noexcept nogil
    char *fm_bytes_data(void *object) noexcept nogil
    Py_ssize_t fm_bytes_size(void *object) noexcept nogil
    void fm_prefetch(const void *data, Py_ssize_t size) noexcept nogil
    void fm_clear_error() noexcept nogil

ctypedef const uint8_t *ConstBytes

cdef enum:
    OK = 0
    FAULT = -1  # fault_code and fault_reason say which rule was broken
    NO_MEMORY = -2

cdef int64_t live_bytes = 0
cdef int64_t live_objects = 0
cdef int fault_code = 0
cdef const char *fault_reason = b""


cdef int fail(int code, const char *reason) noexcept nogil:
    global fault_code, fault_reason
    fault_code = code
    fault_reason = reason
    return FAULT


cdef int raise_status(int status) except -1:
    """Raises what a negative status of an inner function stands for."""
    if status == NO_MEMORY:
        raise MemoryError
    raise ProtocolError(fault_code, fault_reason.decode())


cdef void *mem_alloc(size_t size) noexcept nogil:
    global live_bytes
    cdef void *memory = malloc(size)
    if memory != NULL:
        live_bytes += <int64_t>size
    return memory


cdef void *mem_zeroed(size_t size) noexcept nogil:
    global live_bytes
    cdef void *memory = calloc(1, size)
    if memory != NULL:
        live_bytes += <int64_t>size
    return memory


cdef void *mem_resize(void *memory, size_t old_size, size_t size) noexcept nogil:
    global live_bytes
    cdef void *grown = realloc(memory, size)
    if grown != NULL:
        live_bytes += <int64_t>size - <int64_t>old_size
    return grown


cdef void mem_free(void *memory, size_t size) noexcept nogil:
    global live_bytes
    if memory != NULL:
        live_bytes -= <int64_t>size
        free(memory)


cdef extern from *:
    """
    /* Through a volatile pointer, or the compiler leaves out what is not read before it is freed. */
    static void *(*volatile const fm_memset)(void *, int, size_t) = memset;
    static void fm_wipe(void *memory, size_t size) { fm_memset(memory, 0, size); }
    """
    void wipe "fm_wipe"(void *memory, size_t size) noexcept nogil


cdef inline void hold(void *data) noexcept nogil:
    """Keeps a bytes object alive and counts it."""
    global live_bytes
    fm_incref(data)
    live_bytes += fm_bytes_size(data)


cdef inline void hold_new(void *data) noexcept nogil:
    """Counts a bytes object whose only reference is handed over."""
    global live_bytes
    live_bytes += fm_bytes_size(data)


cdef inline void let_go(void *data) noexcept nogil:
    """Gives a held bytes object back; exact bytes run no Python when they die."""
    global live_bytes
    live_bytes -= fm_bytes_size(data)
    fm_decref(data)


cdef object hand_over(void *data):
    """A held bytes object as a Python reference; it is no longer held."""
    global live_bytes
    live_bytes -= fm_bytes_size(data)
    result = <object>data
    fm_decref(data)
    return result


# Invariant: `free_list` chains `count` <= `limit` blocks of `size` bytes by their first word; they are not
# live.
cdef struct Pool:
    void *free_list
    uint32_t count
    uint32_t limit
    size_t size


cdef inline void *pool_take(Pool *pool) noexcept nogil:
    global live_bytes
    cdef void *block = pool.free_list
    if block == NULL:
        return mem_alloc(pool.size)
    memcpy(&pool.free_list, block, sizeof(void *))
    pool.count -= 1
    live_bytes += <int64_t>pool.size
    return block


cdef inline void pool_give(Pool *pool, void *block) noexcept nogil:
    global live_bytes
    if pool.count >= pool.limit:
        mem_free(block, pool.size)
        return
    memcpy(block, &pool.free_list, sizeof(void *))
    pool.free_list = block
    pool.count += 1
    live_bytes -= <int64_t>pool.size


cdef enum:
    BLOCK_SHIFT = 12

cdef Pool block_pool
block_pool.free_list = NULL
block_pool.count = 0
block_pool.limit = BLOCK_POOL_LIMIT
block_pool.size = BLOCK_SIZE


def live():
    """(bytes, objects) held by every object of this core: zero after all were closed and dropped."""
    return live_bytes, live_objects
