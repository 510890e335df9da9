"""The rare frames, PING, HANDSHAKE_DONE, probes and closes, and the tokens by which the core reports on them.

Owns: which token stands for what. May not know: how the connection reacts to a close or to the end of the
handshake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.events import ChannelsAvailable, Event, PingAcknowledged
from fastmux.protocol.handshake_packets import Frame
from fastmux.protocol.traffic import Traffic

_PING: Final = bytes((c.FRAME_PING,))
_HANDSHAKE_DONE: Final = bytes((c.FRAME_HANDSHAKE_DONE,))
_PINGS_SENT: Final = c.ACK_ELICITING_THRESHOLD  # so many eliciting packets are acknowledged at once


@dataclass(slots=True)
class Outcome:
    """What a batch means to the connection."""

    events: list[Event] = field(default_factory=list)
    is_handshake_done: bool = False
    are_keys_updated: bool = False
    path_frames: tuple[Frame, ...] = ()  # NEW_ID, RETIRE_ID, PATH_CHALLENGE, PATH_RESPONSE
    close: tuple[int, str] | None = None


class Control:
    """Sends control frames until they are through.

    Invariant: tokens are never used twice; `_pings` holds the first sending of every ping not acknowledged
    yet, `_pings_due` those of them that wait for a packet; `_done_tokens`, of the last MAX_DONE_TOKENS
    sendings, is empty once HANDSHAKE_DONE is acknowledged; `_kept` has the frames given to `keep` that are
    not.
    """

    __slots__ = (
        "_ack_requests",
        "_ask_at",
        "_data_path",
        "_done_tokens",
        "_kept",
        "_mtu_probe",
        "_mtu_probe_size",
        "_next_token",
        "_pings",
        "_pings_due",
        "_traffic",
    )

    def __init__(self, data_path: core.DataPath, traffic: Traffic) -> None:
        self._data_path = data_path
        self._traffic = traffic
        self._next_token = 1
        self._pings: dict[int, float] = {}
        self._pings_due: list[int] = []
        self._done_tokens: dict[int, None] = {}  # as a set: an empty one is a third of its size
        self._mtu_probe = 0  # the token of the newest; what becomes of older ones interests nobody
        self._mtu_probe_size = 0
        self._ack_requests: dict[int, None] = {}
        self._ask_at = 0.0  # when to look again how often the peer should acknowledge
        self._kept: dict[int, bytes] | None = None  # none where it would be empty

    # --- sending ------------------------------------------------------------------------------------

    def ping(self, now: float) -> int:
        """Start a round-trip measurement and return its token."""
        token = self._token()
        self._pings[token] = now
        self._pings_due.append(token)
        return token

    def keep_alive(self) -> None:
        """Queue a PING that nobody asks about."""
        self._data_path.queue_control(0, _PING)

    def send_handshake_done(self) -> None:
        """Tell the client that the handshake is over here, until it is acknowledged."""
        token = self._token()
        self._done_tokens[token] = None
        if len(self._done_tokens) > c.MAX_DONE_TOKENS:  # a peer may confirm nothing
            del self._done_tokens[next(iter(self._done_tokens))]
        self._data_path.queue_control(token, _HANDSHAKE_DONE)

    def keep(self, frame: bytes) -> None:
        """Send an encoded frame, again and again until it is acknowledged."""
        token = self._token()
        if self._kept is None:
            self._kept = {}
        self._kept[token] = frame
        self._data_path.queue_control(token, frame)

    @property
    def kept_count(self) -> int:
        """How many frames given to `keep` are not acknowledged."""
        return len(self._kept) if self._kept is not None else 0

    @property
    def kept_size(self) -> int:
        """What they are charged."""
        return sum(c.CONTROL_CHARGE + len(frame) for frame in (self._kept or {}).values())

    def forget_mtu_probes(self) -> None:
        """What is on the way says nothing of the path that is used now."""
        self._mtu_probe = 0

    @property
    def is_settled(self) -> bool:
        """False while the client may not know that the handshake is over."""
        return not self._done_tokens

    def on_probe_timeout(self) -> None:
        """A PTO fired: a HANDSHAKE_DONE that may be lost goes again, as the client waits for nothing else."""
        if self._done_tokens:
            self.send_handshake_done()

    def is_due(self, now: float) -> bool:
        """False if `fill` would surely give nothing."""
        return now >= self._traffic.mtu.due_at or bool(self._pings_due)

    def fill(self, buffer: bytearray | memoryview, now: float) -> tuple[int, int]:
        """Build what needs packets of its own. Returns `(size, segment_size)`, zeros if there is nothing."""
        size = None if now < self._traffic.mtu.due_at else self._traffic.next_mtu_probe(now)
        if size is not None:
            token = self._token()
            self._mtu_probe, self._mtu_probe_size = token, size
            size = self._traffic.build(buffer, _PING, size, token, now)
            return size, size
        if self._pings_due:
            return self._fill_pings(buffer, now)
        return 0, 0

    def _fill_pings(self, buffer: bytearray | memoryview, now: float) -> tuple[int, int]:
        """Build some packets for one ping: one alone would be acknowledged after max_ack_delay only."""
        token = self._pings_due.pop(0)
        self._traffic.hurry_ack()
        view = memoryview(buffer)
        segment_size = size = self._traffic.build(view, _PING, 0, token, now)
        for _ in range(_PINGS_SENT - 1):
            size += self._traffic.build(view[size:], _PING, 0, self._token(), now)
        return size, segment_size

    def _token(self) -> int:
        token = self._next_token
        self._next_token += 1
        return token

    # --- receiving ----------------------------------------------------------------------------------

    def take(self, now: float) -> Outcome:
        """Act on the control frames and reports of a batch.

        Raises `ProtocolError` for a frame that the peer may not send.
        """
        outcome = Outcome()
        for frame in self._data_path.take_control():
            self._apply(frame, outcome, now)
        self._ask_for_acks(now)
        return outcome

    def _ask_for_acks(self, now: float) -> None:
        """Tokens rise and are never used twice: they number ACK_FREQUENCY frames as well.

        What would suit is worked out once a millisecond at the most: the flight changes from turn to turn.
        """
        if now < self._ask_at:
            return
        self._ask_at = now + c.K_GRANULARITY
        frame = self._traffic.ask_for_acks(self._next_token, now)
        if frame is not None:
            token = self._token()
            self._ack_requests[token] = None
            self._data_path.queue_control(token, frame)

    def _apply(self, frame: Frame, outcome: Outcome, now: float) -> None:
        match frame:
            case (c.CONTROL_ACKED, int() as token):
                self._on_acked(token, outcome, now)
            case (c.CONTROL_LOST, int() as token):
                self._on_lost(token, now)
            case (c.CONTROL_KEYS_UPDATED, _):
                outcome.are_keys_updated = True
            case (c.FRAME_HANDSHAKE_DONE,):
                outcome.is_handshake_done = True
            case (c.FRAME_MAX_CHANNELS, int(), int()):
                if not outcome.events or outcome.events[-1] != ChannelsAvailable():
                    outcome.events.append(ChannelsAvailable())
            case (
                c.FRAME_CONNECTION_CLOSE | c.FRAME_APPLICATION_CLOSE,
                int() as code,
                bytes() as reason,
            ):
                outcome.close = outcome.close or (code, reason.decode(errors="replace"))
            case (c.FRAME_NEW_ID | c.FRAME_RETIRE_ID | c.FRAME_PATH_CHALLENGE | c.FRAME_PATH_RESPONSE, *_):
                outcome.path_frames = (*outcome.path_frames, frame)
            case (c.FRAME_ACK_FREQUENCY, int() as sequence, int() as most, int() as delay, int() as distance):
                self._traffic.ack_requests.on_frame(sequence, most, delay, distance, now)
            case _:  # extensions
                return

    def _on_acked(self, token: int, outcome: Outcome, now: float) -> None:
        if token in self._done_tokens:
            self._done_tokens.clear()
        elif token == self._mtu_probe:
            self._traffic.on_mtu_report(self._mtu_probe_size, True, now)
        elif token in self._ack_requests:
            del self._ack_requests[token]
            self._traffic.on_ack_request_report(token, True)
        elif token in self._pings:
            outcome.events.append(PingAcknowledged(token, now - self._pings.pop(token)))
        elif self._kept is not None and token in self._kept:
            del self._kept[token]
            self._kept = self._kept or None

    def _on_lost(self, token: int, now: float) -> None:
        if token in self._done_tokens:
            del self._done_tokens[token]
            self.send_handshake_done()
        elif token == self._mtu_probe:
            self._traffic.on_mtu_report(self._mtu_probe_size, False, now)
        elif token in self._ack_requests:
            del self._ack_requests[token]
            self._traffic.on_ack_request_report(token, False)
        elif token in self._pings:
            self._pings_due.append(token)
        elif self._kept is not None and token in self._kept:
            self.keep(self._kept.pop(token))
