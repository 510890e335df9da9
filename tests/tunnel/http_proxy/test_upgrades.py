"""Upgrades: raw bytes from the end of the 101 on, and ordinary answers where the origin declines."""

from __future__ import annotations

from aio.virtual_loop import virtual
from tunnel.http_proxy.exchanges import GET, OK, Answers, head_at, visiting
from tunnel.proxies.world import receive_exactly


@virtual
async def test_an_upgrade_is_joined_raw_with_nothing_lost_on_either_side() -> None:
    async with visiting() as (w, client):
        await client.send(
            b"GET http://a/chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: x\r\n\r\nearly"
        )
        origin = await w.accept()
        head = await head_at(origin)
        assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in head
        assert b"Sec-WebSocket-Key: x\r\n" in head
        await origin.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nalso early"
        )
        assert await client.until(b"also early") == (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nalso early"
        )
        assert await receive_exactly(origin, 5) == b"early"
        await client.send(b"GET http://b/ HTTP/1.1\r\n\r\n")  # it is no HTTP any more
        assert await receive_exactly(origin, 26) == b"GET http://b/ HTTP/1.1\r\n\r\n"
        client.writer.write_eof()
        await origin.aclose()
        assert await client.rest() == b""
        assert w.outlet.asked == ["a 80"]


@virtual
async def test_an_upgrade_that_the_origin_declines_is_an_ordinary_answer() -> None:
    async with visiting() as (w, client):
        answers = Answers(client)
        await client.send(
            b"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        origin = await w.accept()
        await head_at(origin)
        await origin.send(OK)
        assert (await answers.next())[1] == b"hello"
        await origin.aclose()
        await client.send(GET)
        origin = await w.accept()
        await origin.send(OK)
        assert (await answers.next())[1] == b"hello"
        await origin.aclose()


@virtual
async def test_an_upgrade_that_names_no_protocol_is_a_bad_gateway() -> None:
    async with visiting() as (w, client):
        await client.send(
            b"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        origin = await w.accept()
        await head_at(origin)
        await origin.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        response, _ = await Answers(client).next()
        assert response.status_code == 502
        origin.reset()
