"""What bounds the containers of the pure core. The compiled one has the same in C: `budget.charging`.

Owns: its part of the table. May not know: how containers are found.
"""

from __future__ import annotations

from budget.bound import OWN, Bound, Setting, at_most, under
from fastmux import constants as c


def _window(setting: Setting) -> int:
    return max(setting.configuration.max_channel_window, setting.configuration.channel_window)


_FRAMES = c.MAX_UDP_PAYLOAD // 2  # of one packet
_channels = Bound("max_streams, max_message_channels", lambda owner, setting: setting.channels)
_spans = Bound("the spans of a channel", lambda owner, setting: setting.spans)
_messages = Bound("a unit of credit each", lambda owner, setting: setting.messages)
_last_packet = at_most(_FRAMES, "of the last packet that was checked")
_sent = Bound("sent and not acknowledged: MAX_UNACKED_SIZE", lambda owner, setting: c.MAX_UNACKED_SIZE)
_one_message = Bound("max_message_size", lambda owner, setting: setting.configuration.max_message_size)

_BOUNDS: dict[str, Bound] = {
    "channel_table.ChannelTable.channels": _channels,
    "channel_table.ChannelTable.busy": _channels,
    "channel_table.ChannelTable.ready": _channels,
    "channel_table.ChannelTable.pending": Bound(
        "one of a kind and channel", lambda owner, setting: 6 * len(owner.channels) + 3
    ),
    "channel_table.ChannelTable.expiries": Bound(
        "one a channel, and some that mean nothing",
        lambda owner, setting: 2 * len(owner.channels) + c.MAX_STALE_ENTRIES,
    ),
    "channel_table.ChannelTable.counts": at_most(3),
    "channel_table.ChannelTable.local_limits": at_most(2),
    "channel_table.ChannelTable.peer_limits": at_most(2),
    "channel_table.ChannelTable.next_index": at_most(2),
    "channel_table.ChannelTable.peer_next": at_most(2),
    "channel_table.ChannelTable.unseen": at_most(2),
    "credit.Credit._due": _channels,
    "scheduler.Scheduler._rings": at_most(2 * c.PRIORITY_LEVELS),
    "scheduler.Scheduler._rings[]": _channels,
    "scheduler.Scheduler._senders": at_most(c.PRIORITY_LEVELS),
    "scheduler.Scheduler._weights": at_most(c.PRIORITY_LEVELS),
    "scheduler.Scheduler._weight_counts": at_most(c.PRIORITY_LEVELS * c.PRIORITY_WEIGHTS),
    # --- received
    "receive_stream.ReceiveStream._blocks": Bound(
        "the channel's window, or the budget",
        lambda owner, setting: max(_window(setting), c.MAX_HANDSHAKE_BUFFER) // c.BLOCK_SIZE + 2,
    ),
    "receive_stream.ReceiveStream._blocks[]": at_most(c.BLOCK_SIZE),
    "message_inbox.MessageInbox.partial": _spans,
    "message_inbox.MessageInbox._complete": _messages,
    "message_inbox.MessageInbox._complete[]": _one_message,
    "message_inbox.MessageInbox._ready": _messages,
    "message_inbox.MessageInbox._ready[]": _one_message,
    "reassembler.Reassembler._blocks": Bound(
        "max_message_size", lambda owner, setting: setting.configuration.max_message_size // c.BLOCK_SIZE + 1
    ),
    "reassembler.Reassembler._blocks[]": at_most(c.BLOCK_SIZE),
    "range_set.RangeSet._starts": _spans,
    "range_set.RangeSet._stops": _spans,
    "_datagrams.DatagramQueue.items": at_most(c.MAX_DATAGRAM_QUEUE, "MAX_DATAGRAM_QUEUE"),
    "_datagrams.DatagramQueue.items[]": at_most(c.MAX_DATAGRAM_FRAME_SIZE, "MAX_DATAGRAM_QUEUE_SIZE in all"),
    "control.Control._reports": at_most(
        c.MAX_CONTROL_REPORTS_SIZE // c.REPORT_CHARGE + c.MAX_CONTROL_QUEUE_SIZE,
        "MAX_CONTROL_REPORTS_SIZE, and what became of frames of ours",
    ),
    "control.Control._reports[]": at_most(8),
    "control.Control._reports[][]": at_most(c.MAX_UDP_PAYLOAD, "of one packet"),
    "control.Control._challenges": at_most(c.MAX_PATH_CHALLENGES, "MAX_PATH_CHALLENGES"),
    "control.Control._challenges[]": at_most(2),
    "control.Control._challenges[][]": at_most(2),
    "control.Control._challenges[][][]": at_most(8),
    "packet_checker.PacketChecker._streams": _last_packet,
    "packet_checker.PacketChecker._messages": _last_packet,
    "packet_checker._MessagesView.last_sizes": _last_packet,
    "packet_checker._MessagesView.over": _last_packet,
    "packet_checker._MessagesView.seen": _last_packet,
    "packet_reader.PacketReader.counts": at_most(8),
    # --- sent, until it is acknowledged
    "control.Control.queued": at_most(c.MAX_CONTROL_QUEUE_SIZE, "MAX_CONTROL_QUEUE_SIZE bytes"),
    "control.Control.queued[]": at_most(2),
    "control.Control.queued[][]": at_most(c.BASE_PLPMTU, "a control frame fits into any packet"),
    "send_stream.SendStream._pieces": _sent,
    "send_stream.SendStream._starts": _sent,
    "send_stream.SendStream._pieces[]": at_most(OWN, "the application's"),
    "message_queue.MessageQueue._active": _messages,
    "message_queue.MessageQueue._waiting": at_most(OWN, "write_limit, after which writers wait"),
    "message_queue.MessageQueue._lost": _messages,
    "message_queue.MessageQueue._deadlines": Bound(
        "those that wait or are active, and as many that are over",
        lambda owner, setting: 2 * (len(owner._waiting) + len(owner._active)) + c.MAX_STALE_ENTRIES,
    ),
    "message_queue.MessageQueue.abandoned": _messages,
    "message_queue.MessageQueue.abandon_due": _messages,
    "message_queue.MessageQueue._due_order": _messages,
    "message_queue.OutgoingMessage.lost": at_most(OWN, "once for each retransmission that OPEN allows"),
    "message_queue.OutgoingMessage.data": at_most(OWN, "the application's"),
    "recovery.Recovery.records": Bound(
        "packets in the ledger", lambda owner, setting: len(owner.sent._packets)
    ),
    "recovery.Recovery.records[]": at_most(_FRAMES, "frames of one packet"),
    "sent_packets.SentPackets._packets": _sent,
    "sent_packets.SentPackets._skipped": at_most(c.MAX_SKIPPED_NUMBERS, "MAX_SKIPPED_NUMBERS"),
    "packet_writer.PacketWriter.counts": at_most(3),
}
_LABEL = at_most(c.MAX_LABEL_SIZE, "MAX_LABEL_SIZE")
BOUNDS = {**under("_core_py", _BOUNDS), "records.OpenFields.label": _LABEL}
