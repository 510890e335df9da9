# Bytes that nobody may touch, where the address sanitizer is on.
# Owns: the two macros. May not know: what lies there.

cdef extern from *:
    """
    #if defined(__SANITIZE_ADDRESS__)
    #include <sanitizer/asan_interface.h>
    #define fuzz_poison(at, size) __asan_poison_memory_region(at, size)
    #define fuzz_unpoison(at, size) __asan_unpoison_memory_region(at, size)
    #else
    #define fuzz_poison(at, size) ((void)(at))
    #define fuzz_unpoison(at, size) ((void)(at))
    #endif
    """
    void fuzz_poison(void *at, size_t size) noexcept nogil
    void fuzz_unpoison(void *at, size_t size) noexcept nogil
