/* The floor of the bulk benchmark: what one core a side can carry with no protocol at all.
 *
 *   floor receive LIBCRYPTO CIPHER MAX_SECONDS WARMUP_SECONDS ADDRESS
 *   floor send    LIBCRYPTO CIPHER MAX_SECONDS WARMUP_SECONDS MAX_BYTES DATAGRAM_SIZE ADDRESS PORT
 *
 * Owns: blocking UDP over IPv4, trains by UDP_SEGMENT and UDP_GRO, one AES-128-GCM operation a datagram on
 * each side (CIPHER "aes-128-gcm", or "none" for the bare sockets), and 1 MB of credit that the receiver returns in
 * datagrams of 8 bytes. It knows nothing of packets, acknowledgements or loss: a missing datagram is an error.
 * libcrypto is the interpreter's own, loaded by path; the prototypes are declared here, so no headers are needed.
 * The key is a constant: the program measures, it protects nothing.
 *
 * Datagram: number (8 bytes, little endian, also the associated data), text, tag (16 bytes). No text: the end,
 * answered by a credit without limit once every byte is verified.
 * The text is a pattern of 1,048,573 bytes (a prime, so no train boundary repeats) over and over.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
    PATTERN_SIZE = 1048573,
    TRAIN_SIZE = 65507,             /* the largest UDP payload over IPv4 */
    TRAIN_SEGMENTS = 64,            /* UDP_MAX_SEGMENTS of older kernels */
    NUMBER_SIZE = 8,
    TAG_SIZE = 16,
    IV_SIZE = 12,
    CREDIT_SIZE = 1000000,
    CREDIT_STEP = 8,                /* credit returns each time an eighth of it was received */
    SOCKET_BUFFER_SIZE = 4 << 20,
    GRACE_SECONDS = 5,              /* silence, or time past MAX_SECONDS, that ends the run as failed */
    EVP_CTRL_GET_TAG = 0x10,
    EVP_CTRL_SET_TAG = 0x11,
};

static int (*evp_init)(void *, const void *, void *, const uint8_t *, const uint8_t *, int);
static int (*evp_update)(void *, uint8_t *, int *, const uint8_t *, int);
static int (*evp_final)(void *, uint8_t *, int *);
static int (*evp_ctrl)(void *, int, int, void *);

static uint8_t pattern[PATTERN_SIZE + TRAIN_SIZE];
static void *cipher_context;        /* NULL: no cipher */

static void fail(const char *what) {
    fprintf(stderr, "floor: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static double wall_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* What was measured: everything after the mark, which is set once the warm-up is over. */
static double started_at, marked_at, marked_cpu;
static uint64_t marked_bytes;

static void meter_start(void) {
    started_at = marked_at = wall_seconds();
    marked_cpu = cpu_seconds();
}

static void meter_mark(double now, double warmup, uint64_t bytes) {
    if (marked_bytes == 0 && now - started_at >= warmup) {
        marked_at = now;
        marked_cpu = cpu_seconds();
        marked_bytes = bytes;
    }
}

/* Linux carries ru_maxrss over exec: it would be that of the Python that started this. */
static unsigned long long peak_rss_size(void) {
    unsigned long long kilobytes = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    if (!status)
        return 0;
    while (fgets(line, sizeof line, status) && sscanf(line, "VmHWM: %llu", &kilobytes) != 1)
        ;
    fclose(status);
    return kilobytes * 1024;
}

static void meter_print(const char *role, uint64_t bytes, const char *detail) {
    double seconds = wall_seconds() - marked_at, cpu = cpu_seconds() - marked_cpu;
    printf("{\"role\": \"%s\", \"total_size\": %llu, \"size\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, "
           "\"rss_size\": %llu, \"detail\": {%s}}\n",
           role, (unsigned long long)bytes, (unsigned long long)(bytes - marked_bytes), seconds, cpu,
           peak_rss_size(), detail);
    fflush(stdout);
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) {
        errno = 0;
        fail(dlerror());
    }
    return found;
}

static void load_cipher(const char *path, const char *name, int sealing) {
    static const uint8_t key[16] = "fastmux floor";
    errno = 0;
    if (strcmp(name, "none") == 0)
        return;
    if (strcmp(name, "aes-128-gcm") != 0)
        fail("the cipher is aes-128-gcm or none");
    void *library = dlopen(path, RTLD_NOW);
    if (!library)
        fail(dlerror());
    void *(*context_new)(void) = symbol(library, "EVP_CIPHER_CTX_new");
    const void *(*aes_128_gcm)(void) = symbol(library, "EVP_aes_128_gcm");
    evp_init = symbol(library, "EVP_CipherInit_ex");
    evp_update = symbol(library, "EVP_CipherUpdate");
    evp_final = symbol(library, "EVP_CipherFinal_ex");
    evp_ctrl = symbol(library, "EVP_CIPHER_CTX_ctrl");
    cipher_context = context_new();
    if (!cipher_context || evp_init(cipher_context, aes_128_gcm(), NULL, key, NULL, sealing) != 1)
        fail("cannot set up AES-128-GCM");
}

static void put_number(uint8_t *out, uint64_t number) {
    for (int i = 0; i < NUMBER_SIZE; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t get_number(const uint8_t *in) {
    uint64_t number = 0;
    for (int i = 0; i < NUMBER_SIZE; i++)
        number |= (uint64_t)in[i] << (8 * i);
    return number;
}

/* One datagram into `out`; returns its size. */
static size_t seal(uint8_t *out, uint64_t number, const uint8_t *text, int size) {
    uint8_t iv[IV_SIZE] = {0};
    int written;
    put_number(out, number);
    if (!cipher_context) {
        memcpy(out + NUMBER_SIZE, text, size);
        memset(out + NUMBER_SIZE + size, 0, TAG_SIZE);
        return NUMBER_SIZE + size + TAG_SIZE;
    }
    memcpy(iv, out, NUMBER_SIZE);
    if (evp_init(cipher_context, NULL, NULL, NULL, iv, -1) != 1 ||
        evp_update(cipher_context, NULL, &written, out, NUMBER_SIZE) != 1 ||
        (size && evp_update(cipher_context, out + NUMBER_SIZE, &written, text, size) != 1) ||
        evp_final(cipher_context, out + NUMBER_SIZE + size, &written) != 1 ||
        evp_ctrl(cipher_context, EVP_CTRL_GET_TAG, TAG_SIZE, out + NUMBER_SIZE + size) != 1)
        fail("sealing failed");
    return NUMBER_SIZE + size + TAG_SIZE;
}

/* The text of one datagram into `out`; returns its size. A damaged or missing datagram ends the run. */
static size_t open_datagram(uint8_t *out, uint64_t expected, uint8_t *in, size_t size) {
    uint8_t iv[IV_SIZE] = {0};
    int written;
    errno = 0;
    if (size < NUMBER_SIZE + TAG_SIZE || get_number(in) != expected)
        fail("a datagram is missing: the receive buffer is too small for the credit");
    int text_size = (int)(size - NUMBER_SIZE - TAG_SIZE);
    if (!cipher_context) {
        memcpy(out, in + NUMBER_SIZE, text_size);
        return text_size;
    }
    memcpy(iv, in, NUMBER_SIZE);
    if (evp_init(cipher_context, NULL, NULL, NULL, iv, -1) != 1 ||
        evp_ctrl(cipher_context, EVP_CTRL_SET_TAG, TAG_SIZE, in + size - TAG_SIZE) != 1 ||
        evp_update(cipher_context, NULL, &written, in, NUMBER_SIZE) != 1 ||
        (text_size && evp_update(cipher_context, out, &written, in + NUMBER_SIZE, text_size) != 1) ||
        evp_final(cipher_context, out + text_size, &written) != 1)
        fail("a datagram is damaged");
    return text_size;
}

static struct in_addr address_of(const char *text) {
    struct in_addr address;
    errno = 0;
    if (inet_pton(AF_INET, text, &address) != 1)
        fail("the address is not a numeric IPv4 address");
    return address;
}

static int make_socket(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = SOCKET_BUFFER_SIZE;
    struct timeval patience = {.tv_sec = GRACE_SECONDS};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        fail("socket");
    /* Refused sizes are cut by the kernel; the receiver looks at what it got. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0)
        fail("socket buffers");
    return fd;
}

/* One GRO train; `segment_size` is that of its datagrams (all but the last). */
static size_t receive_train(int fd, uint8_t *train, size_t *segment_size, struct sockaddr_in *from) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec part = {train, TRAIN_SIZE + 28};
    struct msghdr message = {.msg_name = from,
                             .msg_namelen = sizeof *from,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t size = recvmsg(fd, &message, 0);
    if (size < 0)
        fail("nothing received in time");
    *segment_size = (size_t)size;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int value;
            memcpy(&value, CMSG_DATA(c), sizeof value);
            *segment_size = (size_t)value;
        }
    return (size_t)size;
}

static void send_credit(int fd, uint64_t limit, const struct sockaddr_in *to) {
    uint8_t credit[NUMBER_SIZE];
    put_number(credit, limit);
    if (sendto(fd, credit, sizeof credit, 0, (const struct sockaddr *)to, sizeof *to) < 0)
        fail("sending credit");
}

static void run_receiver(double max_seconds, double warmup, const char *address) {
    static uint8_t train[TRAIN_SIZE + 28], text[TRAIN_SIZE + 28];
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = address_of(address)}, peer;
    socklen_t here_size = sizeof here, option_size = sizeof(int);
    int fd = make_socket(), on = 1, buffer_size = 0, gro, done = 0;
    uint64_t number = 0, received = 0, returned = 0, trains = 0;
    char detail[128];

    if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0 || getsockname(fd, (struct sockaddr *)&here, &here_size) < 0)
        fail("bind");
    gro = setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_size, &option_size);
    /* The kernel charges a datagram for its bookkeeping too: a quarter of the buffer is safe. */
    uint64_t credit = buffer_size / 4 < CREDIT_SIZE ? (uint64_t)buffer_size / 4 : CREDIT_SIZE;
    printf("{\"port\": %d}\n", ntohs(here.sin_port));
    fflush(stdout);

    while (!done) {
        size_t segment_size, size = receive_train(fd, train, &segment_size, &peer), filled = 0;
        if (number == 0)
            meter_start();
        for (size_t at = 0; at < size; at += segment_size) {
            size_t one = size - at < segment_size ? size - at : segment_size;
            size_t got = open_datagram(text + filled, number++, train + at, one);
            done |= got == 0;
            filled += got;
        }
        errno = 0;
        if (memcmp(text, pattern + received % PATTERN_SIZE, filled) != 0)
            fail("the bytes received are not those sent");
        received += filled;
        trains++;
        if (received - returned >= credit / CREDIT_STEP || trains == 1 || done) {
            returned = received;
            send_credit(fd, done ? UINT64_MAX : returned + credit, &peer);
        }
        double now = wall_seconds();
        meter_mark(now, warmup, received);
        if (now - started_at > max_seconds + GRACE_SECONDS)
            fail("out of time");
    }
    snprintf(detail, sizeof detail, "\"gro\": %s, \"datagrams_per_train\": %.1f, \"credit_size\": %llu",
             gro ? "true" : "false", (double)number / trains, (unsigned long long)credit);
    meter_print("server", received, detail);
}

static void run_sender(double max_seconds, uint64_t max_bytes, size_t datagram_size, const char *address, int port,
                       double warmup) {
    static uint8_t train[TRAIN_SIZE];
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address_of(address)};
    int fd = make_socket(), segment = (int)datagram_size, text_size = (int)datagram_size - NUMBER_SIZE - TAG_SIZE;
    size_t per_train = TRAIN_SIZE / datagram_size < TRAIN_SEGMENTS ? TRAIN_SIZE / datagram_size : TRAIN_SEGMENTS;
    uint64_t number = 0, sent = 0, limit = (uint64_t)text_size;   /* the first datagram fetches the credit */
    char detail[128];

    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) < 0)
        fail("connect");
    int gso = setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0;
    if (!gso)
        per_train = 1;
    meter_start();
    for (double now = started_at; now - started_at < max_seconds && sent < max_bytes; now = wall_seconds()) {
        size_t segments = per_train, size = 0;
        if (sent == 0)
            segments = 1;
        while (sent + segments * text_size > limit) {
            uint8_t credit[NUMBER_SIZE];
            if (recv(fd, credit, sizeof credit, 0) != sizeof credit)
                fail("no credit in time");
            if (get_number(credit) > limit)
                limit = get_number(credit);
        }
        for (size_t i = 0; i < segments; i++, sent += text_size)
            size += seal(train + size, number++, pattern + sent % PATTERN_SIZE, text_size);
        if (send(fd, train, size, 0) != (ssize_t)size)
            fail("send");
        meter_mark(now, warmup, sent);
    }
    size_t size = seal(train, number++, pattern, 0);
    if (send(fd, train, size, 0) != (ssize_t)size)
        fail("send");
    while (limit != UINT64_MAX) {
        uint8_t credit[NUMBER_SIZE];
        if (recv(fd, credit, sizeof credit, 0) != sizeof credit)
            fail("no answer to the end");
        limit = get_number(credit);
    }
    snprintf(detail, sizeof detail, "\"gso\": %s, \"datagrams\": %llu", gso ? "true" : "false", (unsigned long long)number);
    meter_print("client", sent, detail);
}

int main(int argc, char **argv) {
    int receiving = argc == 7 && strcmp(argv[1], "receive") == 0;
    if (!receiving && !(argc == 10 && strcmp(argv[1], "send") == 0)) {
        fprintf(stderr, "usage: floor receive LIBCRYPTO CIPHER MAX_SECONDS WARMUP_SECONDS ADDRESS\n"
                        "       floor send LIBCRYPTO CIPHER MAX_SECONDS WARMUP_SECONDS MAX_BYTES DATAGRAM_SIZE ADDRESS PORT\n");
        return 2;
    }
    uint64_t state = 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < PATTERN_SIZE; i++) {          /* xorshift64: any bytes without a short period do */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        pattern[i] = (uint8_t)(state >> 32);
    }
    memcpy(pattern + PATTERN_SIZE, pattern, TRAIN_SIZE);
    load_cipher(argv[2], argv[3], !receiving);
    double max_seconds = atof(argv[4]), warmup = atof(argv[5]);
    if (receiving) {
        run_receiver(max_seconds, warmup, argv[6]);
        return 0;
    }
    long datagram_size = atol(argv[7]);
    errno = 0;
    if (datagram_size <= NUMBER_SIZE + TAG_SIZE || datagram_size > TRAIN_SIZE)
        fail("the datagram size is 25 to 65507");
    run_sender(max_seconds, strtoull(argv[6], NULL, 10), (size_t)datagram_size, argv[8], atoi(argv[9]), warmup);
    return 0;
}
