"""A signal cancels a command, and its exit code says so."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import pytest

from e2e.support import LogWatch
from fastmux.tunnel.command_line.signals import run_until_signal
from fastmux.tunnel.exits import LOST, CommandError


async def wait_for_ever(tidied: list[bool]) -> None:
    os.kill(os.getpid(), tidied_signal(tidied))
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        tidied.append(True)


def tidied_signal(tidied: list[bool]) -> int:
    return signal.SIGINT if tidied else signal.SIGTERM


def test_the_result_of_the_command_is_returned() -> None:
    async def main() -> int:
        return 7

    assert run_until_signal(main()) == 7
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_signal_lets_it_tidy_up() -> None:
    tidied: list[bool] = []
    with LogWatch(logging.INFO) as log, pytest.raises(CommandError) as caught:
        run_until_signal(wait_for_ever(tidied))
    assert log.lines == ["ended by SIGTERM"]
    assert (caught.value.code, str(caught.value)) == (LOST, "")
    assert tidied == [True]


def test_an_interrupt_is_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_until_signal(wait_for_ever([False]))


def test_a_cancellation_of_its_own_is_not_hidden() -> None:
    async def main() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_until_signal(main())
