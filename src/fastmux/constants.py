"""Every number of the wire and every default limit, once, with its reason.

Owns: numbers. May not know: anything else of fastmux. Both cores read these; the compiled core repeats
the hot ones as C enums and a test compares them with this file.
"""

from __future__ import annotations

from typing import Final

# --- Versions -------------------------------------------------------------------------------------
VERSION_NEGOTIATION: Final = 0x00000000
VERSION_1: Final = 0x664D7801  # "fmx" and a one
VERSION_PLAINTEXT: Final = 0x664D78F1  # no encryption, no identity: never negotiated to or from
VERSION_GREASE_MASK: Final = 0x0F0F0F0F  # versions of the form 0x?a?a?a?a are grease (RFC 9000 §15)
ALPN: Final = b"fastmux/1"
EXPORTER_LABEL: Final = b"EXPORTER-fastmux-1"
HANDSHAKE_SALT: Final = bytes.fromhex("9b1fd0c3f6a84e7f8a2d0c9be5c1f0a7734e6a5d")
PROTOCOL_LABEL: Final = b"fastmux 1"

# --- First byte -----------------------------------------------------------------------------------
FORM_LONG: Final = 0x80
FIXED_BIT: Final = 0x40  # set in every packet: keeps fastmux apart from STUN (RFC 9443)
KEY_PHASE_BIT: Final = 0x04
SHORT_RESERVED_MASK: Final = 0x3B  # zero under authentication
LONG_TYPE_MASK: Final = 0x30
LONG_HANDSHAKE: Final = 0x00
LONG_RETRY: Final = 0x30
LONG_RESERVED_MASK: Final = 0x0F

# --- Sizes ----------------------------------------------------------------------------------------
PACKET_NUMBER_SIZE: Final = 4
TAG_SIZE: Final = 16
IV_SIZE: Final = 12
MIN_CONNECTION_ID_SIZE: Final = 4
MAX_CONNECTION_ID_SIZE: Final = 20
DEFAULT_CONNECTION_ID_SIZE: Final = 8
RESET_TOKEN_SIZE: Final = 16
MIN_STATELESS_RESET_SIZE: Final = 21  # RFC 9000 §10.3: a first byte, 4 that no one can foresee, the token
MAX_STATELESS_RESET_SIZE: Final = 41  # of ours: more says nothing more; shorter still than what it answers
MAX_TOKEN_SIZE: Final = 512
MAX_VARINT: Final = (1 << 62) - 1
MAX_PACKET_NUMBER: Final = (1 << 62) - 1
FRAGMENT_UNIT: Final = 128  # bytes: a message is a row of these, the last one shorter
MAX_LABEL_SIZE: Final = 255
MAX_ANSWER_TEXT_SIZE: Final = 255  # bytes: its length is one byte
MAX_REASON_SIZE: Final = 512
MAX_UDP_PAYLOAD: Final = 65507
MAX_TRAIN_SIZE: Final = 65507
MAX_TRAIN_SEGMENTS: Final = 64  # Linux UDP_MAX_SEGMENTS before 6.9
TRAIN_BUFFER_SIZE: Final = 65536  # room that any received train fits into: UDP's length has 16 bits

# --- AEAD suites ----------------------------------------------------------------------------------
SUITE_NULL: Final = 0  # PLAINTEXT: CRC-32 and the nonce in place of a tag
SUITE_AES_128_GCM: Final = 1
SUITE_AES_256_GCM: Final = 2
SUITE_CHACHA20_POLY1305: Final = 3
SUITE_KEY_SIZES: Final = {0: 0, 1: 16, 2: 32, 3: 32}
AES_GCM_PACKET_LIMIT: Final = 1 << 23  # sealed under one key (RFC 9001 §6.6)
AES_GCM_FAILURE_LIMIT: Final = 1 << 52
CHACHA20_FAILURE_LIMIT: Final = 1 << 36
KEY_UPDATE_INTERVAL: Final = 1 << 22  # packets: the other half of a key's limit is time for the update
OLD_KEYS_PTOS: Final = 3  # old receiving keys are kept this many PTO (RFC 9001 §6.5)
KEY_UPDATE_GAP: Final = 0.1  # seconds at least between updates of ours, however small the interval
KEY_UPDATE_BURST: Final = 100  # updates of the peer forgiven at once
KEY_UPDATE_RATE: Final = 33.0  # and per second: three times what KEY_UPDATE_GAP allows, about 1 % of a core

# --- Frame types ----------------------------------------------------------------------------------
FRAME_PADDING: Final = 0x00
FRAME_PING: Final = 0x01
FRAME_ACK: Final = 0x02
FRAME_ACK_ECN: Final = 0x03  # reserved: ACK with three ECN counts
FRAME_HANDSHAKE: Final = 0x06
FRAME_PARAMETERS: Final = 0x07
FRAME_HANDSHAKE_DONE: Final = 0x08
FRAME_STREAM: Final = 0x10  # | STREAM_FIN | FRAME_LENGTH
FRAME_MESSAGE: Final = 0x14  # | FRAME_LENGTH
FRAME_MESSAGE_FIN: Final = 0x18
FRAME_MESSAGE_ABANDON: Final = 0x19
FRAME_DATAGRAM: Final = 0x1C  # | FRAME_LENGTH
FRAME_OPEN: Final = 0x20
FRAME_RESET: Final = 0x21
FRAME_STOP: Final = 0x22
FRAME_MAX_DATA: Final = 0x28
FRAME_MAX_CHANNEL_DATA: Final = 0x29
FRAME_MAX_CHANNELS: Final = 0x2A
FRAME_DATA_BLOCKED: Final = 0x2C
FRAME_CHANNEL_DATA_BLOCKED: Final = 0x2D
FRAME_CHANNELS_BLOCKED: Final = 0x2E
FRAME_NEW_ID: Final = 0x30
FRAME_RETIRE_ID: Final = 0x31
FRAME_PATH_CHALLENGE: Final = 0x32
FRAME_PATH_RESPONSE: Final = 0x33
FRAME_ACK_FREQUENCY: Final = 0x34
FRAME_CONNECTION_CLOSE: Final = 0x38  # by the transport
FRAME_APPLICATION_CLOSE: Final = 0x39  # by the application
FRAME_EXTENSION_FIRST: Final = 0x100  # length-prefixed, ignored when unknown but enabled
FRAME_EXTENSION_LAST: Final = 0x1FF
STREAM_FIN: Final = 0x01
FRAME_LENGTH: Final = 0x02  # a length follows; without it the data runs to the end of the packet

# --- Control reports of DataPath.take_control() that are no frames -----------------------------------
CONTROL_ACKED: Final = -1
CONTROL_LOST: Final = -2
CONTROL_KEYS_UPDATED: Final = -3

# --- Channels -------------------------------------------------------------------------------------
# channel id = index << 2 | kind << 1 | role of the opener
ROLE_CLIENT: Final = 0
ROLE_SERVER: Final = 1
KIND_STREAM: Final = 0
KIND_MESSAGE: Final = 1
CONNECTION_CHANNEL: Final = -1  # "the connection" where a channel id is asked for
RELIABLE: Final = 0
MAX_RETRANSMITS: Final = 1  # value: how often one message may be sent again
LIFETIME: Final = 2  # value: milliseconds after which an undelivered message is given up
UNRELIABLE: Final = 3
# priority = level << 5 | 32 - weight: level 0 goes before level 1, within one the shares are as the weights
MAX_PRIORITY: Final = 255
PRIORITY_LEVELS: Final = 8
PRIORITY_WEIGHTS: Final = 32  # the heaviest weight; the lightest is 1

# --- Flags of DataPath.take_ready() ---------------------------------------------------------------
READY_OPENED: Final = 0x01  # the peer opened it and its OPEN frame is here
READY_READABLE: Final = 0x02  # bytes, a message or the end can be taken
READY_WRITABLE: Final = 0x04  # unsent bytes fell to half the write limit
READY_RESET: Final = 0x08  # the peer reset its sending direction
READY_STOPPED: Final = 0x10  # the peer asked us to stop sending
READY_DELIVERED: Final = 0x20  # everything written is acknowledged (asked for by watch_delivered)
READY_DONE: Final = 0x40  # both directions are over: release() frees the slot

# --- Error codes (CONNECTION_CLOSE, RESET, STOP) -----------------------------------------------------
NO_ERROR: Final = 0x00
INTERNAL: Final = 0x01
REFUSED: Final = 0x02
FLOW_CONTROL_ERROR: Final = 0x03
CHANNEL_LIMIT_ERROR: Final = 0x04
CHANNEL_STATE_ERROR: Final = 0x05
FINAL_SIZE_ERROR: Final = 0x06
FRAME_ENCODING_ERROR: Final = 0x07
PARAMETER_ERROR: Final = 0x08
ID_LIMIT_ERROR: Final = 0x09
PROTOCOL_VIOLATION: Final = 0x0A
HANDSHAKE_BUFFER_EXCEEDED: Final = 0x0D
KEY_UPDATE_ERROR: Final = 0x0E
AEAD_LIMIT_REACHED: Final = 0x0F
NO_VIABLE_PATH: Final = 0x10
GLITCH_LIMIT: Final = 0x11  # too much useless work asked for
RESOURCE_LIMIT: Final = 0x12
IDLE_TIMEOUT: Final = 0x13  # never on the wire: what a local idle timeout reports
CANCELLED: Final = 0x14  # a channel given up by its owner
CONNECTION_UNKNOWN: Final = 0x15  # never on the wire: what a stateless reset reports
FORKED: Final = 0x16  # never on the wire: what a child of fork is told of its parent's connections
HANDSHAKE_FAILED: Final = 0x100  # 0x100 + TLS alert

# --- Parameters (id, value) in the PARAMETERS frame -----------------------------------------------
PARAMETER_MAX_IDLE_TIMEOUT: Final = 0x01  # milliseconds; 0: none
PARAMETER_MAX_DATAGRAM_SIZE: Final = 0x03  # largest UDP payload this end takes
PARAMETER_INITIAL_MAX_DATA: Final = 0x04
PARAMETER_INITIAL_MAX_CHANNEL_DATA: Final = 0x05
PARAMETER_INITIAL_MAX_STREAMS: Final = 0x08
PARAMETER_INITIAL_MAX_MESSAGE_CHANNELS: Final = 0x09
PARAMETER_MAX_ACK_DELAY: Final = 0x0B  # milliseconds
PARAMETER_ACTIVE_ID_LIMIT: Final = 0x0E
PARAMETER_MAX_MESSAGE_SIZE: Final = 0x10
PARAMETER_MAX_DATAGRAM_FRAME_SIZE: Final = 0x20
PARAMETER_MIN_ACK_DELAY: Final = 0x21  # microseconds; its presence offers ACK_FREQUENCY
PARAMETER_EXTENSION_FRAMES: Final = 0x22  # its presence enables the extension range
MAX_PARAMETERS_SIZE: Final = 1024

# --- Loss recovery (RFC 9002) ------------------------------------------------------------------------
K_PACKET_THRESHOLD: Final = 3
K_TIME_THRESHOLD: Final = 9 / 8
K_GRANULARITY: Final = 0.001
LOSS_THRESHOLD_PERCENT: Final = 2  # a flight of which more is lost was too large (draft-ietf-ccwg-bbr-06)
K_INITIAL_RTT: Final = 0.333
K_PERSISTENT_CONGESTION_THRESHOLD: Final = 3
K_INITIAL_WINDOW_PACKETS: Final = 10
K_MINIMUM_WINDOW_PACKETS: Final = 2
K_LOSS_REDUCTION_FACTOR: Final = 0.5
MAX_PTO: Final = 10.0  # seconds: a back-off beyond it only delays the answer (H18)
MIN_PTO: Final = 0.005  # a peer that claims no delay must not make us probe every millisecond (H18)
# Probe timeouts in a row before each of which the peer was heard, and acknowledged nothing: a minute or more.
# Whoever hears nothing of us falls silent himself before that (H17).
MAX_UNANSWERED_PTOS: Final = 16
MIN_SKIP_INTERVAL: Final = 256  # packets between two numbers left out against optimistic ACKs (H15)
MAX_ACK_DELAY: Final = 0.025
ACK_DELAY_EXPONENT: Final = 3  # ack delay on the wire is in units of 8 microseconds
ACK_ELICITING_THRESHOLD: Final = 2  # an ACK is due after this many eliciting packets
MIN_ACK_DELAY: Final = K_GRANULARITY  # what ACK_FREQUENCY may ask for: no timer here is finer
MAX_ACK_DELAY_LIMIT: Final = 16.384  # seconds, 2^14 ms: no parameter and no request reaches it
ACK_FREQUENCY_BURST: Final = 1000  # ACK_FREQUENCY frames of a peer at once: it asks when its flight doubles
ACK_FREQUENCY_RATE: Final = 1000.0  # and per second: each costs a call into Python
MAX_ACK_RANGES_SENT: Final = 64
MAX_ACK_RANGES_ACCEPTED: Final = 256  # more in one ACK frame closes the connection (H16)
MAX_RECEIVED_RANGES: Final = 1024  # remembered for the duplicate filter; older packets are duplicates
MAX_CONTROL_QUEUE_SIZE: Final = 65536  # bytes of control frames waiting to be sent (H21)
MAX_REPORTED_FRAMES: Final = 16  # rare frames of a packet; more are a glitch: each is work for Python (H21)
MAX_CONTROL_REPORTS_SIZE: Final = 524288  # charges of rare frames waiting for take_control(): 4,096 of them
MAX_PATH_CHALLENGES: Final = 3  # newest kept (H19)
MAX_SKIPPED_NUMBERS: Final = 64  # left out against optimistic ACKs and remembered: older ones have no effect

# --- Path MTU (RFC 8899) -----------------------------------------------------------------------------
BASE_PLPMTU: Final = 1200
MAX_PLPMTU: Final = 1452  # 1500 less IPv6 and UDP headers: what is tried first
# What is tried above it: 3,900, 9,000 and 16,384 less the same headers. The smallest that clouds offer, a
# jumbo frame, and the loopback of macOS.
JUMBO_PLPMTUS: Final = (3852, 8952, 16336)
JUMBO_STEP: Final = 128  # bytes: between two of these nothing finer is worth a probe
DEFAULT_MAX_DATAGRAM_SIZE: Final = 8952  # above it nothing is gained: a packet's cost is spread thin
MAX_MTU_PROBES: Final = 3
MTU_PROBE_TIMEOUT: Final = 15.0
PMTU_RAISE_TIMER: Final = 600.0
BLACK_HOLE_THRESHOLD: Final = 3  # loss bursts of full-size packets, or PTOs, in a row
MIN_INITIAL_DATAGRAM_SIZE: Final = 1200  # client handshake datagrams, against amplification
AMPLIFICATION_FACTOR: Final = 3

# --- Credit ------------------------------------------------------------------------------------------
INITIAL_CHANNEL_WINDOW: Final = 65536  # small: 1,000 unread channels cost 64 MiB at the most
MAX_CHANNEL_WINDOW: Final = 16 * 2**20
INITIAL_CONNECTION_WINDOW: Final = 2**20
MAX_CONNECTION_WINDOW: Final = 32 * 2**20
MAX_NEAR_WINDOW: Final = 3 * 2**20  # within a host or rack: more would only leave the processor's caches
MAX_SLOW_PEER_WINDOW: Final = 12 * 2**20  # there, beside a busy peer: what SOCKET_BUFFER_SIZE surely holds
SLOW_PEER_ROUND_TRIP: Final = 0.004  # seconds; beside a busy thread of its process an end waits 5 ms a turn
CONNECTION_BUDGET: Final = 64 * 2**20  # received bytes held unread, over all channels
# Credit is given back when a quarter of a window was used, but not for less than a train, which one call
# sends, or half of a smaller window: a window must not leave the sender without work, nor cost many packets.
CREDIT_STEP: Final = 65536
CREDIT_STEP_DIVISOR: Final = 4
# Connection credit that less urgent channels leave to the most urgent ones: 64 KiB, some 45 packets, is more
# than interactive use sends in a round trip; but at most a quarter of the first window, or a small one would
# be of no use, and its owner might wait for more to be used before it gives more.
LONG_TURN_CHANNELS: Final = 64  # more than these in one ring take turns of more than a packet on a fast path
LONG_TURN_SHARE: Final = 32  # a turn is this part of what one fill may send
MAX_TURN_PACKETS: Final = 48
PRIORITY_RESERVE: Final = 65536
PRIORITY_RESERVE_DIVISOR: Final = 4
# What one connection may have sent and not been told of, whatever credit the peer gives: who confirms all but
# the first byte would pin everything after it (H17). A fastmux peer lets no more stand than its budget, which
# is as much; where this end's budget is larger, that counts.
MAX_UNACKED_SIZE: Final = 64 * 2**20
DEFAULT_MAX_STREAMS: Final = 1024
DEFAULT_MAX_MESSAGE_CHANNELS: Final = 1024
MAX_CHANNELS_LIMIT: Final = 1 << 60
WRITE_LIMIT: Final = 2**20  # unsent bytes of a channel at which a writer waits
MAX_MESSAGE_SIZE: Final = 16 * 2**20
MIN_RECEIVED_SPANS: Final = 1000  # disjoint spans per channel: the larger of this and window // divisor (H29)
RECEIVED_SPAN_DIVISOR: Final = 1024
# In all channels of a connection: the larger of that number and budget // divisor, and one more for each
# channel. A gap costs the sender a packet, so a peer within its credit makes no more of them.
MAX_DATAGRAM_FRAME_SIZE: Final = 65000
MAX_DATAGRAM_QUEUE: Final = 1024  # each way; more are dropped and counted
MAX_DATAGRAM_QUEUE_SIZE: Final = 2**20

# --- Charges (docs/limits.md): what an object takes beside its bytes, in the compiled core ------------------
SPAN_CHARGE: Final = 64  # a range of 16 bytes in an array that grows by doubling, and a little map of blocks
MESSAGE_CHARGE: Final = 128  # a whole message that is not taken: its object, and its place in a map
PARTIAL_CHARGE: Final = 256  # a message that is partial, or not acknowledged: its record, its place in maps
CHANNEL_CHARGE: Final = 1024  # its record, its label, its places in the table and in the queue of frames
REPORT_CHARGE: Final = 128  # a rare frame that waits, ids and tokens included; other bytes come on top
CONTROL_CHARGE: Final = 64  # a frame that waits to be sent, beside its bytes
DATAGRAM_CHARGE: Final = 64  # a datagram that waits, beside its bytes
PACKET_CHARGE: Final = 256  # a packet in the ledger, with the record of its frame
MAX_STALE_ENTRIES: Final = 64  # that mean nothing any more, in what is looked at lazily: then it is swept
MAX_TIMER_ENTRIES: Final = 64  # of one connection in the endpoint's heap: as often its deadline moved earlier

# --- How the cores store and pack -------------------------------------------------------------------------
BLOCK_SIZE: Final = 4096  # bytes: what is received, and small writes, stand in blocks of a page
UNITS_PER_BLOCK: Final = 32  # of a message: a block too
MAX_CONTROL_FRAME: Final = BASE_PLPMTU - 64  # bytes: any packet has room for any frame that Python queues
MIN_SEGMENT_SIZE: Final = 512  # bytes: in smaller packets some frames would never fit
MIN_ROOM: Final = 64  # bytes: less room in a packet is not worth a frame of data
SEALS_KEPT: Final = 64  # packets of a key's limit that `fill` leaves, for the close that follows
MAX_RECEIVE_ERRORS: Final = 64  # of a socket, one after another, before the caller gets its turn

# --- What writers give --------------------------------------------------------------------------------
KEEP_FROM: Final = 1024  # bytes: of a smaller view a copy costs less than finding out whose memory it shows
KEEP_SHARE: Final = 2  # a view keeps no more alive than twice what it shows: unsent data stays bounded
MAX_OWNERS: Final = 8  # views on views: numpy keeps each array between an array and its memory
JOIN_BELOW: Final = 1024  # bytes: smaller writes are copied together, for many pieces cost more

# --- Connections -------------------------------------------------------------------------------------
DEFAULT_IDLE_TIMEOUT: Final = 30.0
DEFAULT_KEEP_ALIVE: Final = 15.0
# A client that heard so many packets and then nothing for so long asks whether there is more: its NAT may
# have changed. With fewer it would ask after every answer; three PTO give the peer's own probes a chance.
ASK_AFTER_PACKETS: Final = 8
ASK_AFTER_PTOS: Final = 3
HANDSHAKE_TIMEOUT: Final = 10.0
MAX_HANDSHAKE_BUFFER: Final = 65536  # bytes of TLS ahead of or in the handshake (H6)
MAX_HANDSHAKE_BUFFER_AFTER: Final = 16384
# Of a handshake packet, which anybody can seal. Ours have 1,200 bytes at most, and some fifteen frames.
MAX_HANDSHAKE_PACKET_SIZE: Final = 1472  # bytes: what passes an Ethernet; a larger one is not opened (H7)
MAX_HANDSHAKE_FRAMES: Final = 48  # a run of PADDING is one; of more nothing is made (H7)
MAX_HANDSHAKE_RUNS: Final = 8  # of TLS bytes in a packet of ours: a peer that counts frames takes it
MAX_HANDSHAKE_SPANS: Final = 32  # of TLS bytes behind gaps: a window is 14 packets of a peer of ours (H6)
# Our packets that a peer leaves unacknowledged: eleven probe timeouts of a whole window, which is all of
# HANDSHAKE_TIMEOUT on a path of a millisecond. Then nothing goes until it acknowledges (H6).
MAX_HANDSHAKE_UNACKED: Final = 192
HANDSHAKE_PACKET_BURST: Final = 256.0  # packets at once from an address that is not proved (H7)
HANDSHAKE_PACKET_RATE: Final = 50.0  # and per second: until then a client sends its hello, and probes
MAX_CHAIN_SIZE: Final = 10  # certificates from the peer's to its root, both counted (H13)
# Certificates that are not read again when they come again: 256 KiB of DER at most, and what was read of it.
MAX_FACTS_CERTIFICATES: Final = 64
MAX_FACTS_CERTIFICATE_SIZE: Final = 4096  # bytes of DER; an ordinary one has 500 to 2,000
MAX_INITIAL_KEYS: Final = 2  # first ids whose keys are remembered: of the packets being looked at
MAX_EARLY_PACKETS: Final = 10  # application packets that wait for the server's handshake (H5)
MAX_EARLY_SIZE: Final = 16384  # bytes of them: before the handshake is confirmed none has more than 1,452
MAX_HALF_OPEN: Final = 1000
MAX_HALF_OPEN_PER_ADDRESS: Final = 256
MAX_CONNECTIONS: Final = 65536
MAX_ANSWERS: Final = 64  # of an endpoint itself (version, Retry, reset) waiting to be sent; more are not made
GLITCH_BURST: Final = 1000  # useless frames forgiven at once (H22)
GLITCH_RATE: Final = 33.0  # and per second
MIN_NONCE_SIZE: Final = 4  # random bytes of an id with a server id (draft-ietf-quic-load-balancers-21 §5.3)
STEERING_OFFSET: Final = 4  # of the word of a destination id that says which worker takes the packet
STEERING_SIZE: Final = 4  # a word of classic BPF; it ends with the shortest first id of a client
MAX_WORKERS: Final = 256  # of one group; an id is drawn as often on average, 15 µs each if it is encrypted
CLOSE_REPEAT_PTOS: Final = 3  # closing and draining last this many PTO (RFC 9000 §10.2)

# --- Connection ids and paths (RFC 9000 §5.1, §8.2, §9) -----------------------------------------------
ACTIVE_ID_LIMIT: Final = 4  # of the peer's that this end holds
ISSUED_IDS: Final = 2  # of ours that a peer holds: one in use and a spare, for each costs memory while idle
MAX_ID_GAPS: Final = 16  # ranges of retired numbers: who leaves out so many gives no ids but holes
MAX_DONE_TOKENS: Final = 16  # sendings of HANDSHAKE_DONE, one a PTO: the ACK of any of these ends it
MAX_KEPT_CONTROL: Final = 50  # NEW_ID and RETIRE_ID frames that the peer has not acknowledged (H20)
ID_FRAME_BURST: Final = 1000  # NEW_ID, RETIRE_ID, PATH_CHALLENGE and PATH_RESPONSE of a peer at once
ID_FRAME_RATE: Final = 100.0  # and per second: a migration takes five of them
MAX_PATHS: Final = 4  # of a connection, the one in use too (H23)
PATH_BURST: Final = 8.0  # new paths, and moves to one that is not validated: a rebinding takes two
PATH_RATE: Final = 2.0  # and per second, so that addresses that take turns cost little (H23)
PATH_DISTRUST: Final = 60.0  # seconds after a move in vain: paths are validated before they are used
PATH_VALIDATION_PTOS: Final = 3  # RFC 9000 §8.2.4
PATH_LINGER_PTOS: Final = 3  # how long a path that was left is kept for what is still on its way

# --- Admission (H2, H3, H12) ---------------------------------------------------------------------------
RETRY_SHARE: Final = 8  # above this part of a half-open limit a Retry comes first (WireGuard: a 1/8 too)
RETRY_FREE_BURST: Final = 128.0  # handshakes that begin at once without one: when a server has restarted
RETRY_FREE_RATE: Final = 50.0  # and per second; what goes beyond takes one round trip longer, no more
RETRY_KEY_LIFETIME: Final = 120.0  # seconds until tokens are made with another key
RETRY_TOKEN_LIFETIME: Final = 30.0  # seconds: a client takes one Retry only, so it must outlive dark times
MAX_SPENT_TOKENS: Final = 16384  # remembered for their lifetime: twice what comes at MAX_HANDSHAKE_RATE
# A handshake costs a server about 2 ms: these leave half of a core, and nine tenths of it beside one address.
# What may come at once are the half-open limits: every client of a server that restarts.
MAX_HANDSHAKE_RATE: Final = 250.0
MAX_HANDSHAKE_RATE_PER_ADDRESS: Final = 50.0
# When places or the rate for all run out they are shared by network, an IPv4 address or a /48 of IPv6: what
# a site gets. A network with few handshakes lately has what is left of the rate for itself.
SHARED_PREFIX_BITS: Final = 48
HALF_OPEN_GRACE: Final = 1.0  # seconds in which a half-open connection yields to nobody: a few round trips
QUIET_BURST: Final = 8.0  # handshakes of a network that count as few, at once
QUIET_RATE: Final = 1.0  # and per second: 250 hostile networks take together what there is
MAX_RATED_PREFIXES: Final = 4096  # /32 of IPv4, /64 of IPv6; of more the quietest is forgotten
RESET_BURST: Final = 1000.0  # stateless resets at once: the clients of a server that has restarted
RESET_RATE: Final = 1000.0  # and per second: one costs 10 µs
RESET_BURST_PER_ADDRESS: Final = 64.0  # several clients behind one NAT
RESET_RATE_PER_ADDRESS: Final = 10.0
MIN_RESET_KEY_SIZE: Final = 16  # bytes of a key that is handed in

# --- asyncio -----------------------------------------------------------------------------------------
# 10 ms of a fast sender: two turns of who shares the interpreter with a busy thread.
SOCKET_BUFFER_SIZE: Final = 16 * 2**20
MAX_TRAINS_PER_WAKEUP: Final = 256
SMALL_READING: Final = 4  # trains: if no more came an ACK waits for the tasks that are woken
MAX_QUICK_TIME: Final = 0.00025  # seconds that these took the last time; for slower ones no ACK waits
BLOCKED_INTERVAL: Final = 0.5  # seconds between looks at the time while the kernel takes nothing (G6)
MAX_WAKEUP_TIME: Final = 0.002
WRITES_PER_FLUSH: Final = 32  # of a turn; more are sent before the turn is over
BUSY_POLL_TIME: Final = 0.0001  # seconds; about twice what it costs to sleep and to be woken
MAX_BUSY_POLL_TIME: Final = 0.001  # what may be set
BRISK_FACTOR: Final = 1.5  # of that time: arrivals so close make it worth a try
FIRST_BUSY_POLL_PAUSE: Final = 16  # brisk arrivals before the first try: more than a handshake has
MAX_BUSY_POLL_PAUSE: Final = 1024  # brisk arrivals to sit out after waiting in vain again and again
MAX_PLAIN_DESTINATIONS: Final = 1024  # remembered as refusing GSO; with more it goes off altogether

# --- Records of connections (qlog) ---------------------------------------------------------------------
QLOG_CHUNK_SIZE: Final = 2**18  # bytes handed to the writing thread at once: waking it costs the event loop
QLOG_FLUSH_INTERVAL: Final = 1.0  # seconds after which what waits is handed over with the next event
QLOG_EARLY_SIZE: Final = 16384  # of a server's connection that is not open yet: strangers make those
QLOG_FILE_SIZE: Final = 64 * 2**20  # a graph of more than this opens in no viewer
QLOG_FILE_RESERVE: Final = 4096  # of it for the last records
QLOG_DIRECTORY_SIZE: Final = 2**30  # of all files of a process, so that a forgotten QLOGDIR fills no disk
QLOG_MAX_FILES: Final = 10_000  # of a process; small ones cost inodes
QLOG_BACKLOG_SIZE: Final = 8 * 2**20  # bytes that wait for a slow disk; more are left out, and that is said
QLOG_METRICS_INTERVAL: Final = 0.001  # seconds between two records of metrics, unless something was lost
QLOG_MAX_TRAINS: Final = 4096  # of a connection in flight, some 100 bytes each: 256 MiB in trains of 64 KiB

# --- What may be set -----------------------------------------------------------------------------------
MIN_TIMEOUT_SETTING: Final = 0.001  # seconds: the wire says them in milliseconds
MAX_TIMEOUT_SETTING: Final = 1e9  # thirty years; infinity has no place in a timer or on the wire
MIN_WINDOW_SETTING: Final = 1024  # bytes: less than a packet's worth of credit would cost a packet each
MAX_SIZE_SETTING: Final = 1 << 56  # bytes: sums of some of them stay far below the 63 bits of the core
MAX_COUNT_SETTING: Final = 1 << 32  # connections
MAX_DATAGRAM_FRAME_SIZE_SETTING: Final = 65535  # what peers of QUIC say that take any (RFC 9221 §3)
MAX_ACK_DELAY_SETTING: Final = 16.383  # seconds: in milliseconds below MAX_ACK_DELAY_LIMIT
MAX_INITIAL_RTT_SETTING: Final = 60.0  # seconds: the first probe would go after three times that
MIN_RATE_SETTING: Final = 0.001  # a second: one in a quarter of an hour
MAX_RATE_SETTING: Final = 1e9  # a second: more than any machine does; None is no limit

# --- Figures -------------------------------------------------------------------------------------------
MAX_IDENTITY_LABELS: Final = 200  # values of a label, each a time series for ever; the rest are added up

# --- Multiplexing by port ------------------------------------------------------------------------------
PORTMUX_LABEL: Final = "fastmux:portmux:1"  # of the channel on which two ends agree on ports
PORTMUX_VERSION: Final = 1
DEFAULT_MAX_PORTS: Final = 32  # channels of each end at once: home routers keep some thousand UDP bindings
MAX_PORTS_LIMIT: Final = 16384  # of one connection: half of what a host has to give out by itself
MAX_TOTAL_PORTS: Final = 900  # of all connections of a listener: 1,024 descriptors are a usual limit
PORT_TIMEOUT: Final = 10.0  # seconds in which a client must have reached a port that was opened for it
MAX_BIND_TRIES: Final = 64  # ports of a range that others may have taken before it counts as used up
PORTMUX_MESSAGE_SIZE: Final = 2048  # bytes: the greeting has parameters of at most 1,024
PORTMUX_WINDOW: Final = 65536  # credit of the control channel: thousands of its messages
PORTMUX_WRITE_LIMIT: Final = 65536  # unsent bytes there at which a peer that takes no answers is given up
MAX_DSCP: Final = 63  # RFC 2474 §3: six bits
