"""The PARAMETERS blob: what each end tells the other about its limits (docs/wire-format.md §6.1).

Owns: its encoding, its defaults and its checks. May not know: when it travels, or who obeys it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration

_MAX_ACK_DELAY_MS: Final = round(c.MAX_ACK_DELAY_LIMIT * 1000)
_MIN_ACTIVE_ID_LIMIT: Final = 2
_GREASE_STEP: Final = 31
_GREASE_START: Final = 27
_REMEMBERED_BLOBS: Final = 16  # of this end's own parameters: one for each configuration in use


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The limits of one end. Sizes in bytes, times in seconds; `max_idle_timeout` 0 means none.

    `min_ack_delay` is None where the end does not offer ACK_FREQUENCY.
    """

    max_idle_timeout: float = 0.0
    max_datagram_size: int = c.MAX_UDP_PAYLOAD
    initial_max_data: int = 0
    initial_max_channel_data: int = 0
    initial_max_streams: int = 0
    initial_max_message_channels: int = 0
    max_ack_delay: float = c.MAX_ACK_DELAY
    active_id_limit: int = _MIN_ACTIVE_ID_LIMIT
    max_message_size: int = 0
    max_datagram_frame_size: int = 0
    min_ack_delay: float | None = None
    extension_frames: bool = False


def parameters_of(configuration: Configuration) -> Parameters:
    """Give the parameters that an endpoint with this configuration announces."""
    return Parameters(
        max_idle_timeout=configuration.idle_timeout or 0.0,
        initial_max_data=configuration.connection_window,
        initial_max_channel_data=configuration.channel_window,
        initial_max_streams=configuration.max_streams,
        initial_max_message_channels=configuration.max_message_channels,
        max_ack_delay=configuration.max_ack_delay,
        min_ack_delay=min_ack_delay_of(configuration),
        active_id_limit=c.ACTIVE_ID_LIMIT,
        max_message_size=configuration.max_message_size,
        max_datagram_frame_size=configuration.max_datagram_frame_size,
    )


def min_ack_delay_of(configuration: Configuration) -> float:
    """Give the least ack delay that an endpoint offers: never more than the delay that it announces."""
    return min(c.MIN_ACK_DELAY, round(configuration.max_ack_delay * 1000) / 1000)


def encode_parameters(parameters: Parameters, grease: bytes = b"") -> bytes:
    """Encode to the blob of a PARAMETERS frame.

    With `grease` (random bytes) one parameter that nobody knows is added (RFC 9000 §18.1): its first byte
    picks the id, the rest is the value.
    """
    blob = _encode_known(parameters)
    if grease:
        blob += _entry(_GREASE_STEP * (grease[0] + 1) + _GREASE_START, grease[1:])
    return blob


@lru_cache(maxsize=_REMEMBERED_BLOBS)
def _encode_known(parameters: Parameters) -> bytes:
    idle_ms = max(1, round(parameters.max_idle_timeout * 1000)) if parameters.max_idle_timeout else 0
    numbers = {
        c.PARAMETER_MAX_IDLE_TIMEOUT: idle_ms,
        c.PARAMETER_MAX_DATAGRAM_SIZE: parameters.max_datagram_size,
        c.PARAMETER_INITIAL_MAX_DATA: parameters.initial_max_data,
        c.PARAMETER_INITIAL_MAX_CHANNEL_DATA: parameters.initial_max_channel_data,
        c.PARAMETER_INITIAL_MAX_STREAMS: parameters.initial_max_streams,
        c.PARAMETER_INITIAL_MAX_MESSAGE_CHANNELS: parameters.initial_max_message_channels,
        c.PARAMETER_MAX_ACK_DELAY: round(parameters.max_ack_delay * 1000),
        c.PARAMETER_ACTIVE_ID_LIMIT: parameters.active_id_limit,
        c.PARAMETER_MAX_MESSAGE_SIZE: parameters.max_message_size,
        c.PARAMETER_MAX_DATAGRAM_FRAME_SIZE: parameters.max_datagram_frame_size,
    }
    if parameters.min_ack_delay is not None:
        numbers[c.PARAMETER_MIN_ACK_DELAY] = round(parameters.min_ack_delay * 1e6)
    blob = b"".join(_entry(number, core.encode_varint(value)) for number, value in numbers.items())
    if parameters.extension_frames:
        blob += _entry(c.PARAMETER_EXTENSION_FRAMES, b"")
    return blob


def decode_parameters(blob: bytes) -> Parameters:
    """Decode a blob. Raises `ProtocolError` (PARAMETER_ERROR) for anything §6.1 forbids."""
    if len(blob) > c.MAX_PARAMETERS_SIZE:
        raise _error(f"{len(blob)} bytes of parameters")
    entries = _entries(blob)
    if entries.get(c.PARAMETER_EXTENSION_FRAMES):
        raise _error("extension_frames has a value")
    numbers = _Numbers(entries)
    parameters = Parameters(
        max_idle_timeout=numbers.get(c.PARAMETER_MAX_IDLE_TIMEOUT, 0) / 1000,
        max_datagram_size=numbers.get(c.PARAMETER_MAX_DATAGRAM_SIZE, c.MAX_UDP_PAYLOAD, least=c.BASE_PLPMTU),
        initial_max_data=numbers.get(c.PARAMETER_INITIAL_MAX_DATA, 0),
        initial_max_channel_data=numbers.get(c.PARAMETER_INITIAL_MAX_CHANNEL_DATA, 0),
        initial_max_streams=numbers.get(c.PARAMETER_INITIAL_MAX_STREAMS, 0, most=c.MAX_CHANNELS_LIMIT),
        initial_max_message_channels=numbers.get(
            c.PARAMETER_INITIAL_MAX_MESSAGE_CHANNELS, 0, most=c.MAX_CHANNELS_LIMIT
        ),
        max_ack_delay=numbers.get(
            c.PARAMETER_MAX_ACK_DELAY, round(c.MAX_ACK_DELAY * 1000), most=_MAX_ACK_DELAY_MS - 1
        )
        / 1000,
        active_id_limit=numbers.get(
            c.PARAMETER_ACTIVE_ID_LIMIT, _MIN_ACTIVE_ID_LIMIT, least=_MIN_ACTIVE_ID_LIMIT
        ),
        max_message_size=numbers.get(c.PARAMETER_MAX_MESSAGE_SIZE, 0),
        max_datagram_frame_size=numbers.get(c.PARAMETER_MAX_DATAGRAM_FRAME_SIZE, 0),
        min_ack_delay=numbers.get(c.PARAMETER_MIN_ACK_DELAY, 0) / 1e6
        if c.PARAMETER_MIN_ACK_DELAY in entries
        else None,
        extension_frames=c.PARAMETER_EXTENSION_FRAMES in entries,
    )
    if parameters.min_ack_delay is not None and parameters.min_ack_delay > parameters.max_ack_delay:
        raise _error("min_ack_delay is above max_ack_delay")
    return parameters


class _Numbers:
    """Reads the integers among the entries, each a varint that fills its value."""

    def __init__(self, entries: dict[int, bytes]) -> None:
        self._entries = entries

    def get(self, number: int, default: int, *, least: int = 0, most: int = c.MAX_VARINT) -> int:
        value = self._entries.get(number)
        if value is None:
            return default
        result, end = _varint(value, 0)
        if end != len(value):
            raise _error(f"parameter {number:#x} is not one integer")
        if not least <= result <= most:
            raise _error(f"parameter {number:#x} is {result}, not {least} to {most}")
        return result


def _entries(blob: bytes) -> dict[int, bytes]:
    entries: dict[int, bytes] = {}
    offset, end = 0, len(blob)
    while offset < end:
        number, offset = _varint(blob, offset)
        size, offset = _varint(blob, offset)
        stop = offset + size
        if stop > end:
            raise _error(f"parameter {number:#x} is truncated")
        if number in entries:
            raise _error(f"parameter {number:#x} comes twice")
        entries[number] = blob[offset:stop]
        offset = stop
    return entries


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    try:
        return core.decode_varint(data, offset)
    except ProtocolError:
        raise _error("a truncated integer") from None


def _entry(number: int, value: bytes) -> bytes:
    return core.encode_varint(number) + core.encode_varint(len(value)) + value


def _error(what: str) -> ProtocolError:
    return ProtocolError(c.PARAMETER_ERROR, f"malformed parameters: {what}")
