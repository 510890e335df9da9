/* Loaded before libc: of the allocations that the compiled core makes, one in `n` fails once asked to.
 * Owns: malloc, calloc and realloc. Those of anybody else go through. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

static uintptr_t begin, end;
static uint64_t one_in, state, failures;

/* From now on one in `n` fails (0: none), by dice that begin at `seed`; the core's code is at [from, to). */
void fm_fail_allocations(uint64_t n, uint64_t seed, uintptr_t from, uintptr_t to) {
    begin = from;
    end = to;
    one_in = n;
    state = seed * 2 + 1;
}

uint64_t fm_failed_allocations(void) { return failures; }

static int fails(void *caller) {
    if (!one_in || (uintptr_t)caller < begin || (uintptr_t)caller >= end) return 0;
    state = state * 6364136223846793005u + 1442695040888963407u;
    if ((state >> 33) % one_in) return 0;
    failures++;
    return 1;
}

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size);
}
