"""A socket as one end of a splice."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest

from e2e.support import LoopFactory, linux_only, run
from fastmux.tunnel.forwarding.socket_end import ProactorSocketEnd, SocketEnd, reset_socket, socket_end
from tunnel.ends import BlindLoop, on_all_loops, read_all, tcp_pair, until


@on_all_loops
def test_more_than_the_system_takes_at_once_arrives_whole(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        ours, theirs = tcp_pair()
        with theirs:
            end = socket_end(ours)
            data = bytes(range(256)) * 100_000
            reader = asyncio.ensure_future(read_all(theirs))
            await end.send(data)
            await end.send_eof()
            assert await reader == data
            await asyncio.get_running_loop().sock_sendall(theirs, b"back")
            assert await end.receive(2) == b"ba"
            assert await end.receive(100) == b"ck"
            theirs.close()
            assert await end.receive(100) == b""
            end.close()
            end.close()

    run(main(), loop_factory)


def test_a_loop_that_cannot_watch_sockets_gets_another_kind_of_end() -> None:
    async def kind() -> type[SocketEnd]:
        ours, theirs = tcp_pair()
        with theirs:
            end = socket_end(ours)
            end.close()
            return type(end)

    assert run(kind()) is SocketEnd
    assert run(kind(), BlindLoop) is ProactorSocketEnd


def test_a_reset_is_seen_as_one_and_may_be_repeated() -> None:
    async def main() -> None:
        ours, theirs = tcp_pair()
        with theirs:
            end = socket_end(ours)
            await end.send(b"x")
            end.reset()
            end.reset()
            end.close()
            with pytest.raises(ConnectionResetError):
                await read_all(theirs)

    run(main())


def test_a_peer_that_is_gone_is_an_os_error_to_reader_writer_and_whoever_checks() -> None:
    async def main() -> None:
        for operation in ("receive", "send", "check"):
            ours, theirs = tcp_pair()
            end = socket_end(ours)
            end.check()
            reset_socket(theirs)
            with pytest.raises(OSError, match=r"reset|pipe"):
                await _do(end, operation)
            end.reset()

    run(main())


async def _do(end: SocketEnd, operation: str) -> None:
    if operation == "receive":
        await end.receive(10)
    elif operation == "send":
        await end.send(bytes(10))
    else:
        while True:
            await asyncio.sleep(0)
            end.check()


def test_small_pieces_are_sent_at_once() -> None:
    async def main() -> None:
        ours, theirs = tcp_pair()
        with theirs:
            end = socket_end(ours)
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            end.close()

    run(main())


def test_a_cancelled_reader_takes_nothing_with_it() -> None:
    async def main() -> None:
        ours, theirs = tcp_pair()
        with theirs:
            end = socket_end(ours)
            reader = asyncio.ensure_future(end.receive(100))
            await asyncio.sleep(0)
            theirs.send(b"kept")
            reader.cancel()
            await asyncio.wait({reader})
            await until(reader.done)
            assert await end.receive(100) == b"kept"
            end.close()

    run(main())


@linux_only
def test_the_death_of_the_process_is_a_reset_and_no_clean_end() -> None:
    """A transfer that was cut off by a kill looked whole."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = (
            "import asyncio, os, signal, socket\n"
            "from fastmux.tunnel.forwarding.socket_end import socket_end\n"
            "async def main():\n"
            f"    end = socket_end(socket.create_connection(('127.0.0.1', {port})))\n"
            "    await end.send(b'half of it')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "asyncio.run(main())\n"
        )
        subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
        theirs, _ = server.accept()
    with theirs:
        theirs.settimeout(30)
        with pytest.raises(ConnectionResetError):
            while theirs.recv(100):
                pass


def test_an_orderly_close_delivers_all_that_the_system_holds() -> None:
    async def main() -> bytes:
        ours, theirs = tcp_pair()
        with theirs:
            end = socket_end(ours)
            sent = 0
            try:
                while True:
                    sent += ours.send(bytes(65536))
            except BlockingIOError:
                end.close()
            assert len(await read_all(theirs)) == sent
            return await read_all(theirs)

    assert run(main()) == b""
