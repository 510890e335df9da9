"""Who has nothing to do leaves the loop alone, whatever the socket says meanwhile."""

from __future__ import annotations

import errno

import pytest

from fastmux import Connection
from virtual.faults import Fault
from virtual.transfers import USUAL, Scene, serve_hashes
from virtual.world import World

MOST_WAKES = 5.0  # a second for an idle connection (G6)
IDLE_TIME = 600.0


def wakes(world: World, scene: Scene, seconds: float) -> tuple[float, float]:
    """Turns a second of both loops."""
    before = (scene.near.turns, scene.far.turns)
    world.run_for(seconds)
    return (scene.near.turns - before[0]) / seconds, (scene.far.turns - before[1]) / seconds


@pytest.mark.parametrize("watches", [True, False], ids=["add_reader", "no add_reader"])
def test_an_idle_connection_wakes_nobody_often(watches: bool) -> None:
    with World(1, USUAL) as world:
        scene = Scene(world, watches=watches)
        connection = scene.open()
        scene.upload(connection, 100_000)
        stream = world.run(scene.near, connection.open_stream())
        world.run_for(1.0)
        assert max(wakes(world, scene, IDLE_TIME)) < 1.0
        world.run(scene.near, stream.aclose())
        scene.close(connection)


def test_many_idle_connections_cost_no_more_each() -> None:
    with World(1, USUAL) as world:
        scene = Scene(world)
        connections = [scene.open() for _ in range(10)]
        streams = []
        for connection in connections:
            streams.append(world.run(scene.near, connection.open_stream()))
        world.run_for(1.0)
        assert max(wakes(world, scene, IDLE_TIME)) < 10 * 1.0
        for stream in streams:
            stream.reset()


def test_a_writer_whose_reader_sleeps_wakes_nobody_often() -> None:
    """The window is shut: there is something to send, and nothing to be done about it."""

    async def hold(connection: Connection) -> None:
        await connection.wait_closed()

    with World(1, USUAL) as world:
        scene = Scene(world, handler=hold)
        connection = scene.open()
        upload = scene.start_upload(connection, 1_000_000)
        world.run_for(10.0)
        assert not upload.done()
        assert max(wakes(world, scene, IDLE_TIME)) < MOST_WAKES
        assert not connection.is_closed


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOBUFS, errno.EPERM, errno.ENETUNREACH])
def test_a_socket_that_takes_nothing_makes_nobody_run_in_circles(code: int) -> None:
    """Guards against trying again in each turn (kronosnet#178). The peer is given up at the idle timeout."""
    with World(1, USUAL) as world:
        scene = Scene(world)
        connection = scene.open()
        upload = scene.start_upload(connection, 1_000_000)
        world.run_for(0.2)
        scene.near.schedule.add(Fault(code=code, pause=100.0))
        assert wakes(world, scene, 25.0)[0] < MOST_WAKES
        assert not connection.is_closed
        world.run_until(upload.done, timeout=60.0)  # the peer's last word is its keep-alive
        with pytest.raises(ConnectionError, match="silent for 30 s"):
            upload.result()


def test_the_measure_sees_a_loop_that_runs_in_circles() -> None:
    with World(1, USUAL) as world:
        scene = Scene(world, handler=serve_hashes)
        loop = scene.near.loop

        def again() -> None:
            loop.call_later(0.1, again)

        again()
        assert wakes(world, scene, 10.0)[0] > MOST_WAKES
