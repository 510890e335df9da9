"""UDP ASSOCIATE: whose datagrams are taken, where they go, and when it is over."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aio.virtual_loop import settle, virtual
from fastmux import constants
from fastmux.exceptions import ChannelReset
from fastmux.tunnel import constants as c
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.socks.addresses import SocksAddress, decode_address, encode_address
from fastmux.tunnel.socks.datagrams import datagram_header, decode_datagram
from fastmux.tunnel.socks.server import SocksServer
from tunnel.proxies.world import LOOPBACK, Client, World, client_of, world

ASSOCIATE = b"\5\1\0\5\3\0\1\0\0\0\0\0\0"
DNS = SocksAddress("192.0.2.53", 53)


def family_of(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Datagrams:
    """A client's UDP socket, and the association that it talks to."""

    def __init__(self, relay: tuple[str, int], host: str = "127.0.0.1") -> None:
        self.relay = relay
        self.sock = socket.socket(family_of(host), socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.sock.setblocking(False)

    async def send(self, payload: bytes, to: SocksAddress = DNS) -> None:
        await self.send_raw(datagram_header(to) + payload)

    async def send_raw(self, data: bytes) -> None:
        self.sock.sendto(data, self.relay)
        await settle()

    async def receive(self) -> tuple[SocksAddress, bytes]:
        """The next datagram; fails if there is none soon."""
        for _ in range(100):
            try:
                return decode_datagram(self.sock.recv(65_535))
            except BlockingIOError:
                await asyncio.sleep(0.01)
        raise AssertionError("no datagram came")


async def associate(client: Client) -> tuple[str, int]:
    """Ask for an association; returns where its datagrams go."""
    await client.send(ASSOCIATE)
    assert await client.receive(2) == b"\5\0"
    reply = await client.receive(10)
    assert reply[:3] == b"\5\0\0"
    decoded = decode_address(reply, 3)
    assert decoded is not None
    return decoded[0].host, decoded[0].port


@asynccontextmanager
async def association(w: World) -> AsyncIterator[tuple[Client, Datagrams]]:
    async with client_of(SocksServer(LOOPBACK, w.outlet, w.registry)) as client:
        datagrams = Datagrams(await associate(client))
        try:
            yield client, datagrams
        finally:
            datagrams.sock.close()


@virtual
async def test_datagrams_go_to_their_destination_and_back() -> None:
    async with world() as w:
        async with association(w) as (_, datagrams):
            await datagrams.send(b"question")
            channel = await w.accept_udp()
            assert channel.label == "192.0.2.53 53"
            assert await channel.receive() == b"question"
            await channel.send(b"answer")
            assert await datagrams.receive() == (DNS, b"answer")
            await datagrams.send(b"")
            assert await channel.receive() == b""
            await channel.aclose()
        assert w.registry.ended[0][:2] == ("socks5", "192.0.2.53:53/udp")
        assert w.registry.sizes == [(8, 6)]


@virtual
async def test_a_name_goes_to_the_far_end_and_comes_back_as_it_was() -> None:
    async with world() as w, association(w) as (_, datagrams):
        await datagrams.send(b"question", SocksAddress("example.org", 53))
        channel = await w.accept_udp()
        assert channel.label == "example.org 53"
        await channel.send(b"answer")
        assert await datagrams.receive() == (SocksAddress("example.org", 53), b"answer")
        channel.reset()


@virtual
async def test_each_destination_has_a_channel_of_its_own() -> None:
    async with world() as w, association(w) as (_, datagrams):
        channels = {}
        for port in (1, 2, 1, 2, 3):
            await datagrams.send(b"%d" % port, SocksAddress("192.0.2.1", port))
        for _ in range(3):
            channel = await w.accept_udp()
            channels[channel.label] = channel
        for port, channel in ((1, channels["192.0.2.1 1"]), (3, channels["192.0.2.1 3"])):
            assert await channel.receive() == b"%d" % port
            await channel.send(b"from %d" % port)
            assert await datagrams.receive() == (SocksAddress("192.0.2.1", port), b"from %d" % port)
        for channel in channels.values():
            channel.reset()


@virtual
async def test_what_comes_while_the_channel_is_opened_is_sent_in_order() -> None:
    async with world() as w, association(w) as (_, datagrams):
        w.outlet.may_answer.clear()
        for number in range(1000):
            await datagrams.send(b"%d" % number)
        w.outlet.may_answer.set()
        channel = await w.accept_udp()
        received = [await channel.receive() for _ in range(c.MAX_UDP_FLOW_WAITING)]
        assert received == [b"%d" % number for number in range(c.MAX_UDP_FLOW_WAITING)]
        channel.reset()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"\0\0\1" + datagram_header(DNS)[3:] + b"a fragment",
        b"\1\0\0" + datagram_header(DNS)[3:] + b"reserved",
        b"\0\0\0\1\xc0\0\2\1\0\0" + b"port 0",
        b"\0\0\0\3\3a b\0\x35" + b"no name",
        b"\0\0\0\x09\3a b\0\x35" + b"no type",
    ],
)
def test_datagrams_that_are_none_are_dropped(data: bytes) -> None:
    @virtual
    async def run() -> None:
        async with world() as w, association(w) as (_, datagrams):
            await datagrams.send_raw(data)
            await datagrams.send(b"a good one")
            channel = await w.accept_udp()
            assert await channel.receive() == b"a good one"
            assert w.outlet.asked == ["192.0.2.53 53/udp"]
            channel.reset()

    run()


@virtual
async def test_datagrams_of_another_host_or_another_port_are_dropped() -> None:
    async with world() as w, association(w) as (_, datagrams):
        stranger = Datagrams(datagrams.relay, "127.0.0.2")
        await stranger.send(b"of a stranger, before the first")
        await datagrams.send(b"first")
        channel = await w.accept_udp()
        assert await channel.receive() == b"first"
        other_port = Datagrams(datagrams.relay)
        await other_port.send(b"of another port")
        await stranger.send(b"of a stranger")
        await datagrams.send(b"second")
        assert await channel.receive() == b"second"
        await channel.send(b"answer")
        assert await datagrams.receive() == (DNS, b"answer")
        for sock in (stranger.sock, other_port.sock):
            with pytest.raises(BlockingIOError):
                sock.recv(1)
            sock.close()
        channel.reset()


@virtual
async def test_the_association_ends_with_its_tcp_connection() -> None:
    async with world() as w:
        async with association(w) as (client, datagrams):
            await datagrams.send(b"question")
            channel = await w.accept_udp()
            await client.send(b"nothing is said here, and nobody minds")
            client.reset()
            assert await channel.receive() == b"question"
            with pytest.raises((ChannelReset, StopAsyncIteration)):
                while True:
                    await channel.__anext__()
            channel.reset()
            relay = datagrams.relay
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
                again.bind(relay)  # it is free
        assert w.registry.records() == []


@virtual
async def test_the_destination_used_least_recently_makes_room() -> None:
    async with world() as w, association(w) as (_, datagrams):
        channels = []
        for port in range(1, c.MAX_UDP_DESTINATIONS + 1):
            await datagrams.send(b"", SocksAddress("192.0.2.1", port))
            channels.append(await w.accept_udp())
        await datagrams.send(b"again", SocksAddress("192.0.2.1", 1))
        await datagrams.send(b"one more", SocksAddress("192.0.2.1", 1000))
        channels.append(await w.accept_udp())
        assert len(w.registry.records()) == c.MAX_UDP_DESTINATIONS
        assert [target for _, target, _ in w.registry.ended] == ["192.0.2.1:2/udp"]
        for channel in channels:
            channel.reset()


@virtual
async def test_a_destination_that_is_not_used_is_given_up_and_opened_again_when_it_is() -> None:
    async with world() as w, association(w) as (_, datagrams):
        await datagrams.send(b"one")
        first = await w.accept_udp()
        await asyncio.sleep(c.SOCKS_UDP_IDLE_TIMEOUT - 5)
        assert len(w.registry.records()) == 1
        await asyncio.sleep(10)
        assert w.registry.records() == []
        await datagrams.send(b"two")
        second = await w.accept_udp()
        assert await second.receive() == b"two"
        first.reset()
        second.reset()


@virtual
async def test_a_refused_destination_costs_the_others_nothing() -> None:
    async with world() as w, association(w) as (_, datagrams):
        await datagrams.send(b"one", SocksAddress("192.0.2.1", 1))
        (await w.accept_udp()).reset(constants.REFUSED)
        await datagrams.send(b"two", SocksAddress("192.0.2.1", 2))
        channel = await w.accept_udp()
        assert await channel.receive() == b"two"
        await asyncio.sleep(1)
        assert [target for _, target, _ in w.registry.ended] == ["192.0.2.1:1/udp"]
        w.outlet.error = ConnectionError("lost")
        await datagrams.send(b"three", SocksAddress("192.0.2.1", 3))
        await asyncio.sleep(1)
        assert w.registry.ended[1] == ("socks5", "192.0.2.1:3/udp", "refused: lost")
        channel.reset()


@pytest.mark.parametrize(("bind", "host"), [("", "127.0.0.1"), ("::1", "::1")])
def test_a_client_is_told_an_address_of_its_own_family(bind: str, host: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this system has no IPv6")

    async def main() -> None:
        async with world() as w:
            server = SocksServer(Target("tcp", bind, 0), w.outlet, w.registry)
            await server.start()
            client = Client(*await asyncio.open_connection(host, server.bound.port))
            await client.send(ASSOCIATE)
            assert (await client.receive(5))[2:] == b"\5\0\0"
            expected = encode_address(SocksAddress(host, 0))[:-2]
            assert await client.receive(len(expected)) == expected
            datagrams = Datagrams((host, int.from_bytes(await client.receive(2))), host)
            await datagrams.send(b"question")
            channel = await w.accept_udp()
            assert await channel.receive() == b"question"
            await channel.send(b"answer")
            assert await datagrams.receive() == (DNS, b"answer")
            datagrams.sock.close()
            channel.reset()
            client.writer.close()
            await client.writer.wait_closed()
            server.close()
            await server.wait_closed()

    asyncio.run(main())


@virtual
async def test_a_client_is_told_that_there_is_no_socket_for_it(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as w:
        server = SocksServer(LOOPBACK, w.outlet, w.registry)
        async with client_of(server, local_host="192.0.2.1") as client:  # no address of this machine
            await client.send(ASSOCIATE)
            assert await client.rest() == b"\5\0" + b"\5\1\0\1" + bytes(6)
        assert "no UDP socket at 192.0.2.1" in caplog.text
