# The state of a channel and of a connection, as C structs: what the parts after this one work on.
# Owns: the layout. May not know: any rule; each part says which fields are its own.

cdef enum:
    LIST_READY = 0  # has news for take_ready
    LIST_DUE = 1  # wants its limit raised
    PLAIN_LISTS = 2  # the rest are the scheduler's rings, one of each for every level
    LIST_RING = 2  # has something to send that its own limit does not block
    LIST_FREE = 3  # of those, the ones that need no connection credit
    LIST_COUNT = 4
    PENDING_OPEN = 0  # what waits to be built, a bit of Channel.pending each
    PENDING_RESET = 1
    PENDING_STOP = 2
    PENDING_MAX_CHANNEL_DATA = 3
    PENDING_MESSAGE_FIN = 4
    PENDING_MESSAGE_ABANDON = 5
    PENDING_MAX_DATA = 6  # of the connection, in Path.pending
    PENDING_MAX_STREAMS = 7
    PENDING_MAX_MESSAGE_CHANNELS = 8

cdef struct Link:
    Channel *before
    Channel *after

# Invariant: `lists` has bit L set exactly when links[L] is in list L. `is_busy` is set while our direction
# has something unsent or unacknowledged, and Path.busy_count counts the channels where it is. The
# connection's sums hold exactly `told_*`. Codes are -1 until they are known; has_fields is off until the
# peer's OPEN is here. The sending direction is over when RESET or everything up to FIN is acknowledged, the
# receiving one when everything up to the end was taken, discarded or reset. `priority` is what OPEN says,
# `level` and `weight` are what we send by, `quota` is what is left of the channel's turn, or saved for its
# next one.
cdef struct Channel:
    int64_t id
    Link links[LIST_COUNT]
    uint8_t lists
    uint8_t pending
    uint8_t ready
    uint8_t priority
    uint8_t ordered
    uint8_t reliability
    uint8_t has_fields
    uint8_t is_finishing
    uint8_t is_reset
    uint8_t is_reset_acked
    uint8_t is_open_acked
    uint8_t is_released
    uint8_t is_done
    uint8_t is_watching
    uint8_t writer_waits
    uint8_t level
    uint8_t weight
    uint8_t is_sender
    uint32_t quota
    uint8_t is_busy
    int64_t value
    void *label
    int64_t limit
    int64_t window
    int64_t peer_limit
    int64_t told_charged
    int64_t told_consumed
    int64_t told_held
    int64_t told_gaps
    int64_t our_reset_code
    int64_t our_final_size
    int64_t our_charged
    int64_t stop_code
    int64_t reset_code
    int64_t stopped_code

cdef struct StreamChannel:
    Channel base
    StreamIn received
    StreamOut sending

cdef struct MessageChannel:
    Channel base
    MessageQueue sending
    Inbox inbox

cdef struct ChannelList:
    Channel *first
    Channel *last
    uint32_t count

cdef struct WeightCounts:
    uint32_t of[PRIORITY_WEIGHTS]

# Invariant: bit R of `listed` is set exactly when rings[R] has members; ring R is of level R & 7, the first
# eight are LIST_RING, the others LIST_FREE. `weight_counts` is NULL until a channel has another weight than
# the heaviest; from then on weight_counts[L].of[W - 1] is the number of channels of weight W in ring L, and
# bit W - 1 of weights[L] is set exactly when that is above 0. Bit L of `sender_levels` is set exactly when
# senders[L] > 0, the number of channels with `is_sender` of level L. A channel in a ring is a sender.
cdef struct Scheduler:
    ChannelList rings[2 * PRIORITY_LEVELS]
    uint32_t listed
    uint32_t sender_levels
    uint32_t turn_packets  # of a turn where many wait
    int64_t reserve
    uint32_t senders[PRIORITY_LEVELS]
    uint32_t weights[PRIORITY_LEVELS]
    WeightCounts *weight_counts

# A frame about a channel (or the connection) that waits to be built; stale if its bit is off.
cdef struct PendingFrame:
    int64_t channel_id
    int what

cdef struct PendingQueue:
    PendingFrame *items
    uint32_t capacity
    uint32_t first
    uint32_t count

cdef struct Expiry:
    double at
    int64_t channel_id

# A frame that Python queued: `frame` is a held bytes object.
cdef struct ControlFrame:
    int64_t token
    void *frame

# For take_control: a raw frame of the peer (held bytes), or CONTROL_ACKED or CONTROL_LOST with a token. Of
# PATH_CHALLENGE frames the newest are kept, beside the others: the oldest of them goes without a search.
cdef struct Report:
    int64_t kind
    int64_t token
    void *frame

cdef struct Challenge:
    uint32_t position  # how many other reports came before it
    void *frame

cdef struct DatagramQueue:
    Fifo items
    int64_t size

cdef struct Counters:
    int64_t packets_sent
    int64_t packets_received
    int64_t bytes_sent
    int64_t bytes_received
    int64_t packets_lost
    int64_t packets_acked
    int64_t retransmitted_bytes
    int64_t undecryptable_packets
    int64_t duplicate_packets
    int64_t dropped_packets
    int64_t malformed_packets
    int64_t acks_sent
    int64_t acks_received
    int64_t glitches
    int64_t datagrams_dropped
    int64_t messages_abandoned
    int64_t streams_opened
    int64_t channels_opened
    int64_t channels_asked
    int64_t key_updates

# Keys beside `sealer` and `opener` of the path; key_update.pxi works on them. Invariant: the phases are 0 or
# KEY_PHASE_BIT. They differ from the moment this end begins an update until the peer's first packet under its
# new keys; then next_sealer is used up, next_opener not.
cdef struct KeyUpdate:
    int receive_phase
    int send_phase
    int64_t watch_below  # packets below it need a closer look once they are open
    int64_t receive_first  # the lowest number opened in the present receiving phase
    int64_t send_first  # the first number of the present sending phase
    int64_t old_largest  # the largest number opened under older keys
    Cipher next_sealer
    Cipher next_opener
    Cipher old_opener

# One connection. Times are -1 for never; `status` is NO_MEMORY once a step inside an acknowledgement failed
# so. Invariant: the peer's indices below peer_next[kind] are in `unseen` if they were never used; the others,
# and ours below next_index[kind], are those of `channels` or over. sent_released is what of sent_charged the
# peer has confirmed, so that none of it is kept: of streams from the front, of messages whole. send_limit is
# the smaller of peer_limit and sent_released + max_unacked; sent_charged may pass it by one message.
# `gap_count` are the runs of what was received in all channels, but for stream bytes that can be read.
cdef struct Path:
    int status
    int64_t role
    uint8_t remote_id[MAX_CONNECTION_ID_SIZE]
    Py_ssize_t local_id_size
    Py_ssize_t remote_id_size
    Cipher sealer
    Cipher opener
    KeyUpdate keys
    double last_received_at
    int64_t largest_non_probing  # -1 before any
    bint was_useless  # a frame of the packet being applied was of no use: a glitch
    uint32_t reported_frames  # of that packet, which go to Python
    Counters counters
    # recovery
    Sent sent
    double loss_delay
    int64_t probes
    # when an ACK is due
    Received received
    double ack_due_at
    double max_ack_delay
    int64_t ack_threshold
    int64_t ack_reordering
    int64_t ack_largest_sent
    int64_t ack_eliciting
    bint ack_is_due_now
    bint ack_out_of_order
    # channels
    Map channels
    Channel *newest
    ChannelList lists[PLAIN_LISTS]
    Scheduler scheduler
    int64_t busy_count
    Ranges unseen[2]
    int64_t peer_next[2]
    PendingQueue pending_frames
    uint32_t pending
    uint32_t pending_count
    int64_t local_limits[2]
    int64_t peer_limits[2]
    int64_t next_index[2]
    int64_t max_channel_data
    int64_t peer_channel_data
    int64_t write_limit
    int64_t max_message_size
    int64_t peer_max_message_size
    Expiry *expiries
    uint32_t expiry_count
    uint32_t expiry_capacity
    # credit
    int64_t limit
    int64_t window
    int64_t budget
    int64_t max_message_charge
    int64_t charged
    int64_t consumed
    int64_t held_size
    int64_t listed_at
    int64_t peer_limit
    int64_t sent_charged
    int64_t sent_released
    int64_t max_unacked
    int64_t send_limit
    int64_t gap_count
    # datagrams
    DatagramQueue incoming
    DatagramQueue outgoing
    int64_t max_datagram_received
    int64_t max_datagram_sent
    # control
    ControlFrame *control
    uint32_t control_first
    uint32_t control_count
    uint32_t control_capacity
    int64_t control_size
    Report *reports
    uint32_t report_count
    uint32_t report_capacity
    int64_t report_size
    Challenge challenges[MAX_PATH_CHALLENGES]
    uint32_t challenge_count


cdef inline bint is_message_id(int64_t channel_id) noexcept nogil:
    return (channel_id >> 1) & 1


cdef inline StreamChannel *as_stream(Channel *channel) noexcept nogil:
    return <StreamChannel *>channel


cdef inline MessageChannel *as_messages(Channel *channel) noexcept nogil:
    return <MessageChannel *>channel
