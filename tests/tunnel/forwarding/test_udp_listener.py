"""A bound UDP socket and the flows of its peers."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from aio.link import Link
from aio.pair import pair
from e2e.support import LoopFactory, run
from fastmux import MessageChannel
from fastmux.protocol.events import Address
from fastmux.tunnel.forwarding.binding import bind
from fastmux.tunnel.forwarding.udp_flows import UdpFlows
from fastmux.tunnel.forwarding.udp_listener import UdpListener
from fastmux.tunnel.notation.targets import Target
from tunnel.ends import Registry, on_all_loops


@on_all_loops
def test_each_sender_has_a_flow_and_answers_find_their_way(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with pair(link=Link(delay=0)) as ends:
            listener = UdpListener(await bind(Target("udp", "127.0.0.1", 0)))
            registry = Registry()

            async def open_channel(address: Address) -> MessageChannel:
                return await ends.client.open_message_channel(str(address[1]), reliable=False)

            flows = UdpFlows[Address](
                open_channel,
                listener.deliver,
                lambda address: registry.open("x", "udp", str(address[1]), "out"),
                registry,
            )
            listener.start(flows)
            for _ in range(3):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.setblocking(False)
                    client.connect(("127.0.0.1", listener.target.port))
                    client.send(b"question")
                    far = await ends.server.accept()
                    assert isinstance(far, MessageChannel)
                    assert far.label == str(client.getsockname()[1])
                    assert await far.receive() == b"question"
                    await far.send(b"answer")
                    assert await asyncio.get_running_loop().sock_recv(client, 100) == b"answer"
                    await far.aclose()
            await listener.close()
            await listener.close()
            assert len(registry.outcomes) == 3

    run(main(), loop_factory)


def test_a_listener_that_never_started_can_be_closed() -> None:
    async def main() -> None:
        bound = await bind(Target("udp", "127.0.0.1", 0))
        await UdpListener(bound).close()
        assert bound.sock.fileno() == -1

    run(main())


def test_a_socket_that_breaks_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bound = await bind(Target("udp", "127.0.0.1", 0))
        listener = UdpListener(bound)
        registry = Registry()

        async def open_channel(_: Address) -> MessageChannel:
            raise ConnectionError("none")

        flows = UdpFlows[Address](
            open_channel, listener.deliver, lambda _: registry.open("x", "udp", "t", "out"), registry
        )
        bound.sock.close()
        listener.start(flows)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await listener.close()

    with caplog.at_level(logging.ERROR):
        run(main())
    assert "not read any more" in caplog.text
