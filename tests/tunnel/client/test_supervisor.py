"""The client's connection: found again after loss, restart and sleep; in virtual time, over a link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from aio.link import Link
from aio.pair import World, world
from aio.virtual_loop import settle, virtual
from e2e.support import LogWatch
from fastmux import PLAINTEXT, Connection
from fastmux.aio.server import Server
from fastmux.exceptions import AuthenticationError, ConnectionClosed
from fastmux.protocol.configuration import Configuration
from fastmux.tunnel import constants as c
from fastmux.tunnel.client.supervisor import Backoff, Supervisor, suspended_seconds

Connect = Callable[[], Awaitable[Connection]]


async def serve(connection: Connection) -> None:
    await connection.wait_closed()


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[None]]:
    """A supervisor that runs, and is cancelled at the end."""
    task = asyncio.create_task(supervisor.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await task


def supervise(
    connect: Connect,
    *,
    retry_max: float = c.DEFAULT_RETRY_MAX,
    on_open: Callable[[Connection], None] = lambda _: None,
    suspended: Callable[[], float] = lambda: 0.0,
) -> Supervisor:
    """A supervisor without luck: every delay is as long as it may be, and no sleep unless a test says so."""
    return Supervisor(connect, retry_max=retry_max, on_open=on_open, draw=lambda: 1.0, suspended=suspended)


def within(w: World, limit: float = c.ATTEMPT_TIMEOUT) -> Connect:
    """Attempts to connect to a world, with a time limit."""

    async def connect() -> Connection:
        async with asyncio.timeout(limit):
            return await w.connect()

    return connect


class Refusing:
    """Attempts that fail; remembers when."""

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error or ConnectionRefusedError("nobody there")
        self.times: list[float] = []

    async def __call__(self) -> Connection:
        self.times.append(asyncio.get_running_loop().time())
        raise self.error


@virtual
async def test_everybody_who_waits_gets_the_connection() -> None:
    async with world(serve) as w:
        supervisor = supervise(within(w))
        waiting = [asyncio.create_task(supervisor.get_connection()) for _ in range(3)]
        await settle()
        assert supervisor.state == "connecting"
        async with running(supervisor):
            first, *others = await asyncio.gather(*waiting)
            assert all(other is first for other in others)
            assert supervisor.state == "open"
            assert await supervisor.get_connection() is first


@virtual
async def test_delays_double_up_to_the_limit_and_none_is_longer() -> None:
    refusing = Refusing()
    async with running(supervise(refusing, retry_max=5.0)):
        await asyncio.sleep(30)
    gaps = [later - earlier for earlier, later in zip(refusing.times, refusing.times[1:], strict=False)]
    assert [round(gap, 6) for gap in gaps[:7]] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_delays_are_drawn_from_all_of_their_range() -> None:
    draws = iter([0.0, 0.25, 0.5])
    backoff = Backoff(30.0, lambda: next(draws))
    assert [backoff.next_delay() for _ in range(3)] == [0.0, 0.25, 1.0]
    many = Backoff(30.0)
    delays = [many.next_delay() for _ in range(2000)]
    assert all(0 <= delay <= 30 for delay in delays)
    assert min(delays[100:]) < 1
    assert max(delays[100:]) > 29


@virtual
async def test_a_lost_connection_is_replaced_and_who_waits_meanwhile_gets_the_new_one() -> None:
    async with world(serve) as w:
        opened: list[Connection] = []
        supervisor = supervise(within(w), on_open=opened.append)
        async with running(supervisor):
            first = await supervisor.get_connection()
            first.abort()
            second = await supervisor.get_connection()
            assert second is not first
            assert opened == [first, second]
            assert supervisor.reconnects == 1


@virtual
async def test_a_connection_that_held_makes_the_next_delay_short_again() -> None:
    async with world(serve) as w:
        refusing = Refusing()
        attempts: list[Connect] = [refusing, refusing, refusing, within(w), refusing, refusing]
        times: list[float] = []

        async def connect() -> Connection:
            times.append(asyncio.get_running_loop().time())
            return await attempts.pop(0)()

        supervisor = supervise(connect)
        async with running(supervisor):
            connection = await supervisor.get_connection()
            await asyncio.sleep(c.STABLE_PERIOD + 1)
            connection.abort()
            lost_at = asyncio.get_running_loop().time()
            await asyncio.sleep(1.6)
        assert [round(at - lost_at, 1) for at in times[4:]] == [0.5, 1.5]


@virtual
async def test_an_identity_that_is_not_accepted_ends_it_at_the_first_attempt() -> None:
    supervisor = supervise(Refusing(AuthenticationError("the peer refused our certificate")))
    waiting = asyncio.create_task(supervisor.get_connection())
    with pytest.raises(AuthenticationError):
        await supervisor.run()
    with pytest.raises(ConnectionError, match="closed"):
        await waiting


@virtual
async def test_an_identity_that_no_rule_is_for_ends_it_too() -> None:
    async def refuse(connection: Connection) -> None:
        connection.abort(c.ACCESS_DENIED, "no rule")

    async with world(refuse) as w:
        with pytest.raises(ConnectionClosed, match="no rule"):
            await supervise(within(w)).run()


@virtual
async def test_an_identity_that_is_revoked_later_goes_on_trying() -> None:
    async def serve_a_while(connection: Connection) -> None:
        await asyncio.sleep(1)
        connection.abort(c.ACCESS_DENIED, "revoked")

    async with world(serve_a_while) as w:
        supervisor = supervise(within(w))
        with LogWatch() as log:
            async with running(supervisor) as task:
                await asyncio.sleep(10)
                assert not task.done()
        assert supervisor.reconnects >= 2
        assert any("no longer takes us" in line and "revoked" in line for line in log.lines)


@virtual
async def test_later_it_goes_on_trying_and_says_so_loudly() -> None:
    async with world(serve) as w:
        refusing = Refusing(AuthenticationError("the peer refused our certificate"))
        attempts: list[Connect] = [within(w), refusing, refusing, within(w)]

        async def connect() -> Connection:
            return await attempts.pop(0)()

        supervisor = supervise(connect)
        with LogWatch() as log:
            async with running(supervisor):
                (await supervisor.get_connection()).abort()
                await supervisor.get_connection()
        assert sum("no longer takes us" in line for line in log.lines) == 2


@virtual
async def test_files_that_are_of_no_use_end_it() -> None:
    async def connect() -> Connection:
        raise ValueError("client.pem is not a PEM file")

    with pytest.raises(ValueError, match="not a PEM file"):
        await supervise(connect).run()


@virtual
async def test_a_server_that_was_restarted_has_the_client_back_within_five_seconds() -> None:
    async with world(serve) as w:
        supervisor = supervise(within(w))
        async with running(supervisor):
            first = await supervisor.get_connection()
            await asyncio.sleep(60)
            killed_at = asyncio.get_running_loop().time()
            successor = Server(serve, PLAINTEXT, Configuration(), 0)
            successor.serve(w.link.attach("server"), clock=asyncio.get_running_loop().time)
            await first.wait_closed()
            second = await supervisor.get_connection()
            assert asyncio.get_running_loop().time() - killed_at < 5
            assert second is not first
            assert len(successor.connections) == 1
        successor.close()
        await successor.wait_closed()


@virtual
async def test_a_network_that_is_away_for_a_while_costs_nothing() -> None:
    link = Link()
    async with world(serve, link=link) as w:
        supervisor = supervise(within(w))
        async with running(supervisor):
            first = await supervisor.get_connection()
            await asyncio.sleep(10)
            link.loss = 1.0
            await asyncio.sleep(15)
            link.loss = 0.0
            await asyncio.sleep(15)
            assert await supervisor.get_connection() is first
            assert supervisor.reconnects == 0


@virtual
async def test_a_far_peer_is_not_taken_for_a_silent_one() -> None:
    async with world(serve, link=Link(delay=0.7)) as w:
        supervisor = supervise(within(w, 30))
        async with running(supervisor):
            first = await supervisor.get_connection()
            await asyncio.sleep(60)
            assert await supervisor.get_connection() is first
            assert w.clients == 1


@virtual
async def test_after_sleep_of_the_machine_the_next_attempt_is_at_once() -> None:
    refusing = Refusing()
    slept = 0.0
    async with running(supervise(refusing, retry_max=600.0, suspended=lambda: slept)):
        await asyncio.sleep(300)
        attempts = len(refusing.times)
        slept = 3600.0
        await asyncio.sleep(1.5)
        assert 300 <= refusing.times[attempts] <= 301
        assert (
            round(refusing.times[attempts + 1] - refusing.times[attempts], 1) == 0.5
        )  # from the start again


@virtual
async def test_a_clock_that_is_set_is_no_sleep() -> None:
    refusing = Refusing()
    step = 0.0
    async with running(supervise(refusing, retry_max=600.0, suspended=lambda: step)):
        await asyncio.sleep(300)
        attempts = len(refusing.times)
        step = c.SUSPEND_THRESHOLD / 2
        await asyncio.sleep(5)
        assert len(refusing.times) == attempts


@virtual
async def test_cancelled_it_tells_the_peer_and_those_who_wait() -> None:
    async with world(serve) as w:
        supervisor = supervise(within(w))
        async with running(supervisor):
            connection = await supervisor.get_connection()
        assert connection.is_closed
        with pytest.raises(ConnectionError, match="the tunnel is closed"):
            await supervisor.get_connection()


@virtual
async def test_who_waits_may_give_up() -> None:
    supervisor = supervise(Refusing())
    async with running(supervisor):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await supervisor.get_connection()


def test_the_time_asleep_is_told_apart_from_the_time_awake() -> None:
    assert abs(suspended_seconds() - suspended_seconds()) < 1
