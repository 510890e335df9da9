"""The transport fits the event loop."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from aio.conftest import LoopFactory
from fastmux.aio import open_transport as open_transport_module
from fastmux.aio.datagram_endpoint import DatagramEndpoint
from fastmux.aio.open_transport import open_transport, open_transport_on
from fastmux.aio.train_socket import TrainSocket

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")


def test_a_loop_with_add_reader_gets_the_train_socket(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        transport = await open_transport(socket.AF_INET, ("127.0.0.1", 0))
        assert isinstance(transport, TrainSocket)
        assert transport.sockname[0] == "127.0.0.1"
        transport.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@pytest.mark.parametrize("forbids", [True, False])
def test_a_system_that_may_cut_datagrams_is_told_of(
    loop_factory: LoopFactory, monkeypatch: pytest.MonkeyPatch, forbids: bool
) -> None:
    async def main() -> None:
        monkeypatch.setattr(open_transport_module, "forbid_fragmentation", lambda _: forbids)
        transport = await open_transport(socket.AF_INET, ("127.0.0.1", 0))
        assert transport.may_fragment is not forbids
        transport.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@linux_only
def test_linux_does_not_cut_datagrams(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        transport = await open_transport(socket.AF_INET, ("127.0.0.1", 0))
        assert isinstance(transport, TrainSocket)
        assert not transport.may_fragment
        assert transport.socket.getsockopt(socket.IPPROTO_IP, 10) == 3  # IP_MTU_DISCOVER, IP_PMTUDISC_PROBE
        transport.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_loop_without_it_gets_the_datagram_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise NotImplementedError

    async def main() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
        transport = await open_transport(socket.AF_INET, ("127.0.0.1", 0))
        assert isinstance(transport, DatagramEndpoint)
        assert transport.path == "datagram_endpoint"
        transport.close()
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())


def test_a_socket_that_blocks_is_taken_over_and_blocks_no_more(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        transport = await open_transport_on(sock)
        assert transport.receive() == []
        transport.close()
        assert sock.fileno() == -1

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_socket_that_is_of_no_use_is_closed(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.close()
        with pytest.raises(OSError, match="descriptor"):
            await open_transport_on(sock)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_an_address_that_cannot_be_bound_is_an_error(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="assign"):
            await open_transport(socket.AF_INET, ("192.0.2.1", 0))

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
