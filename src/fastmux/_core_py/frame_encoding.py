"""Encoding frames (docs/wire-format.md §7): the inverse of `frames`.

Owns: the canonical coding of every frame tuple. May not know: when a frame is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fastmux._core_py._arguments import immutable, integer, sized
from fastmux._core_py.varint import encode_varint, pack_varint
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
    MAX_CONNECTION_ID_SIZE,
    MAX_LABEL_SIZE,
    MAX_REASON_SIZE,
    MAX_VARINT,
    MIN_CONNECTION_ID_SIZE,
    RESET_TOKEN_SIZE,
    STREAM_FIN,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

_ACK_DELAY_UNITS = 125_000  # of 8 microseconds, a second

Encoder = Callable[..., bytes]


def encode_frame(frame: Sequence[object]) -> bytes:
    """The canonical coding of one frame (docs/core.md has the tuples).

    ValueError for an unknown type, a wrong number of fields or a field of the wrong size; OverflowError
    for an integer out of range; TypeError for a field of the wrong type.
    """
    fields: tuple[Any, ...] = tuple(frame)
    if not fields:
        raise ValueError("an empty frame")
    kind = integer(fields[0])
    count, encoder = _ENCODERS.get(kind, (1, _encode_blob))
    if kind not in _ENCODERS and not FRAME_EXTENSION_FIRST <= kind <= FRAME_EXTENSION_LAST:
        raise ValueError("unknown frame type")
    if len(fields) != count + 1:
        raise ValueError("wrong number of fields")
    encoded: bytes = encoder(*fields)
    return encoded


def _blob(data: Buffer, largest: int = MAX_VARINT) -> bytes:
    value = sized("field", data, 0, largest)
    return pack_varint(len(value)) + value


def _encode_integers(*values: int) -> bytes:
    return b"".join(map(encode_varint, values))


def _encode_blob(kind: int, data: Buffer) -> bytes:
    return pack_varint(kind) + _blob(data)


def _encode_padding(kind: int, count: int) -> bytes:
    return bytes(integer(count, 1))


def _encode_ack(
    kind: int, delay: float, ranges: Sequence[tuple[int, int]], counts: Iterable[int] = ()
) -> bytes:
    if not ranges:
        raise ValueError("an ACK without ranges")
    out = bytearray(pack_varint(kind))
    start, stop = ranges[0]
    units = min(int(delay * _ACK_DELAY_UNITS + 0.5), MAX_VARINT)  # the wire's largest delays are no floats
    out += _encode_integers(stop - 1, units, len(ranges) - 1)
    out += encode_varint(stop - 1 - start)
    for next_start, next_stop in ranges[1:]:
        out += encode_varint(start - next_stop - 1)
        out += encode_varint(next_stop - 1 - next_start)
        start = next_start
    integer(start)
    if kind == FRAME_ACK_ECN:
        ect0, ect1, ce = counts
        out += _encode_integers(ect0, ect1, ce)
    return bytes(out)


def _encode_handshake(kind: int, offset: int, data: Buffer) -> bytes:
    return _encode_integers(kind, offset) + _blob(data)


def _encode_stream(kind: int, channel_id: int, offset: int, data: Buffer, fin: bool) -> bytes:
    first = kind | FRAME_LENGTH | (STREAM_FIN if fin else 0)
    return _encode_integers(first, channel_id, offset) + _blob(data)


def _encode_message(*fields: Any) -> bytes:
    kind, channel_id, message_id, index, count, data = fields
    first = kind | FRAME_LENGTH
    return _encode_integers(first, channel_id, message_id, index, count) + _blob(data)


def _encode_abandon(kind: int, channel_id: int, entries: Sequence[tuple[int, int]]) -> bytes:
    if not entries:
        raise ValueError("MESSAGE_ABANDON of nothing")
    head = _encode_integers(kind, channel_id, len(entries))
    return head + b"".join(_encode_integers(*entry) for entry in entries)


def _encode_datagram(kind: int, data: Buffer) -> bytes:
    return pack_varint(kind | FRAME_LENGTH) + _blob(data)


def _encode_open(*fields: Any) -> bytes:
    kind, channel_id, priority, ordered, reliability, value, label = fields
    flags = integer(reliability, 0, 3) << 1 | (1 if ordered else 0)
    fixed = bytes((integer(priority, 0, 255), flags))
    return _encode_integers(kind, channel_id) + fixed + encode_varint(value) + _blob(label, MAX_LABEL_SIZE)


def _encode_new_id(
    kind: int, sequence: int, retire_prior_to: int, connection_id: Buffer, reset_token: Buffer
) -> bytes:
    value = sized("id", connection_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
    token = sized("reset_token", reset_token, RESET_TOKEN_SIZE, RESET_TOKEN_SIZE)
    return _encode_integers(kind, sequence, retire_prior_to) + bytes((len(value),)) + value + token


def _encode_path(kind: int, data: Buffer) -> bytes:
    return pack_varint(kind) + sized("data", data, 8, 8)


def _encode_close(kind: int, code: int, reason: Buffer) -> bytes:
    return _encode_integers(kind, code) + _blob(immutable(reason), MAX_REASON_SIZE)


_ENCODERS: dict[int, tuple[int, Encoder]] = {  # type: number of fields, encoder
    FRAME_PADDING: (1, _encode_padding),
    FRAME_PING: (0, _encode_integers),
    FRAME_ACK: (2, _encode_ack),
    FRAME_ACK_ECN: (3, _encode_ack),
    FRAME_HANDSHAKE: (2, _encode_handshake),
    FRAME_PARAMETERS: (1, _encode_blob),
    FRAME_HANDSHAKE_DONE: (0, _encode_integers),
    FRAME_STREAM: (4, _encode_stream),
    FRAME_MESSAGE: (5, _encode_message),
    FRAME_MESSAGE_FIN: (2, _encode_integers),
    FRAME_MESSAGE_ABANDON: (2, _encode_abandon),
    FRAME_DATAGRAM: (1, _encode_datagram),
    FRAME_OPEN: (6, _encode_open),
    FRAME_RESET: (4, _encode_integers),
    FRAME_STOP: (2, _encode_integers),
    FRAME_MAX_DATA: (1, _encode_integers),
    FRAME_MAX_CHANNEL_DATA: (2, _encode_integers),
    FRAME_MAX_CHANNELS: (2, _encode_integers),
    FRAME_DATA_BLOCKED: (1, _encode_integers),
    FRAME_CHANNEL_DATA_BLOCKED: (2, _encode_integers),
    FRAME_CHANNELS_BLOCKED: (2, _encode_integers),
    FRAME_NEW_ID: (4, _encode_new_id),
    FRAME_RETIRE_ID: (1, _encode_integers),
    FRAME_PATH_CHALLENGE: (1, _encode_path),
    FRAME_PATH_RESPONSE: (1, _encode_path),
    FRAME_ACK_FREQUENCY: (4, _encode_integers),
    FRAME_CONNECTION_CLOSE: (2, _encode_close),
    FRAME_APPLICATION_CLOSE: (2, _encode_close),
}
NOT_ACK_ELICITING = frozenset(  # RFC 9000 §13.2
    (FRAME_PADDING, FRAME_ACK, FRAME_ACK_ECN, FRAME_CONNECTION_CLOSE, FRAME_APPLICATION_CLOSE)
)
PROBING = frozenset(  # RFC 9000 §9.1: a packet of these alone moves nobody to another path
    (FRAME_PADDING, FRAME_PATH_CHALLENGE, FRAME_PATH_RESPONSE, FRAME_NEW_ID)
)
