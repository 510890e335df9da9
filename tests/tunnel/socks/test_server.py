"""Clients of the SOCKS5 listener: joined to the tunnel, or told why not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import pytest

from aio.virtual_loop import settle, virtual
from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.tunnel import constants as c
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.socks.negotiation import Reply
from fastmux.tunnel.socks.server import SocksServer
from tunnel.proxies.world import (
    LOOPBACK,
    World,
    client_of,
    names_that_are_resolved,
    receive_all,
    receive_exactly,
    world,
)

HELLO = b"\5\1\0"
CONNECT = b"\5\1\0\3\x0bexample.org\1\xbb"
CONNECTED = b"\5\0\0\1\0\0\0\0\0\0"
ANN = {"ann": "secret"}


def server_of(w: World, users: Mapping[str, str] | None = None) -> SocksServer:
    return SocksServer(LOOPBACK, w.outlet, w.registry, users=users)


@virtual
async def test_a_client_is_connected_and_bytes_go_both_ways_until_both_ended() -> None:
    async with world() as w:
        async with client_of(server_of(w)) as client:
            await client.send(HELLO)
            assert await client.receive(2) == b"\5\0"
            await client.send(CONNECT)
            assert await client.receive(10) == CONNECTED
            stream = await w.accept()
            assert stream.label == "example.org 443"
            await client.send(b"question")
            client.writer.write_eof()
            assert await receive_all(stream) == b"question"
            await stream.send(b"the answer")
            await stream.aclose()
            assert await client.rest() == b"the answer"
        assert w.registry.ended == [("socks5", "example.org:443", "closed")]
        assert w.registry.sizes == [(8, 10)]


@virtual
async def test_a_client_that_sends_single_bytes_is_served() -> None:
    async with world() as w, client_of(server_of(w)) as client:
        await client.send_bytewise(HELLO + CONNECT + b"early")
        assert await client.receive(12) == b"\5\0" + CONNECTED
        stream = await w.accept()
        assert await receive_exactly(stream, 5) == b"early"
        stream.reset()


@virtual
async def test_what_a_client_sends_before_the_reply_is_not_lost() -> None:
    async with world() as w, client_of(server_of(w)) as client:
        w.outlet.may_answer.clear()
        await client.send(HELLO + CONNECT + b"at once, ")
        await asyncio.sleep(1)
        await client.send(b"and while it waits, ")
        await asyncio.sleep(1)
        w.outlet.may_answer.set()
        await client.send(b"and later")
        assert await client.receive(12) == b"\5\0" + CONNECTED
        stream = await w.accept()
        assert await receive_exactly(stream, 38) == b"at once, and while it waits, and later"
        stream.reset()


@virtual
async def test_the_name_goes_to_the_far_end_as_it_is() -> None:
    async with world() as w:
        for host, target in [
            (b"\3\x0bexample.org", "example.org 443"),
            (b"\3\x09localhost", "localhost 443"),
            (b"\1\xc0\0\2\1", "192.0.2.1 443"),
            (b"\4" + bytes(15) + b"\1", "::1 443"),
        ]:
            async with client_of(server_of(w)) as client:
                await client.send(HELLO + b"\5\1\0" + host + b"\1\xbb")
                await client.receive(12)
                (await w.accept()).reset()
            assert w.outlet.asked.pop() == target


@virtual
async def test_no_name_is_resolved_here(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = names_that_are_resolved(monkeypatch)
    async with world() as w, client_of(server_of(w)) as client:
        await client.send(HELLO + CONNECT)
        await client.receive(12)
        (await w.accept()).reset()
        assert asked <= {"127.0.0.1"}


@virtual
async def test_a_reset_of_the_far_end_is_a_reset_for_the_client() -> None:
    async with world() as w:
        async with client_of(server_of(w)) as client:
            await client.send(HELLO + CONNECT)
            await client.receive(12)
            (await w.accept()).reset()
            with pytest.raises(ConnectionResetError):
                await client.rest()
        assert w.registry.ended == [("socks5", "example.org:443", "reset by the far end")]


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (OpenRefused(AnswerCode.NOT_ALLOWED, "no"), Reply.NOT_ALLOWED),
        (OpenRefused(AnswerCode.CONNECTION_REFUSED), Reply.CONNECTION_REFUSED),
        (OpenRefused(AnswerCode.NAME_NOT_FOUND), Reply.HOST_UNREACHABLE),
        (OpenRefused(AnswerCode.BUSY), Reply.GENERAL_FAILURE),
        (TimeoutError("no answer"), Reply.TTL_EXPIRED),
        (ConnectionError("lost"), Reply.NETWORK_UNREACHABLE),
    ],
)
def test_a_refusal_is_told_and_recorded(error: Exception, reply: Reply) -> None:
    @virtual
    async def run() -> None:
        async with world() as w:
            w.outlet.error = error
            async with client_of(server_of(w)) as client:
                await client.send(HELLO + CONNECT + b"early")
                assert await client.rest() == b"\5\0" + bytes((5, reply, 0, 1, 0, 0, 0, 0, 0, 0))
            assert w.registry.ended == [("socks5", "example.org:443", str(error))]

    run()


@virtual
async def test_the_right_password_is_let_in() -> None:
    async with world() as w, client_of(server_of(w, ANN)) as client:
        await client.send(b"\5\2\0\2")
        assert await client.receive(2) == b"\5\2"
        await client.send(b"\1\3ann\6secret")
        assert await client.receive(2) == b"\1\0"
        await client.send(CONNECT)
        assert await client.receive(10) == CONNECTED
        (await w.accept()).reset()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"\5\1\0", b"\5\xff"),
        (b"\5\0", b"\5\xff"),
        (b"\5\1\0" + CONNECT, b"\5\xff"),
        (b"\5\1\2\1\3ann\5guess", b"\5\2\1\1"),
        (b"\5\1\2\1\3ann\0", b"\5\2\1\1"),
        (b"\5\1\2\1\0\0", b"\5\2\1\1"),
        (b"\5\1\2\1\3eve\6secret", b"\5\2\1\1"),
        (b"\5\1\2\1\3ann\5guess" + CONNECT, b"\5\2\1\1"),
        (b"\5\1\2" + CONNECT, b"\5\2\1\1"),
    ],
)
def test_without_the_right_password_nothing_is_opened(said: bytes, answer: bytes) -> None:
    @virtual
    async def run() -> None:
        async with world() as w:
            async with client_of(server_of(w, ANN)) as client:
                await client.send(said)
                assert await client.rest() == answer
            assert w.outlet.asked == []

    run()


@virtual
async def test_a_wrong_password_is_answered_late() -> None:
    async with world() as w, client_of(server_of(w, ANN)) as client:
        started = asyncio.get_running_loop().time()
        await client.send(b"\5\1\2\1\3ann\5guess")
        assert await client.rest() == b"\5\2\1\1"
        assert asyncio.get_running_loop().time() - started >= c.FAILED_LOGIN_DELAY


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"\5\1\0\5\2\0\1\0\0\0\0\0\0", b"\5\0\5\7\0\1\0\0\0\0\0\0"),
        (b"\5\1\0\5\1\0\2\0\0\0\0\0\0", b"\5\0\5\x08\0\1\0\0\0\0\0\0"),
        (b"\5\1\0\4\1\0\1\1\2\3\4\0\x50", b"\5\0\5\1\0\1\0\0\0\0\0\0"),
        (b"\4\1\0\x50\1\2\3\4\0", b"\0\x5b\0\0\0\0\0\0"),
        (b"\x16\3\1\0\0", b""),
    ],
)
def test_what_is_not_served_is_refused(said: bytes, answer: bytes) -> None:
    @virtual
    async def run() -> None:
        async with world() as w:
            async with client_of(server_of(w)) as client:
                await client.send(said)
                assert await client.rest() == answer
            assert w.outlet.asked == []

    run()


@virtual
async def test_a_client_that_says_too_little_is_reset_after_a_while() -> None:
    async with world() as w, client_of(server_of(w)) as client:
        await client.send(HELLO)
        assert await client.receive(2) == b"\5\0"
        started = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionResetError):
            await client.rest()
        assert asyncio.get_running_loop().time() - started == pytest.approx(c.NEGOTIATION_TIMEOUT, abs=0.1)


@virtual
async def test_a_client_that_leaves_at_any_moment_leaves_nothing_behind() -> None:
    said = HELLO + CONNECT + b"early"
    async with world() as w:
        before = len(asyncio.all_tasks())
        for size in range(len(said)):
            async with client_of(server_of(w)) as client:
                await client.send(said[:size])
                await settle()
                client.reset()
                if w.outlet.asked:
                    w.outlet.asked.clear()
                    (await w.accept()).reset()
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) == before
        assert w.registry.records() == []


@virtual
async def test_a_client_that_leaves_while_the_far_end_answers_gets_no_stream() -> None:
    async with world() as w:
        w.outlet.may_answer.clear()
        async with client_of(server_of(w)) as client:
            await client.send(HELLO + CONNECT)
            await client.receive(2)
            client.reset()
            await settle()
            w.outlet.may_answer.set()
        stream = await w.accept()
        with pytest.raises(ConnectionError):
            await receive_all(stream)
        stream.reset()
        assert len(w.registry.ended) == 1


@virtual
async def test_a_limit_of_the_outlet_holds_for_what_the_proxy_carries() -> None:
    clock = asyncio.get_running_loop().time
    async with world([RateLimit(10_000, clock=clock)]) as w, client_of(server_of(w)) as client:
        await client.send(HELLO + CONNECT)
        await client.receive(12)
        stream = await w.accept()
        started = clock()
        await client.send(bytes(50_000))
        await receive_exactly(stream, 50_000)
        assert clock() - started > 4
        stream.reset()


@virtual
async def test_refusals_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as w:
        server = server_of(w)
        with caplog.at_level(logging.INFO, "fastmux.tunnel.socks"):
            for _ in range(100):
                async with client_of(server) as client:
                    await client.send(b"\4")
                    await client.rest()
        assert len(caplog.records) < 10
        assert "SOCKS4" in caplog.text
