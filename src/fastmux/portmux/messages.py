"""What the two ends say to each other on the control channel: one message, one statement.

Owns: the encoding and its checks. May not know: who says what when. Each message is a byte of kind and
varints (RFC 9000 §16); `channel_id` is index << 2 | kind << 1 | opener (0 client, 1 server), as
everywhere in fastmux, but the index counts an opener's channels of both kinds.

    0x01 HELLO    version, max_ports, PARAMETERS blob   both ends, first and once
    0x02 OPEN     channel_id                            client: give me a port
    0x03 PORT     channel_id, port                      server: here it is
    0x04 OFFER    channel_id, port                      server: a channel of mine is here
    0x05 RELEASE  channel_id                            both: nothing is missing here, and nobody uses it
    0x06 REFUSE   channel_id, code                      both: the channel is over, whatever was under way
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.parameters import Parameters, decode_parameters

_HELLO: Final = 0x01
_MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Hello:
    """What an end is ready to do: `max_ports` channels of the peer at once, each with these parameters."""

    version: int
    max_ports: int
    parameters: bytes

    @property
    def limits(self) -> Parameters:
        """The parameters. Raises `ProtocolError` if they cannot be."""
        return decode_parameters(self.parameters)


@dataclass(frozen=True, slots=True)
class Open:
    """The client wants a port for a channel of its own."""

    channel_id: int


@dataclass(frozen=True, slots=True)
class Port:
    """The server's answer to `Open`."""

    channel_id: int
    port: int


@dataclass(frozen=True, slots=True)
class Offer:
    """The server opens a channel, and says where it waits for the client."""

    channel_id: int
    port: int


@dataclass(frozen=True, slots=True)
class Release:
    """The sender has everything of the channel, knows that its peer has too, and uses it no more."""

    channel_id: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """There is no such channel, or no more: `code` says why."""

    channel_id: int
    code: int


Message = Hello | Open | Port | Offer | Release | Refuse

_KINDS: Final[dict[int, tuple[type[Open | Port | Offer | Release | Refuse], int]]] = {
    0x02: (Open, 1),
    0x03: (Port, 2),
    0x04: (Offer, 2),
    0x05: (Release, 1),
    0x06: (Refuse, 2),
}
_NUMBERS: Final = {kind: number for number, (kind, _) in _KINDS.items()}


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    varint: Callable[[int], bytes] = core.encode_varint
    match message:
        case Hello(version, max_ports, parameters):
            return bytes((_HELLO,)) + varint(version) + varint(max_ports) + parameters
        case Open(channel_id) | Release(channel_id):
            values = [channel_id]
        case Port(channel_id, value) | Offer(channel_id, value) | Refuse(channel_id, value):
            values = [channel_id, value]
    return bytes((_NUMBERS[type(message)],)) + b"".join(map(varint, values))


def decode(data: bytes) -> Message:
    """The message in these bytes. Raises `ProtocolError` (FRAME_ENCODING_ERROR).

    The parameters of a HELLO are looked at when they are asked for.
    """
    if not data:
        raise _malformed("empty")
    if data[0] == _HELLO:
        (version, max_ports), at = _varints(data, 2)
        return Hello(version, max_ports, data[at:])
    if data[0] not in _KINDS:
        raise _malformed(f"of unknown kind {data[0]:#x}")
    kind, count = _KINDS[data[0]]
    values, at = _varints(data, count)
    if at != len(data):
        raise _malformed("with bytes after its end")
    message = kind(*values)
    if isinstance(message, Port | Offer) and not 0 < message.port <= _MAX_PORT:
        raise _malformed(f"with port {message.port}")
    return message


def _varints(data: bytes, count: int) -> tuple[list[int], int]:
    values, at = [], 1
    for _ in range(count):
        try:
            value, at = core.decode_varint(data, at)
        except ProtocolError:
            raise _malformed("cut short") from None
        values.append(value)
    return values, at


def _malformed(how: str) -> ProtocolError:
    return ProtocolError(c.FRAME_ENCODING_ERROR, f"a control message {how}")
