"""Bugs of channels: streams, messages, credit, limits, ids."""

from __future__ import annotations

from tools.mutants.mutant import Mutant, one

CHANNELS: tuple[Mutant, ...] = (
    one(
        "first-copy",
        "where an offset comes twice in a run around a gap, the later bytes win",
        (
            "receive_stream.py",
            "for first, last in self._received._gaps(max(start, self._consumed), stop):",
            "for first, last in ((max(start, self._consumed), stop),):",
        ),
        (
            "receive_stream.pxi",
            "            until = max(range_at(&self.ranges, position).start, at)\n        if at",
            "            until = stop\n        if at",
        ),
    ),
    one(
        "final-size-passed",
        "data may pass the final size by one byte",
        ("receive_stream.py", "(stop > final_size or", "(stop > final_size + 1 or"),
        ("receive_stream.pxi", "(stop > final_size or", "(stop > final_size + 1 or"),
    ),
    one(
        "final-size-below",
        "a FIN may lie one below what was received",
        ("receive_stream.py", "if fin and stop < highest:", "if fin and stop < highest - 1:"),
        ("receive_stream.pxi", "if fin and stop < highest:", "if fin and stop < highest - 1:"),
    ),
    one(
        "fragment-end",
        "the last unit of a message may have another size the second time",
        (
            "reassembler.py",
            "if stop == self._count and self._last_size not in",
            "if stop == self._count and index == stop - 1 and self._last_size not in",
        ),
        (
            "reassembler.pxi",
            "if stop == self.fragment_count and self.last_size >= 0:",
            "if stop == self.fragment_count and first == stop - 1 and self.last_size >= 0:",
        ),
    ),
    one(
        "fragment-beyond",
        "a run may end one unit beyond its message",
        ("reassembler.py", "    if stop > count:\n", "    if stop > count + 1:\n"),
        ("reassembler.pxi", "    if stop > count:\n", "    if stop > count + 1:\n"),
    ),
    one(
        "fragment-broken-unit",
        "a run in the middle of a message may end with a broken unit",
        (
            "reassembler.py",
            "(size % FRAGMENT_UNIT and stop != count)",
            "(size % FRAGMENT_UNIT and stop > count)",
        ),
        (
            "reassembler.pxi",
            "(size % FRAGMENT_UNIT and stop != count)",
            "(size % FRAGMENT_UNIT and stop > count)",
        ),
    ),
    one(
        "stream-limit",
        "a stream may pass its limit by one byte",
        (
            "packet_checker.py",
            "            if stop > view.limit:\n",
            "            if stop > view.limit + 1:\n",
        ),
        ("packet_checker.pxi", "        if stop > view.limit:\n", "        if stop > view.limit + 1:\n"),
    ),
    one(
        "connection-charge",
        "stream bytes are not charged to the connection before they are taken",
        ("packet_checker.py", "            self._charge(stop - view.highest)\n", ""),
        ("packet_checker.pxi", "        return checker_charge(self, path, advance)\n", "        return OK\n"),
    ),
    one(
        "message-limit",
        "a message that just may overdraw its channel is refused",
        ("packet_checker.py", "view.charged > view.limit +", "view.charged >= view.limit +"),
        ("packet_checker.pxi", "view.highest > view.limit +", "view.highest >= view.limit +"),
    ),
    one(
        "reset-charge",
        "RESET of messages may charge broken units",
        ("packet_checker.py", "or charged % FRAGMENT_UNIT or", "or"),
        ("packet_checker.pxi", "or charged % FRAGMENT_UNIT or", "or"),
    ),
    one(
        "channel-limit",
        "the peer may open one channel more than its limit",
        ("channel_table.py", "if number >= self.local_limits[kind]:", "if number > self.local_limits[kind]:"),
        (
            "channel_table.pxi",
            "if number >= path.local_limits[kind]:",
            "if number > path.local_limits[kind]:",
        ),
    ),
    one(
        "closed-id",
        "a frame for a channel that is over makes it anew",
        (
            "channel_table.py",
            "is_new = number >= self.peer_next[kind] or",
            "is_new = number >= self.peer_next[kind] - 1 or",
        ),
        (
            "channel_table.pxi",
            "if number >= path.peer_next[kind] or",
            "if number >= path.peer_next[kind] - 1 or",
        ),
    ),
    one(
        "slot-lost",
        "a channel that is over gives the peer no new one",
        (
            "channel_table.py",
            "self.raise_limit(kind, self.local_limits[kind] + 1)",
            "self.raise_limit(kind, self.local_limits[kind])",
        ),
        (
            "channel_table.pxi",
            "table_raise_limit(path, kind, path.local_limits[kind] + 1)",
            "table_raise_limit(path, kind, path.local_limits[kind])",
        ),
    ),
    one(
        "abandoned-credit",
        "the credit of an abandoned message does not return",
        (
            "message_inbox.py",
            "            self._count(known[0], -1)\n        self.consumed += count * FRAGMENT_UNIT\n",
            "            self._count(known[0], -1)\n            self.consumed += count * FRAGMENT_UNIT\n",
        ),
        (
            "message_inbox.pxi",
            "(self, message_id, known)\n    self.consumed += count * FRAGMENT_UNIT\n",
            "(self, message_id, known)\n        self.consumed += count * FRAGMENT_UNIT\n",
        ),
    ),
    one(
        "budget",
        "the packet at hand is not counted against the budget",
        (
            "packet_checker.py",
            "credit.held_size + self._stored > self._held_limit()",
            "credit.held_size > self._held_limit()",
        ),
        ("_packet_checks.pxi", "path.held_size + self.stored > held_limit", "path.held_size > held_limit"),
    ),
)
