"""How often acknowledgements come: what this end asks of its peer, and what it does for the peer that asks.

Owns: the tolerance that suits a sender, when it is asked for anew, and the rules for a peer's requests
(draft-ietf-quic-ack-frequency). May not know: packets, when an ACK is due (the core's affair).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.events import max_train_size
from fastmux.protocol.glitches import GlitchLimit

# An ACK for this share of what is on the way at the latest. A window waits for half of that on average, which
# costs as much throughput where the window is the limit: a quarter cost 10 %, a sixteenth 2 %, this nothing
# that could be measured. HyStart++ has its eight samples a round too (RFC 9406 §4.2).
FLIGHT_SHARE: Final = 32
RTT_SHARE: Final = 4  # of a round trip may be waited for what fills the tolerance
RAISE_INTERVAL: Final = 0.02  # seconds between two requests for more: at most 100 frames a second
_DEFAULT_THRESHOLD: Final = c.ACK_ELICITING_THRESHOLD - 1
LITTLE: Final = (_DEFAULT_THRESHOLD + 2) * FLIGHT_SHARE  # datagrams on the way: for fewer the defaults suit
_DEFAULT_REORDERING: Final = 1  # any packet out of order is acknowledged at once


class AckRequest(NamedTuple):
    """The content of an ACK_FREQUENCY frame; the delay in seconds."""

    threshold: int  # so many ack-eliciting packets need no ACK, one more does
    max_ack_delay: float
    reordering_threshold: int


def suitable(flight: int, datagram_size: int, smoothed_rtt: float) -> AckRequest:
    """Return what suits a sender with so many bytes on the way: at most one ACK for each train.

    No more than a share of what is on the way, so that no window waits for the delay and a lone train is
    acknowledged at once, as without a request; no delay beyond a share of the round trip. What is missing is
    told as soon as the packet threshold can declare it lost.
    """
    train = max_train_size(datagram_size) // datagram_size
    packets = min(train, flight // (FLIGHT_SHARE * datagram_size))
    delay = min(smoothed_rtt / RTT_SHARE, c.MAX_ACK_DELAY)
    return AckRequest(max(packets - 1, _DEFAULT_THRESHOLD), delay, c.K_PACKET_THRESHOLD)


class AckFrequency:
    """What this end asks of its peer, and so what it may expect of it.

    `max_ack_delay` is the longest that the peer may wait, for the PTO: the longest asked for that it may have
    in force (§7 of the draft), and never less than its parameter. A request for less says how soon an ACK is
    wanted, not that a busy peer wakes up so soon; a needless probe timeout costs more than a late one.

    Invariant: a request is sent only when the last one was acknowledged or lost. Before the first one, and
    where the peer does not offer the extension, the defaults of RFC 9000 §13.2 are in force.
    """

    __slots__ = (
        "_asked",
        "_default",
        "_in_force",
        "_is_lost",
        "_is_outstanding",
        "_least_delay",
        "_offered",
        "_raised_at",
        "max_ack_delay",
        "sequence",
    )

    def __init__(self, min_ack_delay: float | None, max_ack_delay: float) -> None:
        """Of a peer with these parameters; `min_ack_delay` is None if it does not take requests."""
        self.sequence = -1  # of the newest request
        self.max_ack_delay = max_ack_delay
        self._offered = min_ack_delay is not None
        self._least_delay = min_ack_delay or 0.0
        self._default = AckRequest(_DEFAULT_THRESHOLD, max_ack_delay, _DEFAULT_REORDERING)
        self._asked = self._in_force = self._default
        self._is_outstanding = False
        self._is_lost = False
        self._raised_at = float("-inf")

    @property
    def is_at_rest(self) -> bool:
        """True while the defaults are in force and nothing else was asked for."""
        return self._asked is self._default and not self._is_outstanding and not self._is_lost

    def next_request(self, suitable: AckRequest, now: float) -> AckRequest | None:
        """Return what to ask for now; None if what was asked for still does.

        A sender of little wants the defaults. A change of less than a factor of two is none.
        """
        if not self._offered or self._is_outstanding:
            return None
        wanted = self._default
        if suitable.threshold > _DEFAULT_THRESHOLD:
            wanted = suitable._replace(max_ack_delay=max(suitable.max_ack_delay, self._least_delay))
        if not self._is_lost and not _differ(wanted, self._asked):
            return None
        if wanted.threshold > self._asked.threshold:
            if now < self._raised_at + RAISE_INTERVAL:
                return None
            self._raised_at = now
        return wanted

    def on_sent(self, sequence: int, request: AckRequest) -> None:
        """The request goes out; it holds as soon as the peer has it."""
        self.sequence = sequence
        self.max_ack_delay = max(self.max_ack_delay, request.max_ack_delay)
        self._asked = request
        self._is_outstanding = True
        self._is_lost = False

    def on_acked(self, sequence: int) -> None:
        """A request arrived; if it is the newest, no other is in force any more."""
        if sequence == self.sequence:
            self._is_outstanding = self._is_lost = False
            self._in_force = self._asked
            self.max_ack_delay = max(self._asked.max_ack_delay, self._default.max_ack_delay)

    def on_lost(self, sequence: int) -> None:
        """A request was lost: what is then wanted goes instead of the newest."""
        if sequence == self.sequence:
            self._is_outstanding = False
            self._is_lost = True

    @property
    def gap(self) -> int:
        """How many packet numbers to leave out for an immediate ACK of the next packet; 0 for the defaults.

        There is no IMMEDIATE_ACK frame: a gap does it (RFC 9002 §6.2.4), and lets nothing be taken for lost.
        By the defaults two packets are acknowledged at once without.
        """
        requests = (self._asked, self._in_force)
        return max(0 if request == self._default else request.reordering_threshold for request in requests)


def _differ(one: AckRequest, other: AckRequest) -> bool:
    """True if the two are a factor of two apart."""
    counts = sorted((one.threshold + 1, other.threshold + 1))
    delays = sorted((one.max_ack_delay, other.max_ack_delay))
    is_far = counts[1] >= 2 * counts[0] or delays[1] >= 2 * delays[0]
    return is_far and one != other


class AckRequests:
    """What the peer asks of this end.

    Invariant: the newest request by sequence number is in force, whatever came last.
    """

    __slots__ = ("_data_path", "_largest", "_limit", "_min_ack_delay_us")

    def __init__(self, data_path: core.DataPath, min_ack_delay: float) -> None:
        """`min_ack_delay` is what this end offered, seconds."""
        self._data_path = data_path
        self._min_ack_delay_us = round(min_ack_delay * 1e6)
        self._largest = -1
        self._limit = GlitchLimit(c.ACK_FREQUENCY_BURST, c.ACK_FREQUENCY_RATE)

    def on_frame(
        self, sequence: int, threshold: int, max_ack_delay_us: int, reordering_threshold: int, now: float
    ) -> None:
        """Take an ACK_FREQUENCY frame; an older one than the newest means nothing.

        Whatever the threshold, an ACK goes for a whole train at the most often, and after the delay at the
        latest. Raises `ProtocolError`: PROTOCOL_VIOLATION for a delay that this end did not offer or no
        parameter could have, GLITCH_LIMIT for more frames than any use explains.
        """
        if self._limit.add(1, now):
            raise ProtocolError(c.GLITCH_LIMIT, "too many ACK_FREQUENCY frames")
        if sequence <= self._largest:
            return
        if not self._min_ack_delay_us <= max_ack_delay_us < round(c.MAX_ACK_DELAY_LIMIT * 1e6):
            raise ProtocolError(c.PROTOCOL_VIOLATION, "ACK_FREQUENCY with an ack delay out of bounds")
        self._largest = sequence
        self._data_path.set_ack_policy(threshold, max_ack_delay_us / 1e6, reordering_threshold)
