"""What a client says, in any pieces, and what it may not say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.socks.addresses import SocksAddress, encode_address
from fastmux.tunnel.socks.errors import SocksError
from fastmux.tunnel.socks.negotiation import (
    Command,
    Credentials,
    Event,
    MethodChosen,
    Negotiation,
    Reply,
    Request,
    encode_reply,
)
from tunnel.socks.test_addresses import HOSTS

CONNECT = b"\5\1\0\3\x0bexample.org\1\xbb"
Cut = Callable[[bytes], list[bytes]]
EXAMPLE = SocksAddress("example.org", 443)


def run(pieces: Sequence[bytes], *, needs_password: bool = False) -> tuple[list[Event], Negotiation]:
    """Everything that comes out, with every login found right."""
    negotiation = Negotiation(needs_password=needs_password)
    events: list[Event] = []
    for piece in pieces:
        negotiation.receive(piece)
        while event := negotiation.next_event():
            events.append(event)
            if isinstance(event, Credentials):
                assert negotiation.settle_login(True) == b"\1\0"
    return events, negotiation


def whole(data: bytes) -> list[bytes]:
    return [data]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("cut", [whole, bytewise])
def test_a_request_without_a_login(cut: Cut) -> None:
    events, negotiation = run(cut(b"\5\1\0" + CONNECT + b"early"))
    assert events == [MethodChosen(b"\5\0"), Request(Command.CONNECT, EXAMPLE)]
    assert negotiation.take_early() == b"early"
    assert negotiation.take_early() == b""


@pytest.mark.parametrize("cut", [whole, bytewise])
def test_a_request_with_a_login(cut: Cut) -> None:
    data = b"\5\2\0\2" + b"\1\3ann\6secret" + CONNECT + b"early"
    events, negotiation = run(cut(data), needs_password=True)
    assert events == [
        MethodChosen(b"\5\2"),
        Credentials(b"ann", b"secret"),
        Request(Command.CONNECT, EXAMPLE),
    ]
    assert negotiation.take_early() == b"early"


@given(
    st.binary(max_size=255),
    st.binary(max_size=255),
    st.builds(SocksAddress, HOSTS, st.integers(1, 65_535)),
    st.binary(max_size=50),
    st.lists(st.integers(0, 1000), max_size=20),
)
def test_every_request_is_read_in_any_pieces(
    name: bytes, password: bytes, address: SocksAddress, early: bytes, cuts: list[int]
) -> None:
    login = bytes((1, len(name))) + name + bytes((len(password),)) + password
    data = b"\5\1\2" + login + b"\5\3\0" + encode_address(address) + early
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in zip(places, places[1:], strict=False)]
    events, negotiation = run(pieces, needs_password=True)
    assert events[1:] == [Credentials(name, password), Request(Command.UDP_ASSOCIATE, address)]
    assert negotiation.take_early() == early


@given(st.binary(max_size=600), st.booleans())
def test_only_socks_errors_leave(data: bytes, needs_password: bool) -> None:
    try:
        run(bytewise(data), needs_password=needs_password)
    except SocksError:
        return


def refusal_of(data: bytes, *, needs_password: bool = False) -> bytes:
    """What is answered to something that is refused as soon as it can be."""
    with pytest.raises(SocksError) as caught:
        run(bytewise(data), needs_password=needs_password)
    with pytest.raises(SocksError) as again:
        run([data], needs_password=needs_password)
    assert caught.value.reply == again.value.reply
    return caught.value.reply


@pytest.mark.parametrize("methods", [b"\1\0", b"\2\0\1", b"\0", b"\2\x80\xfe"])
def test_with_passwords_a_client_without_one_is_refused(methods: bytes) -> None:
    assert refusal_of(b"\5" + methods, needs_password=True) == b"\5\xff"


@pytest.mark.parametrize("methods", [b"\1\2", b"\1\1", b"\0"])
def test_without_passwords_only_no_authentication_is_chosen(methods: bytes) -> None:
    assert refusal_of(b"\5" + methods) == b"\5\xff"


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"\4\1\0\x50\1\2\3\4\0", b"\0\x5b\0\0\0\0\0\0"),
        (b"\0", b""),
        (b"\6\1\0", b""),
        (b"\x16\3\1", b""),
        (b"\xff", b""),
    ],
)
def test_another_version_is_refused(data: bytes, reply: bytes) -> None:
    assert refusal_of(data) == reply


def test_an_http_client_is_told_in_http_what_this_is() -> None:
    reply = refusal_of(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"SOCKS5" in reply


def test_a_login_of_another_version_is_refused() -> None:
    assert refusal_of(b"\5\1\2\5\1a\1b", needs_password=True) == b"\1\1"


@pytest.mark.parametrize(
    ("request_bytes", "reply"),
    [
        (b"\4\1\0\1\1\2\3\4\0\x50", Reply.GENERAL_FAILURE),
        (b"\5\1\1\1\1\2\3\4\0\x50", Reply.GENERAL_FAILURE),
        (b"\5\1\0\1\1\2\3\4\0\0", Reply.GENERAL_FAILURE),
        (b"\5\2\0\1\1\2\3\4\0\x50", Reply.COMMAND_NOT_SUPPORTED),
        (b"\5\0\0\1\1\2\3\4\0\x50", Reply.COMMAND_NOT_SUPPORTED),
        (b"\5\4\0\1\1\2\3\4\0\x50", Reply.COMMAND_NOT_SUPPORTED),
        (b"\5\xff\0\1\1\2\3\4\0\x50", Reply.COMMAND_NOT_SUPPORTED),
        (b"\5\1\0\2\1\2\3\4\0\x50", Reply.ADDRESS_TYPE_NOT_SUPPORTED),
        (b"\5\1\0\3\0\0\x50", Reply.HOST_UNREACHABLE),
        (b"\5\1\0\3\3a b\0\x50", Reply.HOST_UNREACHABLE),
    ],
)
def test_a_request_that_is_not_served_is_answered_why(request_bytes: bytes, reply: Reply) -> None:
    assert refusal_of(b"\5\1\0" + request_bytes) == bytes((5, reply, 0, 1, 0, 0, 0, 0, 0, 0))


def test_a_wrong_login_is_the_end() -> None:
    negotiation = Negotiation(needs_password=True)
    negotiation.receive(b"\5\1\2\1\1a\1b" + CONNECT)
    assert isinstance(negotiation.next_event(), MethodChosen)
    assert isinstance(negotiation.next_event(), Credentials)
    assert negotiation.next_event() is None
    assert negotiation.settle_login(False) == b"\1\1"
    with pytest.raises(SocksError):
        negotiation.next_event()
    with pytest.raises(RuntimeError):
        negotiation.settle_login(True)
    with pytest.raises(RuntimeError):
        negotiation.take_early()


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Credentials(b"ann", b"secret"))


def test_a_reply_has_the_address_that_was_bound() -> None:
    assert encode_reply(Reply.SUCCEEDED, SocksAddress("::1", 258)) == b"\5\0\0\4" + bytes(15) + b"\1\1\2"
