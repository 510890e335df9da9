"""Several addresses are tried in order, a little apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aio.virtual_loop import virtual
from fastmux.aio.attempts import ATTEMPT_DELAY, first_success
from fastmux.exceptions import AuthenticationError

Attempt = Callable[[], Coroutine[Any, Any, str]]


def attempt(name: str, started: list[tuple[str, float]], takes: float, error: Exception | None) -> Attempt:
    async def run() -> str:
        loop = asyncio.get_running_loop()
        started.append((name, loop.time()))
        try:
            await asyncio.sleep(takes)
        except asyncio.CancelledError:
            started.append((f"{name} cancelled", loop.time()))
            raise
        if error is not None:
            raise error
        return name

    return run


@virtual
async def test_a_quick_first_address_is_the_only_one_tried() -> None:
    started: list[tuple[str, float]] = []
    attempts = [attempt("a", started, 0.1, None), attempt("b", started, 0.1, None)]
    assert await first_success(attempts, pytest.fail) == "a"
    assert started == [("a", 0.0)]


@virtual
async def test_a_lone_address_is_tried_in_the_callers_own_task() -> None:
    async def task() -> str:
        assert asyncio.current_task() is caller
        return "a"

    caller = asyncio.current_task()
    assert await first_success([task], pytest.fail) == "a"


@virtual
async def test_a_lone_address_that_fails_or_is_given_up_says_so_itself() -> None:
    started: list[tuple[str, float]] = []
    with pytest.raises(OSError, match="no"):
        await first_success([attempt("a", started, 0.1, OSError("no"))], pytest.fail)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await first_success([attempt("b", started, 60, None)], pytest.fail)
    assert [name for name, _ in started] == ["a", "b", "b cancelled"]


@virtual
async def test_a_silent_first_address_gets_company_and_is_cancelled() -> None:
    started: list[tuple[str, float]] = []
    attempts = [attempt("a", started, 60, None), attempt("b", started, 0.1, None)]
    assert await first_success(attempts, pytest.fail) == "b"
    assert started == [("a", 0.0), ("b", ATTEMPT_DELAY), ("a cancelled", ATTEMPT_DELAY + 0.1)]


@virtual
async def test_an_address_that_fails_is_followed_by_the_next_at_once() -> None:
    started: list[tuple[str, float]] = []
    attempts = [attempt("a", started, 0.1, OSError("no")), attempt("b", started, 0.1, None)]
    assert await first_success(attempts, pytest.fail) == "b"
    assert started == [("a", 0.0), ("b", 0.1)]


@virtual
async def test_when_all_fail_the_first_error_is_raised() -> None:
    started: list[tuple[str, float]] = []
    attempts = [
        attempt("a", started, 0.5, OSError("first")),
        attempt("b", started, 0.1, OSError("second")),
    ]
    with pytest.raises(OSError, match="first"):
        await first_success(attempts, pytest.fail)


@virtual
async def test_a_peer_that_is_not_who_it_should_be_ends_the_search() -> None:
    started: list[tuple[str, float]] = []
    attempts = [
        attempt("a", started, 0.1, AuthenticationError("wrong name")),
        attempt("b", started, 0.1, None),
    ]
    with pytest.raises(AuthenticationError):
        await first_success(attempts, pytest.fail)
    assert started == [("a", 0.0)]


@virtual
async def test_a_second_success_at_the_same_moment_is_given_back() -> None:
    discarded: list[str] = []
    started: list[tuple[str, float]] = []
    attempts = [attempt("a", started, ATTEMPT_DELAY + 0.5, None), attempt("b", started, 0.5, None)]
    assert await first_success(attempts, discarded.append) == "a"
    assert discarded in ([], ["b"])
    assert ("b cancelled", ATTEMPT_DELAY + 0.5) in started or discarded == ["b"]


@virtual
async def test_a_cancelled_search_cancels_its_attempts() -> None:
    started: list[tuple[str, float]] = []
    search = asyncio.create_task(first_success([attempt("a", started, 60, None)], pytest.fail))
    await asyncio.sleep(1)
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    assert started[-1] == ("a cancelled", 1.0)


@virtual
async def test_who_gives_up_while_the_others_end_leaves_no_result_behind() -> None:
    """The winner has nobody to go to any more: it is given back as a late one is."""

    async def slow_to_end() -> str:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(5)
        return "never"

    async def second() -> str:
        return "b"

    discarded: list[str] = []
    caller = asyncio.create_task(first_success([slow_to_end, second], discarded.append))
    await asyncio.sleep(1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert discarded == ["b"]
