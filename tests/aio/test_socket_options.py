"""A UDP socket gets the options that fastmux wants, and says what it did not get."""

from __future__ import annotations

import logging
import socket
import sys
from typing import Any

import pytest

from fastmux.aio.socket_options import (
    BufferHint,
    create_udp_socket,
    enable_gro,
    forbid_fragmentation,
    has_gso,
    raise_buffers,
)
from fastmux.constants import SOCKET_BUFFER_SIZE

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="options of Linux")


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    """Both families, where the machine has them."""
    host = "127.0.0.1" if request.param == socket.AF_INET else "::1"
    try:
        create_udp_socket(request.param, (host, 0)).close()
    except OSError as error:
        pytest.skip(f"no address {host}: {error}")
    return int(request.param)


def loopback(family: int) -> tuple[str, int]:
    return ("127.0.0.1" if family == socket.AF_INET else "::1", 0)


def test_a_new_socket_is_bound_and_does_not_block(family: int) -> None:
    with create_udp_socket(family, loopback(family)) as sock:
        assert sock.getsockname()[1] != 0
        assert sock.gettimeout() == 0
        assert sock.type == socket.SOCK_DGRAM


def test_a_socket_without_an_address_takes_any_port(family: int) -> None:
    with create_udp_socket(family, None) as sock:
        assert sock.getsockname()[1] != 0


def test_an_address_in_use_is_an_error_and_leaks_no_socket(family: int) -> None:
    with create_udp_socket(family, loopback(family)) as sock, pytest.raises(OSError, match="in use"):
        create_udp_socket(family, sock.getsockname())


@linux_only
def test_an_address_is_shared_only_among_sockets_that_ask_for_it(family: int) -> None:
    with create_udp_socket(family, loopback(family), reuse_port=True) as sock:
        create_udp_socket(family, sock.getsockname(), reuse_port=True).close()
        with pytest.raises(OSError, match="in use"):
            create_udp_socket(family, sock.getsockname())


@linux_only
def test_datagrams_are_not_fragmented(family: int) -> None:
    with create_udp_socket(family, loopback(family)) as sock:
        assert forbid_fragmentation(sock)
        level, option = (socket.IPPROTO_IP, 10) if family == socket.AF_INET else (socket.IPPROTO_IPV6, 23)
        assert sock.getsockopt(level, option) == 3


@linux_only
def test_linux_has_gso_and_gro(family: int) -> None:
    with create_udp_socket(family, loopback(family)) as sock:
        assert has_gso(sock)
        assert enable_gro(sock)


class MeanSocket(socket.socket):
    """A socket whose kernel gives little buffer."""

    given = 212992

    def setsockopt(self, *args: Any) -> None:
        raise OSError("not allowed")

    def getsockopt(self, *args: Any) -> Any:
        return self.given


def test_too_little_buffer_is_said_once_with_a_remedy(caplog: pytest.LogCaptureFixture) -> None:
    hint = BufferHint()
    with caplog.at_level(logging.INFO, "fastmux.socket"), MeanSocket(type=socket.SOCK_DGRAM) as sock:
        assert raise_buffers(sock, hint) == 212992
        assert raise_buffers(sock, hint) == 212992
    assert len(caplog.records) == 1
    assert "212992" in caplog.text
    assert "remedy" in caplog.text


class GenerousSocket(MeanSocket):
    """A socket whose kernel gives enough from the start."""

    given = 2 * SOCKET_BUFFER_SIZE


def test_enough_buffer_is_nothing_to_talk_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "fastmux.socket"), GenerousSocket(type=socket.SOCK_DGRAM) as sock:
        assert raise_buffers(sock, BufferHint()) == SOCKET_BUFFER_SIZE
    assert caplog.records == []
