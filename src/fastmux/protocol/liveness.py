"""Whether the peer is still there, and whether it behaves.

Owns: the idle timer, the moment of the keep-alive, when the peer was last seen, and the budget for useless
work. May not know: how a PING is sent, what happens to a connection whose peer is gone.
"""

from __future__ import annotations

from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.glitches import GlitchLimit
from fastmux.protocol.idle import IdleTimer
from fastmux.protocol.parameters import Parameters

_CHECK_INTERVAL: Final = 0.05  # between two looks at the counters: no need to look with every train


class Liveness:
    """Times are seconds. Nothing runs before `start`."""

    __slots__ = (
        "_check_at",
        "_data_path",
        "_failure_limit",
        "_glitch_count",
        "_glitches",
        "_heard",
        "_idle",
        "_is_client",
        "_packet_count",
        "_probed_at",
        "_received_at",
        "_timeout_count",
        "_unanswered",
        "last_seen",
    )

    def __init__(self, data_path: core.DataPath, configuration: Configuration, *, is_client: bool) -> None:
        self.last_seen = 0.0
        self._is_client = is_client
        self._heard = 0  # packets since this end last asked whether there is more
        self._data_path = data_path
        self._idle = IdleTimer(configuration.idle_timeout, configuration.keep_alive)
        self._received_at = data_path.last_received_at
        self._glitches = GlitchLimit()
        self._glitch_count = 0
        self._packet_count = 0
        self._check_at = 0.0
        self._failure_limit: int | None = None
        self._unanswered = 0  # probe timeouts since the last acknowledgement, while the peer was heard
        self._timeout_count = 0
        self._probed_at = 0.0  # when the peer was heard last, at the last of them

    @property
    def timeout(self) -> float | None:
        """The idle timeout in force, None for none."""
        return self._idle.timeout

    def start(self, peer: Parameters, suite: int, now: float) -> None:
        """The connection is open: the timers run."""
        self._idle.set_peer_timeout(peer.max_idle_timeout)
        self._idle.on_received(now)
        if suite == c.SUITE_CHACHA20_POLY1305:
            self._failure_limit = c.CHACHA20_FAILURE_LIMIT
        elif suite != c.SUITE_NULL:
            self._failure_limit = c.AES_GCM_FAILURE_LIMIT

    def on_handshake_packet(self, now: float) -> None:
        """The handshake began, or an authentic packet of it came."""
        self.last_seen = now

    def on_batch(self, now: float) -> None:
        """Look at what a batch brought. Raises `ProtocolError`: GLITCH_LIMIT, AEAD_LIMIT_REACHED."""
        received_at = self._data_path.last_received_at
        if received_at != self._received_at:
            self._received_at = received_at
            self.last_seen = now
            self._idle.on_received(now)
        if now >= self._check_at:
            self._check_at = now + _CHECK_INTERVAL
            self._check_counters(now)

    def on_probe_timeout(self, count: int) -> None:
        """The `count`th probe timeout since something was acknowledged. Raises `ProtocolError`.

        A peer that goes on talking and acknowledges nothing would have this end hold what it sent for ever.
        Probes that answer a peer, and leave the back-off as it is, do not count: they come as often as it is
        heard.
        """
        received_at = self._data_path.last_received_at
        is_answer = count == self._timeout_count
        self._timeout_count = count
        if is_answer and count > 1:
            return
        if count == 1:
            self._unanswered = 0
        elif received_at > self._probed_at:
            self._unanswered += 1
        self._probed_at = received_at
        if self._unanswered >= c.MAX_UNANSWERED_PTOS and self.timeout is not None:
            raise ProtocolError(c.NO_VIABLE_PATH, "the peer acknowledges nothing")

    def on_sent(self, now: float) -> None:
        """Something ack-eliciting was sent."""
        self._idle.on_sent_eliciting(now)
        if self._heard and self._is_client and now >= self._ask_at:
            self._heard = 0

    def deadline(self, pto: float) -> float | None:
        """When the idle timeout, or the keep-alive if it may go, is due."""
        self._idle.pto = pto
        idle_at, keep_alive_at = self._idle.deadline, self._keep_alive_at()
        if idle_at is None or (keep_alive_at is not None and keep_alive_at < idle_at):
            return keep_alive_at
        return idle_at

    def is_silent(self, now: float) -> bool:
        """True if the peer was silent for the idle timeout."""
        deadline = self._idle.deadline
        return deadline is not None and now >= deadline

    def is_keep_alive_due(self, now: float) -> bool:
        """True if a PING should go."""
        keep_alive_at = self._keep_alive_at()
        return keep_alive_at is not None and now >= keep_alive_at

    def _keep_alive_at(self) -> float | None:
        """None while something is on the way: its acknowledgement, or its probes, keep the path alive."""
        if self._data_path.bytes_in_flight or self._data_path.has_pending:
            return None
        if self._is_client and self._heard >= c.ASK_AFTER_PACKETS:
            return self._ask_at
        return self._idle.keep_alive_at

    @property
    def _ask_at(self) -> float:
        """When a client that only reads, and has heard a good deal, asks whether there is more.

        A NAT that has given it another port lets nothing in until something went out, and a client whose
        packets are all acknowledged has nothing to send.
        """
        return self.last_seen + c.ASK_AFTER_PTOS * self._idle.pto

    def _check_counters(self, now: float) -> None:
        counters = self._data_path.counters()
        glitch_count = counters["glitches"]
        glitches = glitch_count - self._glitch_count
        packets = counters["packets_received"] - self._packet_count
        self._heard += packets
        if self._glitches.add(glitches, now, max(packets - glitches, 0)):
            raise ProtocolError(c.GLITCH_LIMIT, "too much useless work")
        self._glitch_count = glitch_count
        self._packet_count = counters["packets_received"]
        limit = self._failure_limit
        if limit is not None and counters["undecryptable_packets"] >= limit:
            raise ProtocolError(c.AEAD_LIMIT_REACHED, "too many packets that do not authenticate")
