"""Requests and answers on their way: streamed, rebuilt, and never shown as whole when they are not."""

from __future__ import annotations

import asyncio

import h11
import pytest

from aio.virtual_loop import settle, virtual
from fastmux.exceptions import ChannelReset
from fastmux.tunnel import constants as c
from tunnel.http_proxy.exchanges import GET, OK, Answers, head_at, visiting
from tunnel.proxies.world import receive_all, receive_exactly


@virtual
async def test_a_request_is_rebuilt_for_its_origin_and_answered() -> None:
    async with visiting() as (w, client):
        await client.send(
            b"GET http://example.org:8080/a?b=c HTTP/1.1\r\nHost: evil\r\nAccept: */*\r\n"
            b"Proxy-Connection: keep-alive\r\nConnection: X-Private\r\nX-Private: 1\r\n"
            b"Proxy-Authorization: Basic c2VjcmV0\r\n\r\n"
        )
        origin = await w.accept()
        assert origin.label == "example.org 8080"
        assert await head_at(origin) == (
            b"GET /a?b=c HTTP/1.1\r\nHost: example.org:8080\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
        await origin.send(
            b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
            b"Set-Cookie: a\r\nSet-Cookie: b\r\n\r\nhello"
        )
        expected = b"HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n\r\nhello"
        assert await client.receive(len(expected)) == expected
        await origin.aclose()


@virtual
async def test_bodies_are_streamed_both_ways_while_they_come() -> None:
    async with visiting() as (w, client):
        await client.send(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
        origin = await w.accept()
        assert b"Content-Length: 10\r\n" in await head_at(origin)
        assert await receive_exactly(origin, 5) == b"hello"
        await origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert await client.until(b"abc\r\n") == (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        )
        await client.send(b"world")
        assert await receive_exactly(origin, 5) == b"world"
        await origin.send(b"0\r\nTrailer: dropped\r\n\r\n")
        assert await client.receive(5) == b"0\r\n\r\n"
        await origin.aclose()


@virtual
async def test_a_chunked_request_stays_chunked_and_its_trailers_go_no_further() -> None:
    async with visiting() as (w, client):
        await client.send_bytewise(
            b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"
        )
        origin = await w.accept()
        assert b"Transfer-Encoding: chunked\r\n" in await head_at(origin)
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body += await origin.receive()
        assert body == b"".join(b"1\r\n%c\r\n" % byte for byte in b"hello") + b"0\r\n\r\n"
        await origin.send(OK)
        response, _ = await Answers(client).next()
        assert response.status_code == 200
        assert await client.rest() == b""
        await origin.aclose()


@virtual
async def test_a_client_that_waits_for_100_gets_it_from_the_origin() -> None:
    async with visiting() as (w, client):
        await client.send(
            b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        origin = await w.accept()
        assert b"Expect: 100-continue\r\n" in await head_at(origin)
        await origin.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"hello")
        assert await receive_exactly(origin, 5) == b"hello"
        await origin.send(OK)
        assert (await client.until(b"hello")).startswith(b"HTTP/1.1 200 ")
        await origin.aclose()


@virtual
async def test_a_client_that_is_refused_instead_of_100_gets_that_and_its_connection_ends() -> None:
    async with visiting() as (w, client):
        await client.send(
            b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        origin = await w.accept()
        await head_at(origin)
        await origin.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 417 No\r\n")
        with pytest.raises(ChannelReset):
            await receive_all(origin)
        await origin.aclose()


@virtual
async def test_an_origin_that_answers_before_the_body_is_read_is_heard() -> None:
    async with visiting() as (w, client):
        await client.send(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        origin = await w.accept()
        await head_at(origin)
        await origin.send(b"HTTP/1.1 413 Too large\r\nContent-Length: 3\r\n\r\nno!")
        await origin.send_eof()
        uploading = asyncio.create_task(client.send(bytes(100_000)))
        response, body = await Answers(client).next()
        assert (response.status_code, body) == (413, b"no!")
        await uploading
        await origin.aclose()


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_that_never_has_a_body_ends_with_its_head(status: bytes) -> None:
    @virtual
    async def run() -> None:
        async with visiting() as (w, client):
            answers = Answers(client)
            for _ in range(2):
                await client.send(GET)
                origin = await w.accept()
                await head_at(origin)
                await origin.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n")
                response, body = await answers.next()
                assert response.status_code == int(status[:3])
                assert body == b""
                await origin.aclose()

    run()


@virtual
async def test_the_answer_to_head_has_the_fields_of_a_body_and_none() -> None:
    async with visiting() as (w, client):
        answers = Answers(client)
        for _ in range(2):
            await client.send(b"HEAD http://a/ HTTP/1.1\r\nHost: a\r\n\r\n")
            origin = await w.accept()
            assert (await head_at(origin)).startswith(b"HEAD / HTTP/1.1\r\n")
            await origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
            response, _ = await answers.next("HEAD")
            assert (b"content-length", b"5000") in response.headers
            await origin.aclose()


@virtual
async def test_an_answer_that_ends_with_its_connection_is_chunked_for_the_client() -> None:
    async with visiting() as (w, client):
        answers = Answers(client)
        for _ in range(2):
            await client.send(GET)
            origin = await w.accept()
            await head_at(origin)
            await origin.send(b"HTTP/1.0 200 OK\r\n\r\nhello, ")
            await origin.send(b"world")
            await origin.aclose()
            response, body = await answers.next()
            assert (b"transfer-encoding", b"chunked") in response.headers
            assert body == b"hello, world"


@virtual
async def test_an_old_client_gets_no_chunks_and_no_informational_answers() -> None:
    async with visiting() as (w, client):
        await client.send(b"GET http://a/ HTTP/1.0\r\n\r\n")
        origin = await w.accept()
        await head_at(origin)
        await origin.send(
            b"HTTP/1.1 103 Early\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        )
        assert await client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"
        await origin.aclose()


@virtual
async def test_an_informational_answer_goes_on_before_the_final_one() -> None:
    async with visiting() as (w, client):
        await client.send(GET)
        origin = await w.accept()
        await head_at(origin)
        await origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        await origin.send(OK)
        assert (await client.until(b"hello")).startswith(b"HTTP/1.1 200 OK\r\n")
        await origin.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
@pytest.mark.parametrize("is_reset", [True, False])
def test_an_answer_that_breaks_off_does_not_look_whole(answer: bytes, is_reset: bool) -> None:
    @virtual
    async def run() -> None:
        async with visiting() as (w, client):
            await client.send(GET)
            origin = await w.accept()
            await head_at(origin)
            await origin.send(answer)
            await client.until(b"hello")
            if is_reset:
                origin.reset()
            else:
                await origin.aclose()
            with pytest.raises(ConnectionResetError):
                await client.rest()

    run()


@virtual
async def test_an_answer_without_length_that_is_reset_does_not_look_whole() -> None:
    async with visiting() as (w, client):
        await client.send(b"GET http://a/ HTTP/1.0\r\n\r\n")
        origin = await w.accept()
        await head_at(origin)
        await origin.send(b"HTTP/1.0 200 OK\r\n\r\nhello")
        await client.until(b"hello")
        origin.reset()
        with pytest.raises(ConnectionResetError):
            await client.rest()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_an_origin_that_does_not_answer_in_http_is_a_bad_gateway(answer: bytes) -> None:
    @virtual
    async def run() -> None:
        async with visiting() as (w, client):
            answers = Answers(client)
            await client.send(GET)
            origin = await w.accept()
            await head_at(origin)
            await origin.send(answer)
            await origin.send_eof()
            response, body = await answers.next()
            assert response.status_code == 502
            assert b"example.org:80" in body
            origin.reset()
            await client.send(GET)  # the client's own connection is as good as before
            origin = await w.accept()
            await origin.send(OK)
            assert (await answers.next())[1] == b"hello"
            origin.reset()

    run()


@virtual
async def test_a_bad_chunk_is_refused_and_the_origin_never_sees_a_whole_request() -> None:
    async with visiting() as (w, client):
        await client.send(
            b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nX\r\n"
        )
        origin = await w.accept()
        response, _ = await Answers(client).next()
        assert response.status_code == 400
        assert await client.rest() == b""
        with pytest.raises(ChannelReset):
            await receive_all(origin)
        origin.reset()


@virtual
async def test_a_bad_chunk_after_the_answer_has_begun_resets_the_client() -> None:
    async with visiting() as (w, client):
        await client.send(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        origin = await w.accept()
        await head_at(origin)
        await origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
        await client.until(b"hel")
        await client.send(b"X\r\n")
        with pytest.raises(ConnectionResetError):
            await client.rest()
        with pytest.raises(ChannelReset):
            await receive_all(origin)
        origin.reset()


@pytest.mark.parametrize("sent", [b"", b"hel"])
def test_a_client_that_leaves_inside_its_body_leaves_no_whole_request(sent: bytes) -> None:
    @virtual
    async def run() -> None:
        async with visiting() as (w, client):
            await client.send(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n" + sent)
            origin = await w.accept()
            await head_at(origin)
            client.writer.close()
            with pytest.raises(ChannelReset):
                await receive_all(origin)
            origin.reset()

    run()


@virtual
async def test_a_client_that_leaves_before_its_answer_frees_the_stream() -> None:
    async with visiting() as (w, client):
        await client.send(GET)
        origin = await w.accept()
        await head_at(origin)
        client.writer.close()
        with pytest.raises(ChannelReset):
            await receive_all(origin)
        origin.reset()
        await settle()
        assert "before it had its answer" in w.registry.ended[0][2]


@virtual
async def test_a_client_that_does_not_read_holds_the_origin_back() -> None:
    async with visiting() as (w, client):
        await client.send(GET)
        origin = await w.accept()
        await head_at(origin)
        await origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        sent = 0
        try:
            async with asyncio.timeout(5):
                while True:
                    await origin.send(bytes(100_000))
                    sent += 100_000
        except TimeoutError:
            assert sent < 50_000_000
        origin.reset()


@virtual
async def test_what_is_pipelined_is_bounded_and_answered_in_order() -> None:
    async with visiting() as (w, client):
        request = b"GET http://a/%d HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1000 + b"\r\n\r\n"
        count = 300
        sending = asyncio.create_task(client.send(b"".join(request % number for number in range(count))))
        answers = Answers(client)
        for number in range(count):
            origin = await w.accept()
            assert (await head_at(origin)).startswith(b"GET /%d HTTP/1.1\r\n" % number)
            await origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%03d" % number)
            assert (await answers.next())[1] == b"%03d" % number
            await origin.aclose()
        await sending
        assert count * len(request) > 4 * c.MAX_PIPELINED_SIZE


def test_the_answer_reader_of_these_tests_sees_what_breaks_off() -> None:
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    http.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    http.receive_data(b"")
    with pytest.raises(h11.RemoteProtocolError):
        while http.next_event() is not h11.NEED_DATA:
            pass
