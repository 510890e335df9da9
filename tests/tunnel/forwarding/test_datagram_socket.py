"""UDP sockets: bursts in, never a wait out."""

from __future__ import annotations

import asyncio
import socket

import pytest

from e2e.support import LoopFactory, run
from fastmux.tunnel.constants import MAX_UDP_BURST
from fastmux.tunnel.forwarding.datagram_socket import DatagramSocket
from tunnel.ends import on_all_loops


def udp(*, to: socket.socket | None = None) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    if to is not None:
        sock.connect(to.getsockname())
    return sock


@on_all_loops
def test_datagrams_come_with_their_senders_empty_ones_too(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        sock = udp()
        ours = DatagramSocket(sock)
        with udp(to=sock) as one, udp(to=sock) as other:
            received: list[tuple[bytes, object]] = []
            for sender, data in ((one, b"a"), (other, b""), (one, bytes(9000))):
                sender.send(data)
            while len(received) < 3:
                received += await ours.receive()
            one_at, other_at = one.getsockname(), other.getsockname()
            assert received == [(b"a", one_at), (b"", other_at), (bytes(9000), one_at)]
            assert ours.send(b"back", one_at)
            assert one.recv(100) == b"back"
        ours.close()
        ours.close()

    run(main(), loop_factory)


def test_a_reader_that_waits_is_woken() -> None:
    async def main() -> None:
        sock = udp()
        ours = DatagramSocket(sock)
        with udp(to=sock) as sender:
            waiting = asyncio.ensure_future(ours.receive())
            await asyncio.sleep(0)
            sender.send(b"x")
            assert (await waiting)[0][0] == b"x"
        ours.close()

    run(main())


def test_a_flood_is_read_in_bursts() -> None:
    async def main() -> None:
        sock = udp()
        ours = DatagramSocket(sock)
        with udp(to=sock) as sender:
            for _ in range(MAX_UDP_BURST + 5):
                sender.send(b"x")
            assert len(await ours.receive()) == MAX_UDP_BURST
            assert len(await ours.receive()) == 5
        ours.close()

    run(main())


@on_all_loops
def test_a_target_where_nobody_listens_does_not_end_the_socket(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        target = udp()
        sock = udp(to=target)
        ours = DatagramSocket(sock)
        address = target.getsockname()
        target.close()
        for _ in range(5):
            ours.send(b"nobody")
        waiting = asyncio.ensure_future(ours.receive())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with again:
            again.bind(address)
            again.sendto(b"here now", sock.getsockname())
            assert (await waiting)[0][0] == b"here now"
        ours.close()

    run(main(), loop_factory)


def test_what_cannot_go_is_dropped() -> None:
    async def main() -> None:
        with udp() as target:
            ours = DatagramSocket(udp(to=target))
            assert not ours.send(bytes(65536))
            assert ours.send(bytes(60000))
            ours.close()

    run(main())


def test_a_broken_socket_is_told_to_the_reader() -> None:
    async def main() -> None:
        sock = udp()
        ours = DatagramSocket(sock)
        sock.close()
        with pytest.raises(OSError, match="descriptor"):
            await ours.receive()

    run(main())
