"""A socket that somebody else closed: one clear error for everybody who waits, at once, and one line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from fastmux import ConnectionClosed
from fastmux.aio.datagram_endpoint import DatagramEndpoint
from virtual.host import Host
from virtual.sockets import VirtualSocket
from virtual.transfers import USUAL, Scene
from virtual.world import World


def close_object(sock: VirtualSocket) -> None:
    """As by `sock.close()` in another corner of the program."""
    sock.close()


def close_descriptor(sock: VirtualSocket) -> None:
    """As by `os.close(fd)`: the object does not know."""
    sock.is_broken = True


WAYS = [close_object, close_descriptor]


def only_socket(host: Host) -> VirtualSocket:
    (sock,) = host.sockets.values()
    return sock


def gone_lines(world: World) -> list[str]:
    return [text for _, _, level, text in world.log.lines if level >= logging.WARNING]


@pytest.mark.parametrize("watches", [True, False], ids=["add_reader", "no add_reader"])
@pytest.mark.parametrize("close", WAYS)
def test_a_client_whose_socket_was_closed_ends_with_one_error(
    close: Callable[[VirtualSocket], None], watches: bool
) -> None:
    with World(1, USUAL) as world:
        scene = Scene(world, watches=watches)
        connection = scene.open()
        upload = scene.start_upload(connection, 1_000_000)
        ping = world.start(scene.near, _forever_pinging(connection.ping))
        world.run_for(0.2)
        sock = only_socket(scene.near)
        close(sock)
        sent = sock.sent
        world.run_until(lambda: upload.done() and ping.done(), timeout=2.0)
        for task in (upload, ping):
            with pytest.raises(ConnectionClosed, match="the socket at .* is gone: Bad file descriptor"):
                task.result()
        assert sock.sent == sent
        assert len(gone_lines(world)) == 1
        world.run(scene.far, scene.close_server())
        world.run_for(60.0)
        sock.close()
        scene.check_nothing_is_left()


async def _forever_pinging(ping: Callable[[], object]) -> None:
    while True:
        result = ping()
        assert asyncio.iscoroutine(result)
        await result


@pytest.mark.parametrize("close", WAYS)
def test_an_idle_client_notices_with_its_next_keep_alive(close: Callable[[VirtualSocket], None]) -> None:
    with World(1, USUAL) as world:
        scene = Scene(world)
        connection = scene.open()

        async def wait_for_a_channel() -> None:
            await connection.accept()

        # a channel that is open makes the connection worth keeping
        stream = world.run(scene.near, connection.open_stream())
        waiting = world.start(scene.near, wait_for_a_channel())
        world.run_for(1.0)
        sock = only_socket(scene.near)
        close(sock)
        world.run_until(waiting.done, timeout=16.0)
        with pytest.raises(ConnectionClosed, match="is gone"):
            waiting.result()
        world.run(scene.near, stream.aclose())
        sock.close()


@pytest.mark.parametrize("close", WAYS)
def test_a_server_whose_socket_was_closed_ends_its_connections(
    close: Callable[[VirtualSocket], None],
) -> None:
    with World(1, USUAL) as world:
        scene = Scene(world)
        connections = [scene.open() for _ in range(3)]
        uploads = [scene.start_upload(connection, 200_000) for connection in connections]
        world.run_for(0.1)
        ends = scene.server.connections
        close(only_socket(scene.far))
        world.run_for(1.0)
        assert [end.is_closed for end in ends] == [True] * 3
        assert scene.server.connections == ()
        assert scene.server.sockets == ()
        assert len(gone_lines(world)) == 1
        world.run_until(lambda: all(upload.done() for upload in uploads), timeout=31.0)
        for upload in uploads:
            with pytest.raises(ConnectionClosed, match="silent"):
                upload.result()
        world.run(scene.far, scene.close_server())


def test_a_client_that_moves_outlives_the_loss_of_its_old_socket() -> None:
    with World(1, USUAL) as world:
        scene = Scene(world)
        connection = scene.open()
        old = only_socket(scene.near)
        world.run(scene.near, connection.migrate())
        close_descriptor(old)
        assert scene.upload(connection, 100_000) < 2.0
        assert gone_lines(world) == []
        old.close()
        scene.close(connection)


def test_a_loop_that_gives_its_transport_up_after_an_error_of_sending_is_heard() -> None:
    """As uvloop's transports did: the fall-back without `add_reader` would else wait for nothing."""
    with World(1, USUAL) as world:
        scene = Scene(world, watches=False)
        connection = scene.open()
        upload = scene.start_upload(connection, 1_000_000)
        world.run_for(0.2)
        endpoint = connection._driver.transport
        assert isinstance(endpoint, DatagramEndpoint)
        assert endpoint._transport is not None
        endpoint._transport.abort()  # the loop's own doing
        world.run_until(upload.done, timeout=2.0)
        with pytest.raises(ConnectionClosed, match="is gone"):
            upload.result()
