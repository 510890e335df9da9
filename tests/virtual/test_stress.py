"""Seeds pass; those that failed once are kept; an asyncio layer that does wrong makes seeds fail."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from fastmux import core
from fastmux.aio.channel import Channel
from fastmux.aio.driver import Driver
from fastmux.aio.train_socket import TrainSocket
from fastmux.protocol.events import Address
from virtual import stress
from virtual.plan import draw
from virtual.runner import failures_of, kept_seeds, main

FEW = 5 if core.IMPLEMENTATION == "python" else 15


def test_a_few_seeds_pass() -> None:
    assert failures_of(range(FEW)) == []


def test_seeds_that_once_failed_pass() -> None:
    assert failures_of(kept_seeds()) == []


def test_a_seed_is_always_the_same_plan() -> None:
    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


def test_a_seed_takes_the_same_virtual_time_again() -> None:
    assert stress.run_seed(3) == stress.run_seed(3)


def forget_what_waits_for_room(sock: TrainSocket, train: memoryview, segment: int, address: Address) -> None:
    """A train that found no room blocks the socket for ever."""
    sock._pending = (train, segment, address)
    sock.is_blocked = True


def swallow_the_loss(sock: TrainSocket, code: int) -> None:
    """A socket that was closed under us is nobody's business."""


def tell_nobody(channel: Channel, flags: int) -> None:
    """Readers and writers are not woken."""


MISTAKES: dict[str, tuple[type, str, Callable[..., None], int]] = {
    "a blocked socket is never looked at again": (TrainSocket, "_block", forget_what_waits_for_room, 39),
    "a lost socket is not told": (TrainSocket, "_lose", swallow_the_loss, 22),
    "nobody is woken": (Channel, "notify", tell_nobody, 0),
}


@pytest.mark.filterwarnings("ignore")  # a run that failed leaves everything where it was
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_makes_seeds_fail(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, wrong, seed = MISTAKES[mistake]
    monkeypatch.setattr(owner, name, wrong)
    assert failures_of([seed])
    gc.collect()


@pytest.mark.filterwarnings("ignore")
def test_a_loop_that_runs_in_circles_makes_seeds_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Driver, "_arm_timer", lambda driver, now: driver._schedule_flush())
    monkeypatch.setattr(stress, "MOST_TURNS", 3000)
    assert "RunsInCircles" in failures_of([0])[0]
    gc.collect()


def test_a_seed_that_fails_says_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(seed: int) -> None:
        raise stress.Wrong(f"seed {seed}")

    monkeypatch.setattr(stress, "run_seed", fail)
    assert main(["--seed", "0x2a", "--count", "2"]) == 1
    told = capsys.readouterr().out
    assert f"repeat: python -m tests.virtual.runner --seed 0x2a --core {core.IMPLEMENTATION}" in told
    assert "2 seeds, 2 failed" in told
