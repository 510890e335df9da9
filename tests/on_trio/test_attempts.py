"""Several addresses are tried in order, the first that works wins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.trio.attempts import first_success
from on_trio.pair import on_trio


async def give(after: float, result: str | Exception) -> str:
    await trio.sleep(after)
    if isinstance(result, Exception):
        raise result
    return result


def never(result: str) -> None:
    raise AssertionError(f"{result} was discarded")


@on_trio
async def test_the_second_begins_a_quarter_of_a_second_later_and_the_first_to_finish_wins() -> None:
    started = trio.current_time()
    attempts: list[Callable[[], Awaitable[str]]] = [
        partial(give, 9, "slow"),
        partial(give, 1, "quick"),
        partial(give, 5, "slow, too"),
    ]
    assert await first_success(attempts, never) == "quick"
    assert trio.current_time() - started == pytest.approx(1.25)


@on_trio
async def test_a_failure_begins_the_next_at_once_and_the_first_error_is_told() -> None:
    started = trio.current_time()
    failures = [partial(give, 0.01, OSError("one")), partial(give, 0.01, HandshakeError("two"))]
    assert await first_success([*failures, partial(give, 0.01, "third")], never) == "third"
    assert trio.current_time() - started == pytest.approx(0.03)
    with pytest.raises(OSError, match="one"):
        await first_success(failures, never)


@pytest.mark.parametrize("error", [AuthenticationError("not you"), ValueError("a bug")])
def test_an_error_that_no_other_address_can_mend_ends_the_search(error: Exception) -> None:
    @on_trio
    async def main() -> None:
        attempts = [partial(give, 0.1, error), partial(give, 9, "never")]
        with pytest.raises(type(error)):
            await first_success(attempts, never)

    main()


@on_trio
async def test_a_second_winner_is_discarded() -> None:
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        return "late"

    discarded: list[str] = []
    assert await first_success([stubborn, partial(give, 0, "quick")], discarded.append) == "quick"
    assert discarded == ["late"]
