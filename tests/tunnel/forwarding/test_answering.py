"""Every accepted channel has one answer and one record."""

from __future__ import annotations

import asyncio
import socket

import pytest

from aio.pair import pair
from aio.virtual_loop import virtual
from fastmux import ChannelReset, ConnectionClosed
from fastmux import constants as c
from fastmux.aio.answers import AnswerCode, OpenRefused, read_answer
from fastmux.tunnel.access.access import AccessDenied
from fastmux.tunnel.forwarding.answering import answer, carry_dialled
from tunnel.ends import Registry


@pytest.mark.parametrize(
    ("error", "code", "text", "outcome"),
    [
        (OpenRefused(AnswerCode.BUSY), AnswerCode.BUSY, "", "too many"),
        (AccessDenied("the rule", "not you"), AnswerCode.NOT_ALLOWED, "not you", "the rule"),
        (
            ConnectionRefusedError(111, "x"),
            AnswerCode.CONNECTION_REFUSED,
            "Connection refused",
            "refused the",
        ),
    ],
)
def test_an_error_is_answered_and_noted(error: Exception, code: AnswerCode, text: str, outcome: str) -> None:
    @virtual
    async def check() -> None:
        async def fails() -> str:
            raise error

        async with pair() as ends:
            registry = Registry()
            near, far = await ends.stream()
            await answer(far, fails, registry.open("x", "tcp", "t", "in"), registry)
            with pytest.raises(OpenRefused) as refused:
                await read_answer(near)
            assert (refused.value.code, refused.value.text) == (code, text)
            assert outcome in registry.outcomes[0][2]
            near.reset()
            mine, theirs = await ends.message_channel()
            await answer(theirs, fails, registry.open("x", "udp", "t", "in"), registry)
            with pytest.raises(ChannelReset) as reset:
                await mine.receive()
            assert reset.value.code == c.REFUSED
            mine.reset()

    check()


@virtual
async def test_an_end_is_noted_and_a_cancelled_one_too() -> None:
    async with pair() as ends:
        registry = Registry()
        near, far = await ends.stream()

        async def works() -> str:
            return "closed"

        async def hangs() -> str:
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            return await future

        await answer(far, works, registry.open("x", "tcp", "t", "in"), registry)
        task = asyncio.create_task(answer(far, hangs, registry.open("x", "tcp", "t", "in"), registry))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert [outcome for _, _, outcome in registry.outcomes] == ["closed", "cancelled"]
        near.reset()
        far.reset()


@virtual
async def test_an_opener_that_is_gone_costs_the_socket_that_was_dialled_for_it() -> None:
    async with pair() as ends:
        registry = Registry()
        near, far = await ends.stream()
        ours, theirs = socket.socketpair()
        with theirs:
            ends.client.abort()
            with pytest.raises(ConnectionClosed):
                await far.receive()
            record = registry.open("x", "unix", "t", "in")
            assert (await carry_dialled(far, ours, record, ())).startswith("connection lost")
            assert ours.fileno() == -1
            near.reset()


@virtual
async def test_a_refusal_that_nobody_can_hear_is_no_error() -> None:
    async def fails() -> str:
        raise OpenRefused(AnswerCode.BUSY)

    async with pair() as ends:
        registry = Registry()
        near, far = await ends.stream()
        ends.client.abort()
        with pytest.raises(ConnectionClosed):
            await far.receive()
        await answer(far, fails, registry.open("x", "tcp", "t", "in"), registry)
        assert registry.outcomes[0][2].startswith("refused")
        near.reset()
