"""Who is let in: nobody without the right password, and what is told to the others."""

from __future__ import annotations

import asyncio
import base64

import pytest

from aio.virtual_loop import virtual
from fastmux.tunnel import constants as c
from tunnel.http_proxy.exchanges import CONNECT, ESTABLISHED, GET, OK, Answers, head_at, visiting

ANN = {"ann": "secret"}


def with_login(request: bytes, login: bytes = b"ann:secret") -> bytes:
    field = b"Proxy-Authorization: Basic " + base64.b64encode(login) + b"\r\n\r\n"
    return request[:-2] + field


@pytest.mark.parametrize("request_bytes", [GET, CONNECT])
@pytest.mark.parametrize(
    "login",
    [
        b"",
        b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:guess") + b"\r\n",
        b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:") + b"\r\n",
        b"Proxy-Authorization: Basic " + base64.b64encode(b":") + b"\r\n",
        b"Proxy-Authorization: Basic " + base64.b64encode(b"eve:secret") + b"\r\n",
        b"Proxy-Authorization: Basic ???\r\n",
        b"Proxy-Authorization: Bearer " + base64.b64encode(b"ann:secret") + b"\r\n",
        b"Proxy-Authorization:\r\n",
        b"Authorization: Basic " + base64.b64encode(b"ann:secret") + b"\r\n",
        (b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:secret") + b"\r\n") * 2,
    ],
)
def test_without_the_right_password_nothing_is_opened(request_bytes: bytes, login: bytes) -> None:
    @virtual
    async def run() -> None:
        async with visiting(ANN) as (w, client):
            await client.send(request_bytes[:-2] + login + b"\r\n")
            response, _ = await Answers(client).next()
            assert response.status_code == 407
            fields = dict(response.headers)
            assert fields[b"proxy-authenticate"].startswith(b"Basic realm=")
            assert w.outlet.asked == []

    run()


@virtual
async def test_the_right_password_is_let_in_and_goes_no_further() -> None:
    async with visiting(ANN) as (w, client):
        answers = Answers(client)
        await client.send(GET)
        assert (await answers.next())[0].status_code == 407
        for _ in range(3):
            await client.send(with_login(GET))
            origin = await w.accept()
            assert b"roxy" not in await head_at(origin)
            await origin.send(OK)
            assert (await answers.next())[1] == b"hello"
            await origin.aclose()
        await client.send(GET)  # each request has to say it
        assert (await answers.next())[0].status_code == 407
        await client.send(with_login(GET, b"ann:guess"))
        assert (await answers.next())[0].status_code == 407
        await client.send(with_login(CONNECT))
        assert await client.receive(len(ESTABLISHED)) == ESTABLISHED
        (await w.accept()).reset()


@virtual
async def test_a_wrong_password_is_answered_late_and_a_missing_one_at_once() -> None:
    clock = asyncio.get_running_loop().time
    async with visiting(ANN) as (_, client):
        answers = Answers(client)
        started = clock()
        await client.send(GET)
        await answers.next()
        assert clock() - started < 0.1
        await client.send(with_login(GET, b"ann:guess"))
        await answers.next()
        assert clock() - started >= c.FAILED_LOGIN_DELAY
