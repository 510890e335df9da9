"""The pool of ports: bounded, within its range, and marked as asked."""

from __future__ import annotations

import errno
import socket

import pytest

from fastmux import constants as c
from fastmux.portmux.ports import PortPool, check_dscp, set_dscp
from fastmux.protocol.events import Address
from portmux.ends import HOST

HERE: Address = (HOST, 4433)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    socks = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(count)]
    for sock in socks:
        sock.bind((HOST, 0))
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


def test_each_socket_has_a_port_of_its_own_at_the_host() -> None:
    pool = PortPool(4)
    with pool.open(socket.AF_INET, HERE) as one, pool.open(socket.AF_INET, HERE) as two:
        assert one.getsockname()[0] == two.getsockname()[0] == HOST
        assert one.getsockname()[1] != two.getsockname()[1]
        assert pool.in_use == 2


def test_there_are_no_more_than_the_limit_until_one_is_given_back() -> None:
    pool = PortPool(1)
    with pool.open(socket.AF_INET, HERE) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match="all 1 ports are in use") as caught:
            pool.open(socket.AF_INET, HERE)
        assert caught.value.errno == errno.EMFILE
    pool.give_back(port)
    pool.open(socket.AF_INET, HERE).close()


def test_a_range_is_kept_and_its_longest_unused_port_comes_first() -> None:
    wanted = free_ports(3)
    pool = PortPool(10, wanted)
    used = []
    for _ in range(6):
        with pool.open(socket.AF_INET, HERE) as sock:
            used.append(sock.getsockname()[1])
        pool.give_back(used[-1])
    assert set(used[:3]) == set(wanted)
    assert used[3:] == used[:3]


def test_a_port_of_the_range_that_another_program_has_is_passed_over() -> None:
    wanted = free_ports(3)
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind((HOST, wanted[0]))
        pool = PortPool(10, wanted)
        socks = [pool.open(socket.AF_INET, HERE) for _ in range(2)]
        assert {sock.getsockname()[1] for sock in socks} == set(wanted[1:])
        with pytest.raises(OSError, match="none of the 3 ports"):
            pool.open(socket.AF_INET, HERE)
        for sock in socks:
            sock.close()
    assert pool.in_use == 2


def test_an_address_that_is_not_here_is_an_os_error_and_takes_no_port() -> None:
    pool = PortPool(3, free_ports(1))
    with pytest.raises(OSError) as caught:
        pool.open(socket.AF_INET, ("192.0.2.1", 1))
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert pool.in_use == 0
    pool.open(socket.AF_INET, HERE).close()


@pytest.mark.parametrize(("limit", "ports"), [(0, ()), (c.MAX_PORTS_LIMIT + 1, ()), (1, (0,)), (1, (65536,))])
def test_a_limit_or_a_range_that_cannot_be_is_refused(limit: int, ports: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be 1"):
        PortPool(limit, ports)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_mark_is_set_in_the_upper_six_bits(family: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        set_dscp(sock, 46)
        if family == socket.AF_INET:
            assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 46 << 2
        else:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 46 << 2


def test_a_mark_has_six_bits() -> None:
    for good in (None, 0, 63):
        check_dscp(good)
    for bad in (-1, 64):
        with pytest.raises(ValueError, match="dscp"):
            check_dscp(bad)
