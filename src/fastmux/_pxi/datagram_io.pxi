# Rows of datagrams through a non-blocking UDP socket: many system calls, one call of Python, the GIL held.
# Owns: the calls, joining what came of one kind, cutting what one call takes. May not know: packets, the
# event loop, what an error means to its caller.

cdef extern from *:
    """
    #ifdef _WIN32
    #define FM_HAS_DATAGRAM_IO 0
    typedef struct { int size; } fm_address;
    static int fm_address_of(
        fm_address *to, int family, const char *host, int port, unsigned flow, unsigned scope
    ) {
        (void)to; (void)family; (void)host; (void)port; (void)flow; (void)scope;
        return 0;
    }
    static PyObject *fm_address_tuple(const fm_address *from) { (void)from; Py_RETURN_NONE; }
    static int fm_address_same(const fm_address *one, const fm_address *other) { return one == other; }
    static Py_ssize_t fm_receive_train(int fd, void *room, size_t size, int *segment, fm_address *from) {
        (void)fd; (void)room; (void)size; (void)segment; (void)from;
        return -1;
    }
    static int fm_send_train(int fd, const void *data, size_t size, int segment, const fm_address *to) {
        (void)fd; (void)data; (void)size; (void)segment; (void)to;
        return 0;
    }
    #else
    #include <arpa/inet.h>
    #include <errno.h>
    #include <netinet/in.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #define FM_HAS_DATAGRAM_IO 1
    enum { FM_SOL_UDP = 17, FM_UDP_SEGMENT = 103, FM_UDP_GRO = 104 };  /* <linux/udp.h> */

    typedef struct {
        socklen_t size;
        union { struct sockaddr any; struct sockaddr_in v4; struct sockaddr_in6 v6; } at;
    } fm_address;

    static int fm_address_of(
        fm_address *to, int family, const char *host, int port, unsigned flow, unsigned scope
    ) {
        memset(to, 0, sizeof *to);
        if (family == AF_INET) {
            to->size = sizeof to->at.v4;
            to->at.v4.sin_family = AF_INET;
            to->at.v4.sin_port = htons((uint16_t)port);
            return inet_pton(AF_INET, host, &to->at.v4.sin_addr) == 1;
        }
        to->size = sizeof to->at.v6;
        to->at.v6.sin6_family = AF_INET6;
        to->at.v6.sin6_port = htons((uint16_t)port);
        to->at.v6.sin6_flowinfo = htonl(flow);
        to->at.v6.sin6_scope_id = scope;
        return inet_pton(AF_INET6, host, &to->at.v6.sin6_addr) == 1;
    }

    static PyObject *fm_address_tuple(const fm_address *from) {
        char host[INET6_ADDRSTRLEN];
        if (from->at.any.sa_family == AF_INET) {
            inet_ntop(AF_INET, &from->at.v4.sin_addr, host, sizeof host);
            return Py_BuildValue("si", host, (int)ntohs(from->at.v4.sin_port));
        }
        inet_ntop(AF_INET6, &from->at.v6.sin6_addr, host, sizeof host);
        return Py_BuildValue("siII", host, (int)ntohs(from->at.v6.sin6_port),
                             (unsigned)ntohl(from->at.v6.sin6_flowinfo), (unsigned)from->at.v6.sin6_scope_id);
    }

    static int fm_address_same(const fm_address *one, const fm_address *other) {
        if (one->size != other->size || one->at.any.sa_family != other->at.any.sa_family) return 0;
        if (one->at.any.sa_family == AF_INET)
            return one->at.v4.sin_port == other->at.v4.sin_port
                && one->at.v4.sin_addr.s_addr == other->at.v4.sin_addr.s_addr;
        return one->at.v6.sin6_port == other->at.v6.sin6_port
            && one->at.v6.sin6_flowinfo == other->at.v6.sin6_flowinfo
            && one->at.v6.sin6_scope_id == other->at.v6.sin6_scope_id
            && memcmp(&one->at.v6.sin6_addr, &other->at.v6.sin6_addr, sizeof one->at.v6.sin6_addr) == 0;
    }

    typedef union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } fm_ancillary;

    /* The size of the next train, or -errno. */
    static Py_ssize_t fm_receive_train(int fd, void *room, size_t size, int *segment, fm_address *from) {
        fm_ancillary ancillary;
        struct iovec part = {room, size};
        struct msghdr message;
        memset(&message, 0, sizeof message);
        from->at.any.sa_family = AF_UNSPEC;
        message.msg_name = &from->at;
        message.msg_namelen = sizeof from->at;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = ancillary.room;
        message.msg_controllen = sizeof ancillary.room;
        ssize_t got = recvmsg(fd, &message, 0);
        if (got < 0) return -(Py_ssize_t)errno;
        from->size = message.msg_namelen;
        *segment = (int)got;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == FM_SOL_UDP && header->cmsg_type == FM_UDP_GRO)
            memcpy(segment, CMSG_DATA(header), sizeof *segment);
        return got;
    }

    /* 0, or errno. */
    static int fm_send_train(int fd, const void *data, size_t size, int segment, const fm_address *to) {
        fm_ancillary ancillary;
        struct iovec part = {(void *)data, size};
        struct msghdr message;
        memset(&message, 0, sizeof message);
        message.msg_name = (void *)&to->at;
        message.msg_namelen = to->size;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (size > (size_t)segment) {
            uint16_t value = (uint16_t)segment;
            memset(&ancillary, 0, sizeof ancillary);
            message.msg_control = ancillary.room;
            message.msg_controllen = CMSG_SPACE(sizeof value);
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = FM_SOL_UDP;
            header->cmsg_type = FM_UDP_SEGMENT;
            header->cmsg_len = CMSG_LEN(sizeof value);
            memcpy(CMSG_DATA(header), &value, sizeof value);
        }
        while (sendmsg(fd, &message, 0) < 0)
            if (errno != EINTR) return errno;
        return 0;
    }
    #endif
    """
    bint FM_HAS_DATAGRAM_IO
    ctypedef struct fm_address:
        pass
    bint fm_address_of(
        fm_address *to, int family, const char *host, int port, unsigned int flow, unsigned int scope
    )
    object fm_address_tuple(const fm_address *source)
    bint fm_address_same(const fm_address *one, const fm_address *other)
    Py_ssize_t fm_receive_train(int fd, void *room, size_t size, int *segment, fm_address *source)
    int fm_send_train(int fd, const void *data, size_t size, int segment, const fm_address *to)
    int PyObject_AsFileDescriptor(object sock) except -1

cdef extern from *:
    """
    static int fm_is_nothing_now(int code) {
    #ifdef _WIN32
        (void)code;
        return 1;
    #else
        return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
    #endif
    }
    """
    bint is_nothing_now "fm_is_nothing_now"(int code) noexcept

cdef enum:
    MAX_ROWS = 64  # a receive ends with so many

cdef struct Row:
    Py_ssize_t start
    Py_ssize_t size
    int segment_size
    fm_address source


@final
cdef class DatagramIO:
    """The system calls of one bound, non-blocking UDP socket, which it does not own.

    The compiled form bypasses the methods of the socket object. Invariant: `is_drained` is True if the last
    `receive` ended because nothing more waited; `named` is the address whose tuple is `name`.
    """

    cdef object sock
    cdef object name
    cdef object target_name
    cdef fm_address named
    cdef fm_address target
    cdef int family
    cdef bint drained
    cdef int64_t received_count
    cdef int64_t error_count

    def __init__(self, sock):
        if not FM_HAS_DATAGRAM_IO:
            raise NotImplementedError("no compiled socket calls on this system")
        self.family = sock.family
        self.sock = sock
        self.drained = True

    def __reduce__(self):
        raise TypeError("cannot pickle or copy DatagramIO")

    cdef object name_of(self, const fm_address *source):
        """The address as Python has it: the same tuple for the same peer in a row."""
        if self.name is None or not fm_address_same(source, &self.named):
            self.name = fm_address_tuple(source)
            self.named = source[0]
        return self.name

    cdef int aim(self, object address) except -1:
        """Makes `target` of an address."""
        if address is self.target_name:
            return 0
        host, port, *more = address
        flow, scope = more or (0, 0)
        self.target_name = None
        if not fm_address_of(
            &self.target, self.family, host.encode(), as_integer(port, 0, 65535),
            <unsigned int>as_integer(flow, 0, 0xFFFFF), <unsigned int>as_integer(scope, 0, 0xFFFFFFFF),
        ):
            raise ValueError(f"not an address of this socket's family: {host}")
        self.target_name = address
        return 0

    def receive(self, buffer, max_trains):
        """Takes trains into `buffer`: (start, size, segment_size, address) of each row of datagrams."""
        cdef Row rows[MAX_ROWS]
        cdef int count = 0
        cdef int64_t limit = min(as_wire(max_trains), <int64_t>MAX_ROWS)
        cdef int fd = PyObject_AsFileDescriptor(self.sock)
        cdef int position
        cdef Py_buffer view
        take_writable(buffer, &view)
        count = self.fetch(fd, <uint8_t *>view.buf, view.len, limit, rows)
        PyBuffer_Release(&view)
        return [
            (rows[position].start, rows[position].size, rows[position].segment_size,
             self.name_of(&rows[position].source))
            for position in range(count)
        ]

    cdef int fetch(self, int fd, uint8_t *out, Py_ssize_t room, int64_t limit, Row *rows) noexcept:
        """Fills `out`: how many rows it has become. Runs no Python."""
        cdef int count = 0
        cdef int errors = 0
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t size
        cdef Row *row
        self.drained = False
        while limit > 0 and errors < MAX_RECEIVE_ERRORS and at + TRAIN_BUFFER_SIZE <= room:
            row = rows + count
            size = fm_receive_train(fd, out + at, TRAIN_BUFFER_SIZE, &row.segment_size, &row.source)
            if size < 0:
                if is_nothing_now(<int>-size):
                    self.drained = True
                    break
                self.error_count += 1
                errors += 1
                continue
            self.received_count += 1
            limit -= 1
            row.start = at
            row.size = size
            if size and not (count and row_join(row - 1, row)):
                count += 1
            at += size
        return count

    def send(self, data, segment_size, train_size, address):
        """Sends `data` as datagrams of `segment_size`, `train_size` bytes a system call: (size, errno)."""
        cdef int64_t segment = as_wire(segment_size)
        cdef int64_t train = as_wire(train_size)
        cdef int fd = PyObject_AsFileDescriptor(self.sock)
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t part
        cdef int code = 0
        cdef Py_buffer view
        if segment < 1 or train < segment or train % segment:
            raise ValueError("train_size must be a whole number of segments")
        self.aim(address)
        take_buffer(data, &view)
        while at < view.len:
            part = min(<Py_ssize_t>train, view.len - at)
            code = fm_send_train(fd, <const uint8_t *>view.buf + at, part, <int>segment, &self.target)
            if code:
                break
            at += part
        PyBuffer_Release(&view)
        return at, code

    @property
    def is_drained(self):
        """True if the last `receive` ended because nothing more waited."""
        return bool(self.drained)

    @property
    def trains_received(self):
        """How many receiving calls brought something."""
        return self.received_count

    @property
    def receive_errors(self):
        """How many receiving calls reported an error."""
        return self.error_count


cdef inline bint row_join(Row *last, Row *train) noexcept:
    """Adds a train to the last row if it goes on there; a lone shorter datagram ends a row."""
    cdef bint is_like = train.segment_size == last.segment_size or (
        train.size == train.segment_size and train.size < last.segment_size
    )
    if not is_like or last.size % last.segment_size or not fm_address_same(&last.source, &train.source):
        return False
    last.size += train.size
    return True
