"""Control messages: what is encoded is decoded, and anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux import constants as c
from fastmux.exceptions import ProtocolError
from fastmux.portmux import messages as m

IDS = st.integers(0, c.MAX_VARINT)
PORTS = st.integers(1, 65535)
MESSAGES = st.one_of(
    st.builds(m.Hello, IDS, IDS, st.binary(max_size=64)),
    st.builds(m.Open, IDS),
    st.builds(m.Port, IDS, PORTS),
    st.builds(m.Offer, IDS, PORTS),
    st.builds(m.Release, IDS),
    st.builds(m.Refuse, IDS, IDS),
)


@given(MESSAGES)
def test_a_message_survives_the_way(message: m.Message) -> None:
    assert m.decode(m.encode(message)) == message


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    try:
        message = m.decode(data)
    except ProtocolError as error:
        assert error.code == c.FRAME_ENCODING_ERROR
    else:
        assert m.decode(m.encode(message)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x07\x00",
        b"\x02",
        b"\x02\x40",
        b"\x02\x00\x00",
        b"\x03\x00\x00",
        b"\x04\x00\x80\x01\x00\x00",
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        m.decode(data)


def test_the_parameters_of_a_hello_are_checked_when_they_are_used() -> None:
    hello = m.decode(m.encode(m.Hello(1, 4, b"\x01\x09")))
    assert isinstance(hello, m.Hello)
    with pytest.raises(ProtocolError):
        _ = hello.limits
