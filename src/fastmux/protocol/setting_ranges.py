"""What each setting that is a number may be.

Owns: the lowest and the highest value of each, its unit, and the errors that name them. May not know: what
the settings do, and how one bounds another (`Configuration` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from types import MappingProxyType
from typing import Final, SupportsFloat, SupportsIndex

from fastmux import constants as c
from fastmux.protocol.rtt import MIN_RTT

_AS_POWER_FROM: Final = 1 << 32  # larger powers of two are read more easily as such


@dataclass(frozen=True, slots=True)
class Range:
    """From `lowest` to `highest`, both included; an integer where both are. `unit` may be empty."""

    lowest: float
    highest: float
    unit: str = ""
    takes_none: bool = False

    def __str__(self) -> str:
        """As errors and the page of settings say it."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{_shown(self.lowest)} to {_shown(self.highest)}{unit}{' or None' if self.takes_none else ''}"

    def checked(self, name: str, value: object) -> float | None:
        """The value as a plain int, or float, or None. Raises TypeError for what is no such number,
        ValueError for one outside, NaN too. Both name the setting, its range and its unit.
        """
        if value is None and self.takes_none:
            return None
        is_integer = isinstance(self.highest, int)
        number: float
        if isinstance(value, SupportsIndex):
            number = index(value)
        elif isinstance(value, SupportsFloat) and not is_integer:
            number = float(value)
        else:
            kind = "an integer" if is_integer else "a number"
            raise TypeError(f"{name} must be {kind}, {self}, not {value!r}")
        if not self.lowest <= number <= self.highest:
            raise ValueError(f"{name} must be {self}, not {value!r}")
        return number if is_integer else float(number)


_BYTES: Final = "bytes"
_SECONDS: Final = "seconds"
_TIMEOUT: Final = Range(c.MIN_TIMEOUT_SETTING, c.MAX_TIMEOUT_SETTING, _SECONDS, takes_none=True)
_WINDOW: Final = Range(c.MIN_WINDOW_SETTING, c.MAX_SIZE_SETTING, _BYTES)
_CHANNELS: Final = Range(0, c.MAX_CHANNELS_LIMIT)
_CONNECTIONS: Final = Range(1, c.MAX_COUNT_SETTING)
_RATE: Final = Range(c.MIN_RATE_SETTING, c.MAX_RATE_SETTING, "a second", takes_none=True)

RANGES: Final[Mapping[str, Range]] = MappingProxyType(
    {
        "idle_timeout": _TIMEOUT,
        "keep_alive": _TIMEOUT,
        "handshake_timeout": _TIMEOUT,
        "max_datagram_size": Range(c.BASE_PLPMTU, c.MAX_UDP_PAYLOAD, _BYTES),
        "max_streams": _CHANNELS,
        "max_message_channels": _CHANNELS,
        "channel_window": _WINDOW,
        "max_channel_window": _WINDOW,
        "connection_window": _WINDOW,
        "max_connection_window": _WINDOW,
        "budget": _WINDOW,
        "write_limit": Range(1, c.MAX_SIZE_SETTING, _BYTES),
        "max_message_size": Range(0, c.MAX_SIZE_SETTING, _BYTES),
        "max_datagram_frame_size": Range(0, c.MAX_DATAGRAM_FRAME_SIZE_SETTING, _BYTES),
        "max_ack_delay": Range(0.0, c.MAX_ACK_DELAY_SETTING, _SECONDS),
        "initial_rtt": Range(MIN_RTT, c.MAX_INITIAL_RTT_SETTING, _SECONDS),
        "max_connections": _CONNECTIONS,
        "max_half_open": _CONNECTIONS,
        "max_half_open_per_address": _CONNECTIONS,
        "key_update_interval": Range(1, c.KEY_UPDATE_INTERVAL, "packets"),
        "max_handshake_rate": _RATE,
        "max_handshake_rate_per_address": _RATE,
        "busy_poll_time": Range(0.0, c.MAX_BUSY_POLL_TIME, _SECONDS),
    }
)


def _shown(number: float) -> str:
    if isinstance(number, int):
        is_power = number >= _AS_POWER_FROM and number & (number - 1) == 0
        return f"2^{number.bit_length() - 1}" if is_power else f"{number:,}"
    return f"{number:,f}".rstrip("0").rstrip(".")
