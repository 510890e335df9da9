/* How far two cores are from each other: the nanoseconds of a cache line's round trip between them, one line.
 *
 * Owns: the measure. On a virtual machine the answer changes when the host moves a virtual processor; then
 * everything that passes from one process to another costs more or less, which explains runs of two kinds.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { ROUND_TRIPS = 20000, REPEATS = 5 };

static _Alignas(128) _Atomic uint32_t ball;
static int cores[2];

static int pin(int core) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    return sched_setaffinity(0, sizeof one, &one);
}

static void *answer(void *unused) {
    (void)unused;
    if (pin(cores[1])) return NULL;
    for (uint32_t turn = 1; turn < 2 * ROUND_TRIPS * REPEATS; turn += 2) {
        while (atomic_load_explicit(&ball, memory_order_acquire) != turn)
            ;
        atomic_store_explicit(&ball, turn + 1, memory_order_release);
    }
    return NULL;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(void) {
    cpu_set_t allowed;
    pthread_t other;
    double best = 0;
    int found = 0;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int core = 0; core < CPU_SETSIZE && found < 2; core++)
        if (CPU_ISSET(core, &allowed)) cores[found++] = core;
    if (found < 2 || pin(cores[0]) || pthread_create(&other, NULL, answer, NULL)) return 1;
    for (uint32_t repeat = 0, turn = 1; repeat < REPEATS; repeat++) {
        double start = now();
        for (int trip = 0; trip < ROUND_TRIPS; trip++, turn += 2) {
            atomic_store_explicit(&ball, turn, memory_order_release);
            while (atomic_load_explicit(&ball, memory_order_acquire) != turn + 1)
                ;
        }
        double each = (now() - start) / ROUND_TRIPS;
        if (best == 0 || each < best) best = each;
    }
    pthread_join(other, NULL);
    printf("%.0f\n", best);
    return 0;
}
