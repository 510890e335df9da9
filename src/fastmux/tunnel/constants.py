"""Every limit of the tunnel, once, with its reason; one block a room.

Owns: numbers. May not know: anything else of fastmux.
"""

from __future__ import annotations

from typing import Final

# --- Access, identity and configuration ---------------------------------------------------------------
MAX_HOST_SIZE: Final = 253  # characters of a DNS name in text (RFC 1035 §2.3.4), which no address exceeds
MAX_SOCKET_PATH_SIZE: Final = 107  # bytes of a Unix socket's path: Linux's sun_path without the final NUL
MAX_RULE_SIZE: Final = 1024  # characters: the longest URI identity that is of use, and the longest host
MAX_RULES: Final = 4096  # each that is for the same identity costs about a microsecond a channel
MAX_PORT_RANGES: Final = 64  # in one rule; a list longer than that is better several rules
MAX_KNOWN_PEERS: Final = 1024  # identities whose rules are remembered; the least used one is found anew
RESOLVE_TIMEOUT: Final = 10.0  # seconds: two tries of five, as resolv.conf's defaults
MAX_LOOKUPS_PER_IDENTITY: Final = 3  # at once: the event loop has five threads at least, for everybody
MAX_WAITING_LOOKUPS: Final = 256  # of an identity, behind those; its sockets are as many
MAX_RESOLVED_ADDRESSES: Final = 32  # looked at for one name: more are not tried within anybody's patience
MAX_CONFIGURATION_SIZE: Final = 2**20  # bytes: a larger file is a mistake
MAX_REVOKED: Final = 100_000  # names, pins and serial numbers; a CRL of a MiB has a quarter of that
CERTIFICATE_WARNING_DAYS: Final = 30  # `check-config` warns of a certificate that ends within these
DEFAULT_PORT: Final = 4433  # of a server (UDP), where none is given
CONGESTION_CONTROLLERS: Final = ("cubic", "newreno", "bbr")  # as fastmux.connect names them
DEFAULT_CONGESTION: Final = "cubic"  # fair to what shares the path; bbr bears a path that loses at random
RETRY_CHOICES: Final = ("auto", "always", "never")  # as fastmux.listen names them
DEFAULT_RETRY: Final = "auto"  # a stranger proves his address as soon as it costs something to believe him

# --- Forwarding -----------------------------------------------------------------------------------
SPLICE_CHUNK_SIZE: Final = 2**18  # bytes a read may take: 64 KiB cost 25 % more CPU, 1 MiB no less
MIN_SPLICE_CHUNK_SIZE: Final = 1024  # bytes: what a slow RateLimit cuts reads down to
RATE_LIMIT_BURST: Final = 0.1  # seconds of rate that may go at once: a read is a quarter of it
HALF_CLOSED_CHECK_INTERVAL: Final = 1.0  # seconds between looks at a socket that nobody reads any more
PRIORITY_INTERACTIVE: Final = 0  # level 0: pings and listen streams go before everything
PRIORITY_BULK: Final = 3 << 5  # level 3: forwarded bytes and datagrams share what is left, equally
DIAL_TIMEOUT: Final = 15.0  # seconds for all addresses of a target; FORWARD_OPEN_TIMEOUT must be longer
DIAL_RETRY_DELAY: Final = 0.05  # seconds before a Unix socket with a full backlog is tried again
MAX_DIAL_ADDRESSES: Final = 8  # tried of one name, 0.25 s apart: more would hardly get their turn
FORWARD_OPEN_TIMEOUT: Final = 30.0  # seconds that a local connection waits for the tunnel and the far end
FORWARD_BACKLOG: Final = 512  # connections that the system holds while this process is busy
FORWARD_ACCEPT_RETRY_DELAY: Final = 1.0  # seconds after accept found no descriptor or memory left
MAX_FORWARD_CONNECTIONS: Final = 1024  # at once a listener: what the peer's default limit of streams allows
MAX_SOCKETS_PER_IDENTITY: Final = 256  # open at the exit, over all connections of an identity (H54)
MAX_COUNTED_IDENTITIES: Final = 1024  # whose totals are kept; the least recently used one joins the others'
MAX_PING_MESSAGE_SIZE: Final = 64  # bytes that a ping may carry (H54)
PING_ANSWER_RATE: Final = 10.0  # pings answered a second, over all ping channels of a connection (H54)
PING_ANSWER_BURST: Final = 20  # and at once
MAX_UDP_FLOWS: Final = 128  # local peers a UDP listener: half of the sockets that the exit allows
# Seconds without a datagram either way. RFC 4787 §4.3 asks NATs for two minutes, because a binding that is
# gone is gone; a flow that is used again is opened again by itself, and holds a socket at the exit meanwhile.
UDP_FLOW_IDLE_TIMEOUT: Final = 60.0
MAX_UDP_FLOW_WAITING: Final = 32  # datagrams that wait for a flow's channel; more are dropped
MAX_UDP_BURST: Final = 64  # datagrams read of one socket before others have their turn
UDP_RECEIVE_SIZE: Final = 65535  # bytes: no datagram is larger
LISTEN_RETRY_BASE: Final = 1.0  # seconds before a refused -R is asked for again; doubles
LISTEN_RETRY_MAX: Final = 15.0  # seconds: an old connection's listener is gone after its idle timeout

# --- Proxies: what the SOCKS5 and the HTTP listener share ---------------------------------------------
NEGOTIATION_TIMEOUT: Final = 30.0  # seconds for a whole request: SOCKS5 from accept, HTTP from its first byte
PROXY_RECEIVE_SIZE: Final = 2**16  # bytes that one read of a client may give while its protocol is parsed
LINGER_TIMEOUT: Final = 2.0  # seconds that a refused client's data is read away, so that it sees the answer
LINGER_SIZE: Final = 2**20  # and bytes: an upload that nobody wanted is cut off after that
MAX_PROXY_HOST_SIZE: Final = 236  # bytes: `fastmux:tcp:`, a name and `:65535` have to fit a label of 255
# What guessing passwords costs (H51). The right password never waits where nobody has failed.
FAILED_LOGIN_DELAY: Final = 1.0  # seconds before a wrong answer is given
FREE_FAILURES: Final = 5  # of one source; further ones make all its attempts wait, right ones too
MAX_LOGIN_DELAY: Final = 10.0  # seconds: clients give up after 30 or so, and then nobody could log in
FAILURES_FORGOTTEN_AFTER: Final = 60.0  # seconds after a source's last failure
MAX_LOGINS_AT_ONCE: Final = 10  # attempts of a failing source that may wait; more are refused unchecked
MAX_FAILING_SOURCES: Final = 1024  # addresses remembered; the oldest is forgotten first
PROXY_LOG_INTERVAL: Final = 1.0  # seconds between lines of one kind that clients can cause (H44)

# --- SOCKS5 (RFC 1928) --------------------------------------------------------------------------------
SOCKS_RECEIVE_SIZE: Final = 4096  # bytes a read while negotiating: no message of it is longer than 515
MAX_UDP_DESTINATIONS: Final = 64  # channels an association; each holds one of the 256 sockets at the exit
SOCKS_UDP_IDLE_TIMEOUT: Final = 120.0  # seconds without a datagram either way (RFC 4787 §4.3: at least that)

# --- HTTP proxy (RFC 9110, RFC 9112) ------------------------------------------------------------------
MAX_HEAD_SIZE: Final = 2**16  # bytes of a head, a chunk's line or the trailers (H50)
MAX_REQUEST_FIELDS: Final = 100  # header lines of a request (H50); browsers send 15
KEEP_ALIVE_TIMEOUT: Final = 120.0  # seconds that a client's connection may rest before a request
MAX_PIPELINED_SIZE: Final = 2**16  # bytes of further requests that are read while one is answered

# --- Commands and services ------------------------------------------------------------------------
OPEN_TIMEOUT: Final = 10.0  # seconds that `connect` and `ping` wait for a connection
ACCESS_DENIED: Final = 0x403  # closes the connection of an identity that no rule is for
GOING_AWAY: Final = 0x410  # closes what is left when a drain's time is over
MIN_PING_INTERVAL: Final = 0.1  # seconds: the far end answers ten a second (H54)
MAX_PING_SIZE: Final = 64  # bytes: larger ones are not answered (H54)
MIN_PING_SIZE: Final = 8  # room for the number of the ping
PING_TIMEOUT: Final = 5.0  # seconds after the last ping that answers are waited for

# The client's connection.
RETRY_BASE: Final = 0.5  # seconds: the first retry comes within this time
DEFAULT_RETRY_MAX: Final = 30.0  # seconds: a server that comes back is found within this time
ATTEMPT_TIMEOUT: Final = 5.0  # seconds for one attempt: its packets go out at 0, 1 and 3 seconds
STABLE_PERIOD: Final = 10.0  # seconds that a connection must hold before the back-off is forgotten
HEARTBEAT_INTERVAL: Final = 2.0  # seconds between looks at the peer, so that a restart is noticed within 5
HEARTBEAT_TIMEOUT: Final = 1.0  # seconds of silence after a ping before a second connection is tried
HEARTBEAT_RTTS: Final = 4  # or this many round trips, if that is more
SUSPEND_THRESHOLD: Final = 2.0  # seconds: less may be a step of the clock
DRAIN_TIMEOUT: Final = 30.0  # seconds that open channels get to finish after SIGTERM

# Workers.
WORKER_RESTARTS: Final = 5  # of one place within WORKER_RESTART_PERIOD: more is no accident, `serve` ends
WORKER_RESTART_PERIOD: Final = 60.0
WORKER_RESTART_DELAY: Final = 0.5  # seconds before a dead worker's place is taken again
WORKER_START_TIMEOUT: Final = 30.0
WORKER_STOP_TIMEOUT: Final = 5.0  # seconds for a worker that is to exit at once, before it is killed

# The control socket.
MAX_CONTROL_REQUEST_SIZE: Final = 16384  # bytes of one line: a request is a name and a few words
MAX_CONTROL_ANSWER_SIZE: Final = 8 * 2**20  # bytes of one line: a status is 4 MB with everything at its limit
MAX_CONTROL_CLIENTS: Final = 16  # of one user, each for a moment
REVERSE_ANSWER_TIMEOUT: Final = (
    5.0  # seconds that `ctl forward -R` waits for the server; below CONTROL_TIMEOUT
)
CONTROL_TIMEOUT: Final = 10.0  # seconds that a client may take for a request, and `ctl` waits for an answer
MAX_STATUS_CHANNELS: Final = 4096  # listed one by one in a status; the rest are counted
MAX_STATUS_CONNECTIONS: Final = 1024

# Metrics.
MAX_METRICS_REQUEST_SIZE: Final = 8192  # bytes of request line and headers: Prometheus sends some 300
MAX_METRICS_CLIENTS: Final = 16
METRICS_TIMEOUT: Final = 5.0  # seconds for a request and for taking its answer
MAX_METRICS_OUTCOMES: Final = 64  # pairs of kind and outcome: there are some thirty

# Logs.
MAX_LOG_LINE_SIZE: Final = 4096  # characters of a message: no text of a peer is longer than 255 bytes

# Standard input and output.
STDIO_CHUNK_SIZE: Final = 262144  # bytes read at once: four of Linux's default pipe buffers
PIPE_BUFFER_SIZE: Final = 4096  # bytes that a pipe takes without blocking once it is writable (PIPE_BUF)
