"""Parsing frames (docs/wire-format.md §7).

Owns: the syntax of every frame type, read into a plain tuple. May not know: what a frame does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastmux._core_py._arguments import immutable, integer
from fastmux._core_py.varint import read_varint
from fastmux.constants import (
    FRAME_ACK,
    FRAME_ACK_ECN,
    FRAME_ACK_FREQUENCY,
    FRAME_APPLICATION_CLOSE,
    FRAME_CHANNEL_DATA_BLOCKED,
    FRAME_CHANNELS_BLOCKED,
    FRAME_CONNECTION_CLOSE,
    FRAME_DATA_BLOCKED,
    FRAME_DATAGRAM,
    FRAME_ENCODING_ERROR,
    FRAME_EXTENSION_FIRST,
    FRAME_EXTENSION_LAST,
    FRAME_HANDSHAKE,
    FRAME_HANDSHAKE_DONE,
    FRAME_LENGTH,
    FRAME_MAX_CHANNEL_DATA,
    FRAME_MAX_CHANNELS,
    FRAME_MAX_DATA,
    FRAME_MESSAGE,
    FRAME_MESSAGE_ABANDON,
    FRAME_MESSAGE_FIN,
    FRAME_NEW_ID,
    FRAME_OPEN,
    FRAME_PADDING,
    FRAME_PARAMETERS,
    FRAME_PATH_CHALLENGE,
    FRAME_PATH_RESPONSE,
    FRAME_PING,
    FRAME_RESET,
    FRAME_RETIRE_ID,
    FRAME_STOP,
    FRAME_STREAM,
    KIND_MESSAGE,
    MAX_ACK_RANGES_ACCEPTED,
    MAX_CHANNELS_LIMIT,
    MAX_CONNECTION_ID_SIZE,
    MAX_LABEL_SIZE,
    MAX_REASON_SIZE,
    MAX_VARINT,
    MIN_CONNECTION_ID_SIZE,
    PROTOCOL_VIOLATION,
    RESET_TOKEN_SIZE,
    STREAM_FIN,
)
from fastmux.exceptions import ProtocolError

if TYPE_CHECKING:
    from typing_extensions import Buffer

Frame = tuple[Any, ...]
Parsed = tuple[Frame, int]

_ACK_DELAY_UNITS = 125_000  # of 8 microseconds, a second


def parse_frames(payload: Buffer, max_frames: int = MAX_VARINT) -> list[tuple[object, ...]]:
    """Every frame of a payload, in order (docs/core.md has the tuples).

    ProtocolError(FRAME_ENCODING_ERROR) for an unknown type, a malformed field, an empty payload, or more than
    `max_frames`: nothing is made of what lies behind them.
    """
    return list(split_frames(immutable(payload), integer(max_frames)))


def split_frames(data: bytes, max_frames: int = MAX_VARINT) -> list[Frame]:
    """`parse_frames` of exact bytes."""
    frames: list[Frame] = []
    at, size = 0, len(data)
    if size == 0:
        raise _malformed("empty payload")
    while at < size:
        if len(frames) >= max_frames:
            raise _malformed("too many frames")
        kind = data[at]
        if kind < 0x40:
            at += 1
        else:
            kind, at = read_varint(data, at)
        parser = _PARSERS.get(kind)
        if parser is None:
            if not FRAME_EXTENSION_FIRST <= kind <= FRAME_EXTENSION_LAST:
                raise _malformed("unknown frame type")
            parser = _parse_blob
        frame, at = parser(kind, data, at)
        frames.append(frame)
    return frames


# --- Parsing: (type, data, offset of the fields) -> (frame, offset after it) -------------------------


def _malformed(reason: str) -> ProtocolError:
    return ProtocolError(FRAME_ENCODING_ERROR, reason)


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    stop = at + size
    if stop > len(data):
        raise _malformed("truncated frame")
    return data[at:stop], stop


def _take_sized(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = read_varint(data, at)
    return _take(data, at, size)


def _parse_padding(kind: int, data: bytes, at: int) -> Parsed:
    stop = len(data) - len(data[at:].lstrip(b"\0"))
    return (FRAME_PADDING, stop - at + 1), stop


def _parse_empty(kind: int, data: bytes, at: int) -> Parsed:
    return (kind,), at


def _integers(count: int) -> Callable[[int, bytes, int], Parsed]:
    """A parser of frames that are `count` integers."""

    def parse(kind: int, data: bytes, at: int) -> Parsed:
        fields = [kind]
        for _ in range(count):
            value, at = read_varint(data, at)
            fields.append(value)
        return tuple(fields), at

    return parse


def _parse_ack(kind: int, data: bytes, at: int) -> Parsed:
    largest, at = read_varint(data, at)
    delay, at = read_varint(data, at)
    count, at = read_varint(data, at)
    size, at = read_varint(data, at)
    if count >= MAX_ACK_RANGES_ACCEPTED:
        raise ProtocolError(PROTOCOL_VIOLATION, "too many ACK ranges")
    start, stop = largest - size, largest + 1
    ranges = [(start, stop)]
    for _ in range(count):
        gap, at = read_varint(data, at)
        size, at = read_varint(data, at)
        stop = start - gap - 1
        start = stop - size - 1
        ranges.append((start, stop))
    if start < 0:
        raise _malformed("ACK range below zero")
    if kind == FRAME_ACK:
        return (kind, delay / _ACK_DELAY_UNITS, tuple(ranges)), at
    counts, at = _integers(3)(0, data, at)
    return (kind, delay / _ACK_DELAY_UNITS, tuple(ranges), counts[1:]), at


def _parse_handshake(kind: int, data: bytes, at: int) -> Parsed:
    offset, at = read_varint(data, at)
    blob, at = _take_sized(data, at)
    if offset + len(blob) > MAX_VARINT:
        raise _malformed("offset too large")
    return (kind, offset, blob), at


def _parse_blob(kind: int, data: bytes, at: int) -> Parsed:
    blob, at = _take_sized(data, at)
    return (kind, blob), at


def _parse_stream(kind: int, data: bytes, at: int) -> Parsed:
    channel_id, at = read_varint(data, at)
    offset, at = read_varint(data, at)
    if kind & FRAME_LENGTH:
        blob, at = _take_sized(data, at)
    else:
        blob, at = data[at:], len(data)
    if offset + len(blob) > MAX_VARINT:
        raise _malformed("offset too large")
    return (FRAME_STREAM, channel_id, offset, blob, kind & STREAM_FIN != 0), at


def _parse_message(kind: int, data: bytes, at: int) -> Parsed:
    channel_id, at = read_varint(data, at)
    message_id, at = read_varint(data, at)
    index, at = read_varint(data, at)
    count, at = read_varint(data, at)
    if kind & FRAME_LENGTH:
        blob, at = _take_sized(data, at)
    else:
        blob, at = data[at:], len(data)
    return (FRAME_MESSAGE, channel_id, message_id, index, count, blob), at


def _parse_abandon(kind: int, data: bytes, at: int) -> Parsed:
    channel_id, at = read_varint(data, at)
    count, at = read_varint(data, at)
    if count == 0:
        raise _malformed("MESSAGE_ABANDON of nothing")
    entries = []
    for _ in range(count):
        message_id, at = read_varint(data, at)
        fragment_count, at = read_varint(data, at)
        entries.append((message_id, fragment_count))
    return (kind, channel_id, tuple(entries)), at


def _parse_datagram(kind: int, data: bytes, at: int) -> Parsed:
    if kind & FRAME_LENGTH:
        blob, at = _take_sized(data, at)
    else:
        blob, at = data[at:], len(data)
    return (FRAME_DATAGRAM, blob), at


def _parse_open(kind: int, data: bytes, at: int) -> Parsed:
    channel_id, at = read_varint(data, at)
    fixed, at = _take(data, at, 2)
    value, at = read_varint(data, at)
    label, at = _take_sized(data, at)
    priority, flags = fixed
    if flags & ~0x07:
        raise _malformed("reserved OPEN flags")
    if len(label) > MAX_LABEL_SIZE:
        raise _malformed("label too long")
    try:
        label.decode()
    except UnicodeDecodeError:
        raise _malformed("label is not UTF-8") from None
    return (kind, channel_id, priority, flags & 1 == 1, flags >> 1, value, label), at


def _parse_channels(kind: int, data: bytes, at: int) -> Parsed:
    """MAX_CHANNELS and CHANNELS_BLOCKED."""
    channel_kind, at = read_varint(data, at)
    limit, at = read_varint(data, at)
    if channel_kind > KIND_MESSAGE:
        raise _malformed("unknown channel kind")
    if limit > MAX_CHANNELS_LIMIT:
        raise _malformed("channel limit too large")
    return (kind, channel_kind, limit), at


def _parse_new_id(kind: int, data: bytes, at: int) -> Parsed:
    sequence, at = read_varint(data, at)
    retire_prior_to, at = read_varint(data, at)
    size, at = _take(data, at, 1)
    connection_id, at = _take(data, at, size[0])
    reset_token, at = _take(data, at, RESET_TOKEN_SIZE)
    if not MIN_CONNECTION_ID_SIZE <= len(connection_id) <= MAX_CONNECTION_ID_SIZE:
        raise _malformed("connection id size")
    if retire_prior_to > sequence:
        raise _malformed("retire prior to above sequence")
    return (kind, sequence, retire_prior_to, connection_id, reset_token), at


def _parse_path(kind: int, data: bytes, at: int) -> Parsed:
    challenge, at = _take(data, at, 8)
    return (kind, challenge), at


def _parse_close(kind: int, data: bytes, at: int) -> Parsed:
    code, at = read_varint(data, at)
    reason, at = _take_sized(data, at)
    if len(reason) > MAX_REASON_SIZE:
        raise _malformed("reason too long")
    return (kind, code, reason), at


_PARSERS: dict[int, Callable[[int, bytes, int], Parsed]] = {
    FRAME_PADDING: _parse_padding,
    FRAME_PING: _parse_empty,
    FRAME_ACK: _parse_ack,
    FRAME_ACK_ECN: _parse_ack,
    FRAME_HANDSHAKE: _parse_handshake,
    FRAME_PARAMETERS: _parse_blob,
    FRAME_HANDSHAKE_DONE: _parse_empty,
    **{FRAME_STREAM | flags: _parse_stream for flags in range(4)},
    FRAME_MESSAGE: _parse_message,
    FRAME_MESSAGE | FRAME_LENGTH: _parse_message,
    FRAME_MESSAGE_FIN: _integers(2),
    FRAME_MESSAGE_ABANDON: _parse_abandon,
    FRAME_DATAGRAM: _parse_datagram,
    FRAME_DATAGRAM | FRAME_LENGTH: _parse_datagram,
    FRAME_OPEN: _parse_open,
    FRAME_RESET: _integers(4),
    FRAME_STOP: _integers(2),
    FRAME_MAX_DATA: _integers(1),
    FRAME_MAX_CHANNEL_DATA: _integers(2),
    FRAME_MAX_CHANNELS: _parse_channels,
    FRAME_DATA_BLOCKED: _integers(1),
    FRAME_CHANNEL_DATA_BLOCKED: _integers(2),
    FRAME_CHANNELS_BLOCKED: _parse_channels,
    FRAME_NEW_ID: _parse_new_id,
    FRAME_RETIRE_ID: _integers(1),
    FRAME_PATH_CHALLENGE: _parse_path,
    FRAME_PATH_RESPONSE: _parse_path,
    FRAME_ACK_FREQUENCY: _integers(4),
    FRAME_CONNECTION_CLOSE: _parse_close,
    FRAME_APPLICATION_CLOSE: _parse_close,
}
