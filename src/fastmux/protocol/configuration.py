"""What an endpoint and its connections are told once: limits, times and choices.

Owns: the settings, their defaults and their checks. May not know: sockets, clocks, TLS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastmux import constants as c
from fastmux.protocol.congestion import choice
from fastmux.protocol.connection_ids import ConnectionIds, RandomIds, check_size
from fastmux.protocol.observer import ObserverFactory
from fastmux.protocol.setting_ranges import RANGES

RETRY_CHOICES: Final = ("auto", "always", "never")
# The first of a pair is at most the second. What was granted must find room in the budget; and a window that
# begins above its own maximum would hold more than its owner asked for.
_ORDER: Final = (
    ("channel_window", "connection_window"),
    ("connection_window", "budget"),
    ("channel_window", "max_channel_window"),
    ("connection_window", "max_connection_window"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Settings of an endpoint. Sizes in bytes, times in seconds; None switches a limit off.

    `max_datagram_size` caps the path MTU (UDP payload): what is sent, not what is taken. `channel_window` and
    `connection_window` are where credit starts, the `max_…` ones how far auto-tuning may raise them; `budget`
    bounds the received bytes that one connection holds unread. `congestion` names the controller:
    cubic, newreno or bbr.
    `connection_ids` makes the ids by which the endpoint is addressed. `key_update_interval` is after how many
    packets under one key this end changes keys. `observe` makes an observer for each connection, or gives
    None for it (qlog is one).
    `retry` says when a server has clients prove their address before it remembers anything of them: "auto"
    (when many come), "always" or "never". `max_handshake_rate` and `max_handshake_rate_per_address` are how
    many handshakes a second a server begins, in all and with one network (/32 of IPv4, /64 of IPv6); as many
    as may be half-open can come at once. `busy_poll_time` is how long an event loop keeps awake for the next
    datagram where they follow each other as closely; 0 lets it always sleep. `reset_key` (16 secret bytes or
    more) lets a server that was restarted with the same key and address tell old clients at once that their
    connections are gone; without it they notice by silence.

    Raises `ValueError` for a setting that cannot work, TypeError for one of the wrong type. `RANGES` has what
    each number may be.
    """

    idle_timeout: float | None = c.DEFAULT_IDLE_TIMEOUT
    keep_alive: float | None = c.DEFAULT_KEEP_ALIVE
    handshake_timeout: float | None = c.HANDSHAKE_TIMEOUT
    connection_ids: ConnectionIds = RandomIds()
    max_datagram_size: int = c.DEFAULT_MAX_DATAGRAM_SIZE
    max_streams: int = c.DEFAULT_MAX_STREAMS
    max_message_channels: int = c.DEFAULT_MAX_MESSAGE_CHANNELS
    channel_window: int = c.INITIAL_CHANNEL_WINDOW
    max_channel_window: int = c.MAX_CHANNEL_WINDOW
    connection_window: int = c.INITIAL_CONNECTION_WINDOW
    max_connection_window: int = c.MAX_CONNECTION_WINDOW
    budget: int = c.CONNECTION_BUDGET
    write_limit: int = c.WRITE_LIMIT
    max_message_size: int = c.MAX_MESSAGE_SIZE
    max_datagram_frame_size: int = c.MAX_DATAGRAM_FRAME_SIZE
    max_ack_delay: float = c.MAX_ACK_DELAY
    initial_rtt: float = c.K_INITIAL_RTT
    max_connections: int = c.MAX_CONNECTIONS
    max_half_open: int = c.MAX_HALF_OPEN
    max_half_open_per_address: int = c.MAX_HALF_OPEN_PER_ADDRESS
    key_update_interval: int = c.KEY_UPDATE_INTERVAL
    congestion: str = "cubic"
    retry: str = "auto"
    max_handshake_rate: float | None = c.MAX_HANDSHAKE_RATE
    max_handshake_rate_per_address: float | None = c.MAX_HANDSHAKE_RATE_PER_ADDRESS
    busy_poll_time: float = c.BUSY_POLL_TIME
    reset_key: bytes | None = field(default=None, repr=False)
    observe: ObserverFactory | None = None

    def __post_init__(self) -> None:
        for name, allowed in RANGES.items():
            object.__setattr__(self, name, allowed.checked(name, getattr(self, name)))
        for smaller, larger in _ORDER:
            least, value = getattr(self, smaller), getattr(self, larger)
            if value < least:
                raise ValueError(f"{larger} ({value:,}) must be at least {smaller} ({least:,}): change both")
        if not hasattr(self.connection_ids, "size"):
            raise TypeError(f"connection_ids must be RandomIds or RoutableIds, not {self.connection_ids!r}")
        check_size(self.connection_ids.size)
        if self.congestion not in choice.NAMES:
            raise ValueError(f"congestion must be one of {', '.join(choice.NAMES)}, not {self.congestion!r}")
        if self.retry not in RETRY_CHOICES:
            raise ValueError(f"retry must be one of {', '.join(RETRY_CHOICES)}, not {self.retry!r}")
        if self.reset_key is not None:
            if not isinstance(self.reset_key, bytes):
                raise TypeError(f"reset_key must be bytes or None, not {type(self.reset_key).__name__}")
            if len(self.reset_key) < c.MIN_RESET_KEY_SIZE:
                raise ValueError(f"reset_key must have at least {c.MIN_RESET_KEY_SIZE} bytes")
        if self.observe is not None and not callable(self.observe):
            raise TypeError(f"observe must be a function or None, not {self.observe!r}")
