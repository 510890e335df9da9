/* A link between one client and one server, where the kernel has no netem: rate, delay, random loss, a queue.
 *
 *   link ADDRESS PORT RATE_BITS DELAY_SECONDS LOSS SEED QUEUE_BYTES
 *
 * Owns: two UDP sockets on 127.0.0.1 and a queue a direction. It prints {"port": …}, forwards what the first
 * sender sends there to ADDRESS PORT and the answers back, and when its standard input ends prints what it did.
 * RATE_BITS 0 is without limit; DELAY_SECONDS is one way; LOSS is the share of datagrams lost, each way, by a
 * generator that starts from SEED; QUEUE_BYTES is what may wait for its turn on the link, more is dropped.
 * A datagram counts with 28 bytes of IP and UDP headers. Trains (UDP_GRO) are cut, each datagram decided for
 * itself, and what leaves together goes as a train again (UDP_SEGMENT). It knows no protocol above UDP.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
    MAX_DATAGRAM = 2048,
    MAX_WAITING = 1 << 14,          /* datagrams a direction, on the link and in its queue; a power of two */
    TRAIN_SIZE = 65507,
    TRAIN_SEGMENTS = 64,
    HEADERS_SIZE = 28,
    SOCKET_BUFFER_SIZE = 8 << 20,
    TRAINS_A_TURN = 16,
};

struct datagram {
    double due;
    uint32_t size;
    uint8_t data[MAX_DATAGRAM];
};

/* Invariant: `waiting[first … last)` (modulo MAX_WAITING) are in the order of their times. */
struct direction {
    int from, to;
    struct sockaddr_in *peer;       /* whom to send to; NULL: `to` is connected */
    struct datagram *waiting;
    uint32_t first, last;
    double free_at;                 /* when the link has carried all that was queued */
    uint64_t state;
    unsigned long long forwarded, lost, dropped;
};

static double rate, delay, loss, queue_size;
static struct sockaddr_in client;   /* port 0 until it has sent something */

static void fail(const char *what) {
    fprintf(stderr, "link: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* 0 ≤ r < 1 (xorshift64*). */
static double draw(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (double)(*state * 0x2545F4914F6CDD1Du >> 11) / 9007199254740992.0;
}

static int make_socket(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = SOCKET_BUFFER_SIZE, on = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) < 0)
        fail("socket");
    /* SO_*BUFFORCE goes past the limit of the system; without the right to it the kernel cuts the size. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) < 0)
        fail("UDP_GRO");
    return fd;
}

static void queue(struct direction *way, const uint8_t *data, size_t size, double now) {
    if (size > MAX_DATAGRAM) {
        errno = 0;
        fail("a datagram is larger than this link carries");
    }
    if (draw(&way->state) < loss) {
        way->lost++;
        return;
    }
    double start = way->free_at > now ? way->free_at : now;
    double backlog = rate > 0 ? (start - now) * rate / 8 : 0;
    if (way->last - way->first == MAX_WAITING || backlog + size + HEADERS_SIZE > queue_size) {
        way->dropped++;
        return;
    }
    way->free_at = rate > 0 ? start + (size + HEADERS_SIZE) * 8 / rate : now;
    struct datagram *slot = &way->waiting[way->last++ % MAX_WAITING];
    slot->due = way->free_at + delay;
    slot->size = (uint32_t)size;
    memcpy(slot->data, data, size);
}

/* Up to TRAINS_A_TURN trains into the queue. */
static void take_in(struct direction *way, int learns) {
    static uint8_t train[TRAIN_SIZE + HEADERS_SIZE];
    for (int turn = 0; turn < TRAINS_A_TURN; turn++) {
        union {
            char bytes[CMSG_SPACE(sizeof(int))];
            struct cmsghdr aligned;
        } control;
        struct sockaddr_in from;
        struct iovec part = {train, sizeof train};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t size = recvmsg(way->from, &message, 0);
        if (size < 0 && (errno == EAGAIN || errno == ECONNREFUSED))
            return;
        if (size < 0)
            fail("recvmsg");
        if (learns && client.sin_port == 0)
            client = from;
        if (learns && (from.sin_port != client.sin_port || from.sin_addr.s_addr != client.sin_addr.s_addr)) {
            errno = 0;
            fail("a second client: this link has one");
        }
        size_t segment = size > 0 ? (size_t)size : 1;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
            if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
                int value;
                memcpy(&value, CMSG_DATA(c), sizeof value);
                segment = (size_t)value;
            }
        double now = seconds_now();
        for (size_t at = 0; at < (size_t)size; at += segment)
            queue(way, train + at, (size_t)size - at < segment ? (size_t)size - at : segment, now);
    }
}

/* A train that the socket has no room for is dropped whole and counted, as by a full network card. */
static void send_train(struct direction *way, uint8_t *train, size_t size, size_t segment) {
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } control;
    unsigned count = (unsigned)((size + segment - 1) / segment);
    struct iovec part = {train, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (way->peer) {
        message.msg_name = way->peer;
        message.msg_namelen = sizeof *way->peer;
    }
    if (count > 1) {
        uint16_t value = (uint16_t)segment;
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof value);
        memcpy(CMSG_DATA(c), &value, sizeof value);
    }
    if (sendmsg(way->to, &message, 0) >= 0)
        way->forwarded += count;
    else if (errno == EAGAIN || errno == ECONNREFUSED)
        way->dropped += count;
    else
        fail("sendmsg");
}

/* Everything that is due, as trains of datagrams of one size (the last may be shorter). */
static void give_out(struct direction *way, double now) {
    static uint8_t train[TRAIN_SIZE];
    while (way->first != way->last && way->waiting[way->first % MAX_WAITING].due <= now) {
        size_t size = 0, segment = way->waiting[way->first % MAX_WAITING].size, count = 0;
        while (way->first != way->last && count < TRAIN_SEGMENTS) {
            struct datagram *next = &way->waiting[way->first % MAX_WAITING];
            if (next->due > now || next->size > segment || size + next->size > TRAIN_SIZE)
                break;
            memcpy(train + size, next->data, next->size);
            size += next->size;
            count++;
            way->first++;
            if (next->size < segment)
                break;
        }
        send_train(way, train, size, segment);
    }
}

static double next_due(const struct direction *way) {
    return way->first == way->last ? INFINITY : way->waiting[way->first % MAX_WAITING].due;
}

static void run(struct direction *there, struct direction *back) {
    struct pollfd watched[] = {{.fd = there->from, .events = POLLIN},
                               {.fd = back->from, .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};
    for (;;) {
        double due = fmin(next_due(there), next_due(back)), wait = fmax(due - seconds_now(), 0);
        struct timespec timeout = {.tv_sec = (time_t)fmin(wait, 1)};
        timeout.tv_nsec = wait < 1 ? (long)(wait * 1e9) : 0;
        if (ppoll(watched, 3, &timeout, NULL) < 0 && errno != EINTR)
            fail("ppoll");
        if (watched[2].revents)
            return;
        if (watched[0].revents)
            take_in(there, 1);
        if (watched[1].revents)
            take_in(back, 0);
        double now = seconds_now();
        give_out(there, now);
        give_out(back, now);
    }
}

static void print_way(const char *name, const struct direction *way, const char *end) {
    printf("\"%s\": {\"forwarded\": %llu, \"lost\": %llu, \"dropped\": %llu}%s", name, way->forwarded, way->lost,
           way->dropped, end);
}

int main(int argc, char **argv) {
    if (argc != 8) {
        fprintf(stderr, "usage: link ADDRESS PORT RATE_BITS DELAY_SECONDS LOSS SEED QUEUE_BYTES\n");
        return 2;
    }
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))}, here;
    socklen_t here_size = sizeof here;
    errno = 0;
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
        fail("the address is not a numeric IPv4 address");
    rate = atof(argv[3]);
    delay = atof(argv[4]);
    loss = atof(argv[5]);
    queue_size = atof(argv[7]);
    uint64_t seed = strtoull(argv[6], NULL, 10);
    prctl(PR_SET_TIMERSLACK, 1);
    int front = make_socket(), rear = make_socket();
    if (connect(rear, (struct sockaddr *)&server, sizeof server) < 0)
        fail("connect");
    struct direction there = {.from = front, .to = rear, .state = (seed << 1 | 1) * 0x9E3779B97F4A7C15u};
    struct direction back = {.from = rear, .to = front, .peer = &client, .state = (seed << 1 | 1) * 0xBF58476D1CE4E5B9u};
    there.waiting = calloc(MAX_WAITING, sizeof *there.waiting);
    back.waiting = calloc(MAX_WAITING, sizeof *back.waiting);
    if (!there.waiting || !back.waiting || getsockname(front, (struct sockaddr *)&here, &here_size) < 0)
        fail("setting up");
    printf("{\"port\": %d}\n", ntohs(here.sin_port));
    fflush(stdout);
    run(&there, &back);
    printf("{");
    print_way("there", &there, ", ");
    print_way("back", &back, "}\n");
    return 0;
}
