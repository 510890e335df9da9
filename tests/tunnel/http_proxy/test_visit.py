"""A client's visit: what is joined, what is refused, and whether another request may follow."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aio.virtual_loop import settle, virtual
from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.exceptions import ChannelReset
from fastmux.tunnel import constants as c
from tunnel.http_proxy.exchanges import CONNECT, ESTABLISHED, GET, OK, Answers, head_at, proxy_of, visiting
from tunnel.proxies.world import client_of, names_that_are_resolved, receive_all, receive_exactly, world

POST = b"POST http://a/ HTTP/1.1\r\nHost: a\r\n"


# CONNECT


@virtual
async def test_a_connect_is_joined_with_its_target() -> None:
    async with world() as w:
        async with client_of(proxy_of(w)) as client:
            await client.send(CONNECT)
            assert await client.receive(len(ESTABLISHED)) == ESTABLISHED
            stream = await w.accept()
            assert stream.label == "example.org 443"
            await client.send(b"question")
            client.writer.write_eof()
            assert await receive_all(stream) == b"question"
            await stream.send(b"the answer")
            await stream.aclose()
            assert await client.rest() == b"the answer"
        assert w.registry.ended == [("http", "example.org:443", "closed")]
        assert w.registry.sizes == [(8, 10)]


@virtual
async def test_bytes_behind_a_connect_are_not_lost() -> None:
    async with visiting() as (w, client):
        w.outlet.may_answer.clear()
        await client.send(CONNECT + b"at once, ")
        await asyncio.sleep(1)
        await client.send(b"and while it waits")
        w.outlet.may_answer.set()
        assert await client.receive(len(ESTABLISHED)) == ESTABLISHED
        stream = await w.accept()
        assert await receive_exactly(stream, 27) == b"at once, and while it waits"
        stream.reset()


@virtual
async def test_a_connect_may_follow_a_request_and_come_in_pieces() -> None:
    async with visiting() as (w, client):
        await client.send(GET)
        origin = await w.accept()
        await client.send(CONNECT + b"early")  # while the first is answered
        await settle()
        await origin.send(OK)
        await client.until(b"hello" + ESTABLISHED)
        stream = await w.accept()
        await client.send(b" and late")
        assert await receive_exactly(stream, 14) == b"early and late"
        stream.reset()
        await origin.aclose()


@virtual
async def test_a_connect_of_single_bytes_is_served() -> None:
    async with visiting() as (w, client):
        await client.send_bytewise(CONNECT + b"early")
        assert await client.receive(len(ESTABLISHED)) == ESTABLISHED
        stream = await w.accept()
        assert await receive_exactly(stream, 5) == b"early"
        stream.reset()


@pytest.mark.parametrize("request_bytes", [GET, CONNECT])
def test_no_name_is_resolved_here(request_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = names_that_are_resolved(monkeypatch)

    @virtual
    async def run() -> None:
        async with visiting() as (w, client):
            await client.send(request_bytes)
            (await w.accept()).reset()
            await settle()
            assert w.outlet.asked[0].startswith("example.org ")
            assert asked <= {"127.0.0.1"}

    run()


@virtual
async def test_a_reset_behind_a_connect_is_a_reset_for_the_client() -> None:
    async with visiting() as (w, client):
        await client.send(CONNECT)
        await client.receive(len(ESTABLISHED))
        (await w.accept()).reset()
        with pytest.raises(ConnectionResetError):
            await client.rest()


@virtual
async def test_a_client_that_leaves_while_the_far_end_answers_gets_no_stream() -> None:
    async with world() as w:
        w.outlet.may_answer.clear()
        async with client_of(proxy_of(w)) as client:
            await client.send(CONNECT)
            await settle()
            client.reset()
            await settle()
            w.outlet.may_answer.set()
        stream = await w.accept()
        with pytest.raises(ConnectionError):
            await receive_all(stream)
        stream.reset()
        assert len(w.registry.ended) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"CONNECT example.org HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT http://example.org/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT /path HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"CONNECT 0177.0.0.1:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_a_connect_without_a_clear_target_is_refused(request_bytes: bytes) -> None:
    @virtual
    async def run() -> None:
        async with visiting() as (w, client):
            await client.send(request_bytes)
            assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
            assert w.outlet.asked == []

    run()


@virtual
async def test_what_is_behind_a_refused_connect_is_not_read_as_a_request() -> None:
    async with visiting() as (w, client):
        w.outlet.error = OpenRefused(AnswerCode.NOT_ALLOWED)
        await client.send(CONNECT + GET)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert answer.count(b"HTTP/1.1") == 1
        assert b"\r\nConnection: close\r\n" in answer
        assert w.outlet.asked == ["example.org 443"]


# refusals of the far end


@pytest.mark.parametrize("request_bytes", [GET, CONNECT])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OpenRefused(AnswerCode.NOT_ALLOWED, "no rule"), 403),
        (OpenRefused(AnswerCode.CONNECTION_REFUSED), 502),
        (OpenRefused(AnswerCode.NAME_NOT_FOUND), 502),
        (OpenRefused(AnswerCode.BUSY), 503),
        (OpenRefused(AnswerCode.TIMED_OUT), 504),
        (TimeoutError("no answer"), 504),
        (ConnectionError("lost"), 502),
    ],
)
def test_a_refusal_is_told_and_recorded(request_bytes: bytes, error: Exception, status: int) -> None:
    @virtual
    async def run() -> None:
        async with visiting() as (w, client):
            w.outlet.error = error
            await client.send(request_bytes)
            response, body = await Answers(client).next()
            assert response.status_code == status
            assert body.startswith(b"fastmux: example.org:")
            assert (b"content-type", b"text/plain; charset=utf-8") in response.headers
            assert len(w.registry.ended) == 1
            assert w.registry.ended[0][2].startswith(f"{status}: example.org:")

    run()


@virtual
async def test_a_refused_request_may_be_followed_by_a_better_one() -> None:
    async with visiting() as (w, client):
        answers = Answers(client)
        w.outlet.error = OpenRefused(AnswerCode.NOT_ALLOWED)
        await client.send(GET)
        assert (await answers.next())[0].status_code == 403
        w.outlet.error = None
        await client.send(GET)
        origin = await w.accept()
        await origin.send(OK)
        assert (await answers.next())[1] == b"hello"
        await origin.aclose()


@virtual
async def test_a_refused_request_whose_body_is_under_way_is_the_last() -> None:
    async with visiting() as (w, client):
        w.outlet.error = OpenRefused(AnswerCode.NOT_ALLOWED)
        await client.send(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + GET)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert answer.count(b"HTTP/1.1") == 1


# requests that are none


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"GET http://a/ HTTP/1.1\nHost: a\n\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 101 + b"\r\n", 431),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET http://a/ HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x05\x01\x00", 400),
    ],
)
def test_what_is_unclear_is_refused_and_nothing_after_it_is_read(request_bytes: bytes, status: int) -> None:
    @virtual
    async def run() -> None:
        async with visiting() as (w, client):
            await client.send(request_bytes + GET)
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert answer.count(b"Content-Length: ") == 1
            assert w.outlet.asked == []

    run()


@virtual
async def test_a_browser_that_takes_the_proxy_for_a_server_is_told_what_to_do() -> None:
    async with visiting() as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n")
        response, body = await Answers(client).next()
        assert response.status_code == 400
        assert b"set it as the proxy" in body


@virtual
async def test_the_answer_to_a_refused_head_has_no_body() -> None:
    async with visiting() as (_, client):
        await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await client.rest()).endswith(b"\r\n\r\n")


@virtual
async def test_an_unclear_body_ends_the_connection_after_its_answer() -> None:
    async with visiting() as (w, client):
        await client.send(
            b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n" + GET
        )
        origin = await w.accept()
        await head_at(origin)
        await origin.send(OK)
        assert (await client.rest()).endswith(b"hello")
        assert w.outlet.asked == ["a 80"]
        await origin.aclose()


# time


@virtual
async def test_a_connection_that_rests_is_ended_after_a_while() -> None:
    clock = asyncio.get_running_loop().time
    async with visiting() as (w, client):
        started = clock()
        assert await client.rest() == b""
        assert clock() - started == pytest.approx(c.KEEP_ALIVE_TIMEOUT, abs=0.1)
        assert w.outlet.asked == []


@virtual
async def test_a_head_that_does_not_come_is_a_timeout() -> None:
    clock = asyncio.get_running_loop().time
    async with visiting() as (_, client):
        started = clock()
        await client.send(GET[:-2])
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")
        assert clock() - started == pytest.approx(c.NEGOTIATION_TIMEOUT, abs=0.1)


@virtual
async def test_a_client_that_leaves_at_any_moment_leaves_nothing_behind() -> None:
    said = b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello"
    async with world() as w:
        before = len(asyncio.all_tasks())
        for size in range(len(said)):
            async with client_of(proxy_of(w)) as client:
                await client.send(said[:size])
                await settle()
                client.reset()
            if w.outlet.asked:
                w.outlet.asked.clear()
                origin = await w.accept()
                with pytest.raises(ChannelReset):
                    await receive_all(origin)
                origin.reset()
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) == before
        assert w.registry.records() == []


@virtual
async def test_refusals_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as w:
        proxy = proxy_of(w)
        with caplog.at_level(logging.INFO, "fastmux.tunnel.http_proxy"):
            for _ in range(100):
                async with client_of(proxy) as client:
                    await client.send(b"GET http://\x1b[31m/ HTTP/1.1\r\nHost: a\r\n\r\n")
                    await client.rest()
        assert len(caplog.records) < 10
        assert "\x1b" not in caplog.text
