"""Letting clients in takes no time; refusing them does."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aio.virtual_loop import virtual
from fastmux.tunnel import constants as c
from fastmux.tunnel.proxies.login import Login


@virtual
async def test_the_right_password_is_let_in_at_once() -> None:
    login = Login({"ann": "secret"})
    started = asyncio.get_running_loop().time()
    for _ in range(100):
        assert await login.check(b"ann", b"secret", "127.0.0.1")
    assert asyncio.get_running_loop().time() == started


@virtual
async def test_a_wrong_one_is_refused_after_a_delay() -> None:
    login = Login({"ann": "secret"})
    started = asyncio.get_running_loop().time()
    assert not await login.check(b"ann", b"guess", "127.0.0.1")
    assert asyncio.get_running_loop().time() - started == c.FAILED_LOGIN_DELAY


@virtual
async def test_a_thousand_guesses_at_once_are_mostly_not_even_checked() -> None:
    login = Login({"ann": "secret"})
    guesses = [b"%d" % number for number in range(999)] + [b"secret"]
    results = await asyncio.gather(*(login.check(b"ann", guess, "127.0.0.1") for guess in guesses))
    assert not any(results)
    assert await login.check(b"ann", b"secret", "127.0.0.2")


@virtual
async def test_whoever_hangs_up_while_waiting_has_failed() -> None:
    login = Login({"ann": "secret"})
    for _ in range(c.FREE_FAILURES):
        await login.check(b"ann", b"guess", "127.0.0.1")
    clock = asyncio.get_running_loop().time
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await login.check(b"ann", b"secret", "127.0.0.1")
    started = clock()
    assert await login.check(b"ann", b"secret", "127.0.0.1")
    assert clock() - started == 2


@virtual
async def test_the_log_names_the_user_and_neither_the_password_nor_control_characters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "fastmux.tunnel.proxies"):
        await Login({"ann": "secret"}).check(b"an\nn", b"guess", "127.0.0.1")
    assert "an?n" in caplog.text
    assert "guess" not in caplog.text
