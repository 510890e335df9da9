"""Headers of datagrams: what is written is read again, fragments and nonsense are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.socks.addresses import SocksAddress
from fastmux.tunnel.socks.datagrams import datagram_header, decode_datagram
from fastmux.tunnel.socks.errors import SocksError
from tunnel.socks.test_addresses import HOSTS


@given(st.builds(SocksAddress, HOSTS, st.integers(1, 65_535)), st.binary(max_size=100))
def test_what_is_written_is_read_again(address: SocksAddress, payload: bytes) -> None:
    assert decode_datagram(datagram_header(address) + payload) == (address, payload)


@given(st.binary(max_size=300))
def test_only_socks_errors_leave(data: bytes) -> None:
    try:
        decode_datagram(data)
    except SocksError:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        b"\0\0\0\1\1\2\3\4\0",
        b"\0\0\1\1\1\2\3\4\0\x50fragment",
        b"\0\0\x81\1\1\2\3\4\0\x50last fragment",
        b"\0\1\0\1\1\2\3\4\0\x50reserved",
        b"\1\0\0\1\1\2\3\4\0\x50reserved",
        b"\0\0\0\1\1\2\3\4\0\0port",
        b"\0\0\0\2\1\2\3\4\0\x50type",
    ],
)
def test_what_cannot_be_sent_on_is_refused(data: bytes) -> None:
    with pytest.raises(SocksError):
        decode_datagram(data)
