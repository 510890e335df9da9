"""What the two ends of a tunnel say to each other: labels of channels and the answers to them.

Owns: the grammar of the labels, the answers and the sentences for people. May not know: sockets, rules, who
dials. Whatever a peer can put into a label is either a request of this module or a ValueError.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from fastmux import constants as c
from fastmux.exceptions import ChannelReset, EndOfStream
from fastmux.security.names import printable
from fastmux.tunnel.constants import MAX_ANSWER_TEXT_SIZE
from fastmux.tunnel.notation.hosts import canonical_host, host_and_port
from fastmux.tunnel.notation.paths import socket_path
from fastmux.tunnel.notation.ports import parse_port
from fastmux.tunnel.notation.targets import Target

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream

PREFIX: Final = "fastmux:"
PING_LABEL: Final = "fastmux:ping"
_LISTEN: Final = "fastmux:listen:"
_ACCEPTED: Final = "fastmux:accepted:"


class AnswerCode(IntEnum):
    """The first byte of an answer; 0 to 8 mean what they do in SOCKS5 (RFC 1928 §6)."""

    CONNECTED = 0
    GENERAL_FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    CONNECTION_REFUSED = 5
    TIMED_OUT = 6
    NOT_SUPPORTED = 7
    ADDRESS_NOT_SUPPORTED = 8
    NAME_NOT_FOUND = 9
    BUSY = 10


_SENTENCES: Final = {
    AnswerCode.CONNECTED: "the far end is connected",
    AnswerCode.GENERAL_FAILURE: "the far end failed",
    AnswerCode.NOT_ALLOWED: "the far end does not allow it",
    AnswerCode.NETWORK_UNREACHABLE: "the far end cannot reach that network",
    AnswerCode.HOST_UNREACHABLE: "the far end cannot reach that host",
    AnswerCode.CONNECTION_REFUSED: "the target refused the connection",
    AnswerCode.TIMED_OUT: "the target did not answer the far end in time",
    AnswerCode.NOT_SUPPORTED: "the far end does not know this kind of channel",
    AnswerCode.ADDRESS_NOT_SUPPORTED: "the far end cannot use that kind of address",
    AnswerCode.NAME_NOT_FOUND: "the far end found no address for that name",
    AnswerCode.BUSY: "too many sockets are open for this identity at the far end: close some, or try later",
}


class OpenRefused(Exception):
    """The far end will not, or cannot, do what was asked. `str()` is a sentence for people.

    `code` says why, `text` is what the far end adds to it; both come from the peer.
    """

    def __init__(self, code: AnswerCode, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        sentence = _SENTENCES[self.code]
        return f"{sentence} ({printable(self.text)})" if self.text else sentence


# --- answers --------------------------------------------------------------------------------------


def encode_answer(code: AnswerCode, text: str = "") -> bytes:
    """One byte of code, one of length, then `text` in UTF-8, cut at 255 bytes on a character's boundary."""
    encoded = text.encode("utf-8", "replace")[:MAX_ANSWER_TEXT_SIZE]
    encoded = encoded.decode("utf-8", "ignore").encode()
    return bytes((code, len(encoded))) + encoded


async def read_answer(stream: Stream) -> str:
    """Read the answer at the head of a stream, and not a byte beyond it; returns the text of a success.

    Raises `OpenRefused`, also for a stream that was refused without an answer, ConnectionError if the stream
    or the connection ended before, `ClosedResourceError`.
    """
    try:
        code, size = await _read_exactly(stream, 2)
        text = (await _read_exactly(stream, size)).decode("utf-8", "replace")
    except EndOfStream:
        raise ConnectionError("the far end ended the channel without an answer") from None
    except ChannelReset as error:
        if error.code == c.REFUSED:
            raise OpenRefused(AnswerCode.NOT_SUPPORTED) from None
        raise
    if code == AnswerCode.CONNECTED:
        return text
    known = code in AnswerCode.__members__.values()
    raise OpenRefused(AnswerCode(code) if known else AnswerCode.GENERAL_FAILURE, text)


async def _read_exactly(stream: Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await stream.receive(size - len(data))
    return data


# --- requests -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """The acceptor connects to `target` and carries bytes, or datagrams for "udp", both ways."""

    target: Target


@dataclass(frozen=True, slots=True)
class Listen:
    """The acceptor listens at `target` as long as the stream lives."""

    target: Target


@dataclass(frozen=True, slots=True)
class Accepted:
    """The listener of stream `listen_id` has a new peer; `host` is "" and `port` 0 for a Unix socket."""

    listen_id: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Each message is sent back."""


Request: TypeAlias = Dial | Listen | Accepted | Ping


def label_of(target: Target) -> str:
    """The label that asks the far end to dial `target`. Raises ValueError if it is too long for a label."""
    return _bounded(PREFIX + _place(target))


def listen_label_of(target: Target) -> str:
    """The label that asks the far end to listen at `target`. Raises ValueError as `label_of`."""
    return _bounded(_LISTEN + _place(target))


def accepted_label_of(listen_id: int, host: str = "", port: int = 0) -> str:
    """The label of a channel for a listener's new peer, at an address or, without one, at a Unix socket."""
    peer = host_and_port(host, port) if host else ":0"
    return f"{_ACCEPTED}{listen_id}:{peer}"


def parse_label(label: str) -> Request:
    """Read the label of an incoming channel. Raises ValueError for anything that is no request."""
    if label == PING_LABEL:
        return Ping()
    if label.startswith(_ACCEPTED):
        return _parse_accepted(label.removeprefix(_ACCEPTED))
    if label.startswith(_LISTEN):
        return Listen(_parse_place(label.removeprefix(_LISTEN), may_listen=True))
    if label.startswith(PREFIX):
        return Dial(_parse_place(label.removeprefix(PREFIX), may_listen=False))
    raise ValueError(f"{printable(label)!r} is not a label of the tunnel")


def _bounded(label: str) -> str:
    size = len(label.encode("utf-8", "replace"))
    if size > c.MAX_LABEL_SIZE:
        raise ValueError(f"{printable(label)!r} has {size} bytes: a label has at most {c.MAX_LABEL_SIZE}")
    return label


def _place(target: Target) -> str:
    if target.protocol == "unix":
        return f"unix:{target.path}"
    return f"{target.protocol}:{host_and_port(target.host, target.port)}"


def _parse_place(text: str, *, may_listen: bool) -> Target:
    """Parse what follows the verb. A listener may have any host, and port 0."""
    protocol, _, rest = text.partition(":")
    if protocol == "unix":
        return Target("unix", path=socket_path(rest))
    if protocol not in ("tcp", "udp"):
        raise ValueError(f"{printable(protocol)!r} is not tcp, udp or unix")
    host, _, port = rest.rpartition(":")
    is_any = may_listen and host in ("", "*")
    return Target(
        "tcp" if protocol == "tcp" else "udp",
        host="" if is_any else _parse_host(host),
        port=parse_port(port, minimum=0 if may_listen else 1),
    )


def _parse_host(text: str) -> str:
    """Parse a name or an address; exactly the IPv6 ones are in brackets. Raises ValueError."""
    is_bracketed = text.startswith("[") and text.endswith("]")
    host = canonical_host(text[1:-1] if is_bracketed else text)
    if isinstance(host, ipaddress.IPv6Address) != is_bracketed:
        raise ValueError(f"{printable(text)!r}: an IPv6 address, and nothing else, is in brackets")
    return str(host)


def _parse_accepted(text: str) -> Accepted:
    number, _, peer = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) <= 19 and int(number) <= c.MAX_VARINT):
        raise ValueError(f"{printable(number)!r} is not the number of a channel")
    host, _, port = peer.rpartition(":")
    return Accepted(int(number), _parse_host(host) if host else "", parse_port(port))
