"""Connecting, and what its failures are called."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path

import pytest

from e2e.support import LoopFactory, run
from fastmux.aio.answers import AnswerCode
from fastmux.tunnel.forwarding.dialing import dial_tcp, dial_udp, dial_unix, look_up, refusal_of
from tunnel.ends import on_all_loops


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@on_all_loops
def test_the_first_address_that_answers_is_taken(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            good = (socket.AF_INET, server.getsockname())
            bad = (socket.AF_INET, ("127.0.0.1", closed_port()))
            sock = await dial_tcp([bad, good])
            with sock:
                assert sock.getpeername() == server.getsockname()
                assert sock.gettimeout() == 0.0
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(main(), loop_factory)


@on_all_loops
def test_a_closed_port_is_a_refusal(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefusedError) as refused:
            await dial_tcp([(socket.AF_INET, ("127.0.0.1", closed_port()))])
        assert refusal_of(refused.value)[0] == AnswerCode.CONNECTION_REFUSED

    run(main(), loop_factory)


def test_an_attempt_that_takes_too_long_is_a_timeout_and_leaves_no_socket() -> None:
    async def main() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            address = full.getsockname()
            waiting = [socket.socket() for _ in range(3)]
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(address)
            with pytest.raises(TimeoutError) as late:
                await dial_tcp([(socket.AF_INET, address)], timeout=0.05)
            assert refusal_of(late.value)[0] == AnswerCode.TIMED_OUT
            for each in waiting:
                each.close()

    run(main())


def test_without_addresses_nothing_is_dialled() -> None:
    with pytest.raises(ValueError, match="no address"):
        run(dial_tcp([]))
    with pytest.raises(ValueError, match="no address"):
        dial_udp([])


def test_a_unix_socket_is_dialled_and_waited_for_while_its_backlog_is_full(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(0)
            first = await dial_unix(path)
            with first, pytest.raises(TimeoutError):
                while True:
                    (await dial_unix(path, timeout=0.1)).close()
            late = asyncio.ensure_future(dial_unix(path))
            await asyncio.sleep(0)
            while not late.done():
                server.accept()[0].close()
                await asyncio.wait({late}, timeout=0.06)
            (await late).close()

    run(main())


def test_a_unix_socket_that_is_not_there_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as refused:
        run(dial_unix(str(tmp_path / "none")))
    assert refusal_of(refused.value)[0] == AnswerCode.CONNECTION_REFUSED


def test_a_udp_socket_is_connected() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind(("127.0.0.1", 0))
        with dial_udp([(socket.AF_INET, target.getsockname())]) as sock:
            assert sock.getpeername() == target.getsockname()
            assert sock.gettimeout() == 0.0


def test_a_udp_address_that_cannot_be_raises_the_first_error() -> None:
    with pytest.raises(OSError, match=r"."):
        dial_udp([(socket.AF_INET, ("255.255.255.255", 1))])  # broadcast needs an option


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), AnswerCode.CONNECTION_REFUSED),
        (OSError(errno.ENETUNREACH, ""), AnswerCode.NETWORK_UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, ""), AnswerCode.HOST_UNREACHABLE),
        (TimeoutError(errno.ETIMEDOUT, ""), AnswerCode.TIMED_OUT),
        (TimeoutError(), AnswerCode.TIMED_OUT),
        (PermissionError(errno.EACCES, ""), AnswerCode.NOT_ALLOWED),
        (OSError(errno.EAFNOSUPPORT, ""), AnswerCode.ADDRESS_NOT_SUPPORTED),
        (OSError(errno.EMFILE, ""), AnswerCode.BUSY),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), AnswerCode.NAME_NOT_FOUND),
        (OSError(errno.EADDRINUSE, ""), AnswerCode.GENERAL_FAILURE),
        (OSError("no number"), AnswerCode.GENERAL_FAILURE),
    ],
)
def test_what_the_system_says_has_a_code(error: OSError, code: AnswerCode) -> None:
    assert refusal_of(error)[0] == code


def test_the_text_of_a_refusal_names_no_address() -> None:
    error = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.1.2.3', 22)")
    assert refusal_of(error)[1] == "Connection refused"


def test_a_configured_host_is_looked_up() -> None:
    assert run(look_up("127.0.0.1", 5, "tcp")) == [(socket.AF_INET, ("127.0.0.1", 5))]
