"""What a client and a SOCKS5 server say before the first byte of data (RFC 1928 §3 to §6, RFC 1929).

Owns: the order of messages and their bytes; a message may come in any pieces. May not know: sockets, who may
log in, what becomes of a request. With passwords "no authentication" is never chosen (H51).

    negotiation.receive(data)
    while event := negotiation.next_event():    # None: more data is needed
        MethodChosen: send its reply. Credentials: send `settle_login(…)`. Request: `take_early()`, answer it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Final

from fastmux.tunnel.socks.addresses import AddressTypeError, SocksAddress, decode_address, encode_address
from fastmux.tunnel.socks.errors import SocksError

VERSION: Final = 5
_LOGIN_VERSION: Final = 1  # RFC 1929 §2
_NO_METHOD: Final = bytes((VERSION, 0xFF))
_SOCKS4_REFUSAL: Final = bytes((0, 91, 0, 0, 0, 0, 0, 0))
_HTTP_REFUSAL: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"This port is a SOCKS5 proxy, not an HTTP one: use socks5h:// as its scheme.\n"
)
ANY: Final = SocksAddress("0.0.0.0", 0)  # for replies to CONNECT: the exit's own address is nobody's business


class Method(IntEnum):
    """How a client proves who it is (RFC 1928 §3)."""

    NONE = 0
    PASSWORD = 2


class Command(IntEnum):
    """What a client asks for (RFC 1928 §4)."""

    CONNECT = 1
    BIND = 2
    UDP_ASSOCIATE = 3


class Reply(IntEnum):
    """How a request was answered (RFC 1928 §6)."""

    SUCCEEDED = 0
    GENERAL_FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    CONNECTION_REFUSED = 5
    TTL_EXPIRED = 6
    COMMAND_NOT_SUPPORTED = 7
    ADDRESS_TYPE_NOT_SUPPORTED = 8


@dataclass(frozen=True, slots=True)
class MethodChosen:
    """Send `reply`: a method was chosen."""

    reply: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """Check these, and settle the login; 0 to 255 bytes each."""

    name: bytes
    password: bytes

    def __repr__(self) -> str:
        return f"Credentials({self.name!r}, ...)"


@dataclass(frozen=True, slots=True)
class Request:
    """Answer this with `encode_reply`: the negotiation is over. `command` is CONNECT or UDP_ASSOCIATE."""

    command: Command
    address: SocksAddress


Event = MethodChosen | Credentials | Request


class _State(Enum):
    GREETING = auto()
    LOGIN = auto()
    VERDICT = auto()
    REQUEST = auto()
    DONE = auto()
    FAILED = auto()


def encode_reply(reply: Reply, address: SocksAddress = ANY) -> bytes:
    """The answer to a request, with the address that was bound for it."""
    return bytes((VERSION, reply, 0)) + encode_address(address)


class Negotiation:
    """The server's side of one negotiation.

    Invariant: `_data` begins where the next message does. No message is longer than 515 bytes, so it holds no
    more than one of those and what the caller put behind it.
    """

    def __init__(self, *, needs_password: bool) -> None:
        self._method = Method.PASSWORD if needs_password else Method.NONE
        self._state = _State.GREETING
        self._data = bytearray()

    def receive(self, data: bytes) -> None:
        """Add what came, in any pieces."""
        self._data += data

    def next_event(self) -> Event | None:
        """What is to be done next, None if more has to come. Raises SocksError, and then it is all over."""
        try:
            match self._state:
                case _State.GREETING:
                    return self._read_greeting()
                case _State.LOGIN:
                    return self._read_login()
                case _State.REQUEST:
                    return self._read_request()
                case _State.FAILED:
                    raise SocksError("the negotiation has failed")
                case _:
                    return None
        except SocksError:
            self._state = _State.FAILED
            raise

    def settle_login(self, is_right: bool) -> bytes:
        """The answer to `Credentials`; a wrong login ends it all. Raises RuntimeError out of order."""
        if self._state is not _State.VERDICT:
            raise RuntimeError("nobody asked for a login")
        self._state = _State.REQUEST if is_right else _State.FAILED
        return bytes((_LOGIN_VERSION, 0 if is_right else 1))

    def take_early(self) -> bytes:
        """What the client sent after its request, without waiting for the answer."""
        if self._state is not _State.DONE:
            raise RuntimeError("the negotiation is not over")
        early = bytes(self._data)
        self._data.clear()
        return early

    def _read_greeting(self) -> Event | None:
        data = self._data
        if data and data[0] != VERSION:
            raise _wrong_version(data[0])
        if len(data) < 2 or len(data) < 2 + data[1]:
            return None
        offered = data[2 : 2 + data[1]]
        del data[: 2 + len(offered)]
        if self._method not in offered:
            wanted = "a user name and password" if self._method is Method.PASSWORD else "no authentication"
            raise SocksError(f"the client does not offer {wanted}", _NO_METHOD)
        self._state = _State.LOGIN if self._method is Method.PASSWORD else _State.REQUEST
        return MethodChosen(bytes((VERSION, self._method)))

    def _read_login(self) -> Event | None:
        data = self._data
        if data and data[0] != _LOGIN_VERSION:
            raise SocksError(f"the login has version {data[0]} instead of 1", bytes((_LOGIN_VERSION, 1)))
        if len(data) < 2 or len(data) < 3 + data[1]:
            return None
        name_end = 2 + data[1]
        end = name_end + 1 + data[name_end]
        if len(data) < end:
            return None
        event = Credentials(bytes(data[2:name_end]), bytes(data[name_end + 1 : end]))
        del data[:end]
        self._state = _State.VERDICT
        return event

    def _read_request(self) -> Event | None:
        data = self._data
        if data and data[0] != VERSION:
            raise _refusal(f"the request has version {data[0]} instead of 5", Reply.GENERAL_FAILURE)
        if len(data) > 2 and data[2]:
            raise _refusal("the request's reserved byte is not 0", Reply.GENERAL_FAILURE)
        try:
            decoded = decode_address(data, 3)
        except AddressTypeError as error:
            raise _refusal(str(error), Reply.ADDRESS_TYPE_NOT_SUPPORTED) from None
        except SocksError as error:
            raise _refusal(str(error), Reply.HOST_UNREACHABLE) from None
        if decoded is None:
            return None
        address, end = decoded
        command = data[1]
        del data[:end]
        if command not in (Command.CONNECT, Command.UDP_ASSOCIATE):
            name = "BIND" if command == Command.BIND else f"command {command}"
            raise _refusal(f"{name} is not served here", Reply.COMMAND_NOT_SUPPORTED)
        if command == Command.CONNECT and not address.port:
            raise _refusal("nothing can be connected to port 0", Reply.GENERAL_FAILURE)
        self._state = _State.DONE
        return Request(Command(command), address)


def _refusal(text: str, reply: Reply) -> SocksError:
    return SocksError(text, encode_reply(reply))


def _wrong_version(first: int) -> SocksError:
    """Say what the client seems to speak instead, in its own words where it has any."""
    if first == 4:
        return SocksError("the client speaks SOCKS4: set it to SOCKS5", _SOCKS4_REFUSAL)
    if chr(first).isupper() and first < 0x80:
        return SocksError("the client speaks HTTP: use --http for an HTTP proxy", _HTTP_REFUSAL)
    return SocksError(f"the first byte is {first}, and a SOCKS5 client begins with 5")
