"""What the tunnel carries and has carried: channel by channel, and added up by identity.

Owns: the counters, and the one log line of each channel. May not know: sockets, streams, who shows them.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from fastmux.security.names import printable
from fastmux.tunnel.constants import MAX_COUNTED_IDENTITIES

logger = logging.getLogger("fastmux.tunnel.channel")

Direction: TypeAlias = Literal["out", "in"]  # opened by this end, or by the far one

CLOSED: Final = "closed"  # the outcome of a channel that ended as its users wanted
OTHERS: Final = "(others)"  # under this name stand identities whose own totals were dropped


@dataclass(slots=True, eq=False)
class ChannelRecord:
    """One channel while it is open. Sizes in bytes, payload only; they grow while a transfer runs.

    `identity` is the far end's name, `kind` what it is for ("tcp", "udp", "unix", "listen", "ping", "socks5",
    "http", …), `target` where it goes, `opened_at` on the registry's clock. `received_size` came from the far
    end, `sent_size` went there. `holds_socket`: it counts for `ChannelRegistry.sockets_of`.
    """

    id: int
    identity: str
    kind: str
    target: str
    direction: Direction
    opened_at: float
    received_size: int = 0
    sent_size: int = 0
    holds_socket: bool = True


@dataclass(slots=True)
class Totals:
    """What one identity's channels did: channels opened, how many of them failed, bytes each way."""

    opened: int = 0
    failed: int = 0
    received_size: int = 0
    sent_size: int = 0

    def add(self, other: Totals) -> None:
        """Add another's figures to these."""
        self.opened += other.opened
        self.failed += other.failed
        self.received_size += other.received_size
        self.sent_size += other.sent_size


@dataclass(slots=True)
class _Account:
    """`ended` holds all that was opened, and the bytes of channels that have ended; `sockets` those open."""

    ended: Totals
    open: int = 0
    sockets: int = 0


class ChannelRegistry:
    """Every channel of a process.

    Invariant: `_open` has the records that were opened and not closed, and each identity in it has an account
    that knows how many they are. `_accounts` are in the order of their last use, at most `max_identities` and
    those with open channels; what is dropped of them is added to `_others`, so that no total ever falls.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_identities: int = MAX_COUNTED_IDENTITIES,
    ) -> None:
        self.clock = clock
        self._max_identities = max_identities
        self._ids = itertools.count(1)
        self._open: dict[int, ChannelRecord] = {}
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._others = Totals()

    def open(
        self, identity: str, kind: str, target: str, direction: Direction, *, holds_socket: bool = True
    ) -> ChannelRecord:
        """Begin to count a channel; whoever opens a record closes it, however the channel ends."""
        record = ChannelRecord(next(self._ids), identity, kind, target, direction, self.clock())
        record.holds_socket = holds_socket
        self._open[record.id] = record
        account = self._account_of(identity)
        account.ended.opened += 1
        account.open += 1
        account.sockets += holds_socket
        return record

    def identify(self, record: ChannelRecord, identity: str) -> None:
        """The far end of an open channel has become known; `opened` stays where it was counted."""
        if record.id in self._open and record.identity != identity:
            for name, step in ((record.identity, -1), (identity, 1)):
                account = self._account_of(name)
                account.open += step
                account.sockets += step * record.holds_socket
            record.identity = identity

    def close(self, record: ChannelRecord, outcome: str = CLOSED) -> None:
        """The channel is over: `outcome` is "closed", or says what cut it short. Later calls do nothing.

        Logs one INFO line; the log record's attribute `channel` has the same facts as a dict.
        """
        if self._open.pop(record.id, None) is None:
            return
        account = self._account_of(record.identity)
        account.open -= 1
        account.sockets -= record.holds_socket
        failed = int(outcome != CLOSED)
        account.ended.add(Totals(0, failed, record.received_size, record.sent_size))
        self._log(record, outcome)

    def records(self) -> list[ChannelRecord]:
        """The channels that are open, the oldest first."""
        return list(self._open.values())

    def sockets_of(self, identity: str) -> int:
        """How many open channels of this identity hold a socket of their own here."""
        account = self._accounts.get(identity)
        return 0 if account is None else account.sockets

    def totals(self) -> dict[str, Totals]:
        """By identity, with the open channels' bytes up to now; "(others)" are all that were dropped."""
        result = {identity: Totals() for identity in self._accounts}
        for identity, account in self._accounts.items():
            result[identity].add(account.ended)
        for record in self._open.values():
            result[record.identity].add(Totals(0, 0, record.received_size, record.sent_size))
        if self._others.opened:
            result.setdefault(OTHERS, Totals()).add(self._others)
        return result

    def _account_of(self, identity: str) -> _Account:
        account = self._accounts.get(identity)
        if account is None:
            self._make_room()
            account = self._accounts[identity] = _Account(Totals())
        self._accounts.move_to_end(identity)
        return account

    def _make_room(self) -> None:
        """Drop the least recently used account without open channels if there are too many."""
        if len(self._accounts) >= self._max_identities:
            idle = next((name for name, account in self._accounts.items() if not account.open), None)
            if idle is not None:
                self._others.add(self._accounts.pop(idle).ended)

    def _log(self, record: ChannelRecord, outcome: str) -> None:
        seconds = self.clock() - record.opened_at
        fields = {
            "identity": printable(record.identity),
            "kind": record.kind,
            "target": printable(record.target),
            "direction": record.direction,
            "received_size": record.received_size,
            "sent_size": record.sent_size,
            "seconds": round(seconds, 3),
            "outcome": outcome,
        }
        logger.info(
            "%s %s %s: %d bytes received, %d sent in %.3f s: %s",
            fields["identity"],
            record.kind,
            fields["target"],
            record.received_size,
            record.sent_size,
            seconds,
            outcome,
            extra={"channel": fields},
        )
