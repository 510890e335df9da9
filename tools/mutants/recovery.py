"""Bugs of recovery: the ledger, losses, keys, what is sent again."""

from __future__ import annotations

from tools.mutants.mutant import Mutant, one

RECOVERY: tuple[Mutant, ...] = (
    one(
        "loss-packets",
        "a packet is lost one number late",
        (
            "sent_packets.py",
            "if number > self._largest_acked - K_PACKET_THRESHOLD",
            "if number >= self._largest_acked - K_PACKET_THRESHOLD",
        ),
        (
            "_sent_packets_scans.pxi",
            "if number > self.largest_acked - K_PACKET_THRESHOLD",
            "if number >= self.largest_acked - K_PACKET_THRESHOLD",
        ),
    ),
    one(
        "loss-time",
        "a packet that is due to be lost now is not",
        ("sent_packets.py", "and due_at > now:", "and due_at >= now:"),
        (
            "_sent_packets_scans.pxi",
            "and packet.sent_at + loss_delay > now:",
            "and packet.sent_at + loss_delay >= now:",
        ),
    ),
    one(
        "skipped-numbers",
        "a skipped number may be acknowledged",
        ("sent_packets.py", "if any(start <= number < stop for", "if any(start <= number < stop - 1 for"),
        ("_sent_packets_scans.pxi", "if self.skipped.count and (", "if self.skipped.count > 1 and ("),
    ),
    one(
        "eliciting-in-flight",
        "ack-eliciting packets never leave the flight: probes go on for ever",
        (
            "sent_packets.py",
            "self._eliciting_count -= packet.ack_eliciting",
            "self._eliciting_count -= packet.ack_eliciting and self._eliciting_count > 1",
        ),
        (
            "sent_packets.pxi",
            "            self.eliciting_in_flight -= 1\n",
            "            self.eliciting_in_flight -= self.eliciting_in_flight > 1\n",
        ),
    ),
    one(
        "probe-is-loss",
        "a lost MTU probe counts as congestion",
        (
            "sent_packets.py",
            "            if packet.in_flight and not packet.is_probe:\n                news.lost_size",
            "            if packet.in_flight:\n                news.lost_size",
        ),
        (
            "_sent_packets_scans.pxi",
            "PACKET_IN_FLIGHT and not packet.flags & PACKET_PROBE:\n        summary.lost_size",
            "PACKET_IN_FLIGHT:\n        summary.lost_size",
        ),
    ),
    one(
        "acked-meanwhile",
        "what was acknowledged after it was sent again is sent once more",
        (
            "send_stream.py",
            "for gap_start, gap_stop in self._acked._gaps(first, last):",
            "for gap_start, gap_stop in ((first, last),):",
        ),
        (
            "send_stream.pxi",
            "                until = range_at(&self.acked, position).start\n",
            "                until = stop\n",
        ),
    ),
    one(
        "lost-fin",
        "a FIN that was lost is not sent again",
        (
            "send_stream.py",
            "        if fin and not self._fin_acked:\n            self._fin_due = True\n",
            "        if fin and not self._fin_acked and first < last:\n            self._fin_due = True\n",
        ),
        (
            "send_stream.pxi",
            "    if fin and not self.fin_acked:\n        self.fin_due = True\n",
            "    if fin and not self.fin_acked and self.lost.count:\n        self.fin_due = True\n",
        ),
    ),
    one(
        "max-retransmits",
        "a message is sent again once more than its mode allows",
        ("message_queue.py", "attempt >= self.value", "attempt > self.value"),
        ("_message_units.pxi", "attempt >= self.value", "attempt > self.value"),
    ),
    one(
        "key-update-early",
        "a key update begins before the last one was acknowledged",
        (
            "key_update.py",
            "self._sent.largest_acked < self.send_first",
            "self._sent.largest_acked < self.send_first - 1",
        ),
        (
            "key_update.pxi",
            "path.sent.largest_acked < self.send_first:",
            "path.sent.largest_acked < self.send_first - 1:",
        ),
    ),
    one(
        "key-update-acks",
        "the first packet under new keys may be acknowledged under old ones",
        ("key_update.py", "frame[2][0][1] > self.send_first:", "frame[2][0][1] > self.send_first + 1:"),
        (
            "key_update.pxi",
            ".ranges[0].stop > path.keys.send_first:",
            ".ranges[0].stop > path.keys.send_first + 1:",
        ),
    ),
    one(
        "limit-lost",
        "MAX_DATA that was lost is not sent again",
        (
            "recovery.py",
            "if kind == FRAME_MAX_DATA and record[2] == self.table.credit.limit:",
            "if kind == FRAME_MAX_DATA and record[2] > self.table.credit.limit:",
        ),
        ("recovery.pxi", "if record.start == path.limit else OK", "if record.start > path.limit else OK"),
    ),
)
