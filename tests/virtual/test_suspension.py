"""A machine that slept for longer than the idle timeout, and sockets that refuse a handshake's datagrams."""

from __future__ import annotations

import errno

import pytest

from fastmux import ConnectionClosed
from virtual.faults import Fault
from virtual.transfers import USUAL, Scene
from virtual.world import START, World


@pytest.mark.parametrize(
    ("side", "text"),
    [("near", "the peer was silent for 600 s"), ("far", "the peer knows this connection no more")],
)
def test_after_ten_minutes_of_sleep_the_connection_is_over_and_says_so(side: str, text: str) -> None:
    """The sender that slept finds its idle timeout past; whose peer slept is told by its reset (F28)."""
    with World(1, USUAL) as world:
        scene = Scene(world)
        connection = scene.open()
        upload = scene.start_upload(connection, 5_000_000)
        world.run_for(2.0)
        getattr(scene, side).jump(600.0)
        world.run_until(upload.done, timeout=1.0)
        with pytest.raises(ConnectionClosed, match=text):
            upload.result()
        assert scene.upload(scene.open(), 10_000) < 2.0
        assert world.reports() == []


@pytest.mark.parametrize("code", [errno.ECONNREFUSED, errno.EPERM, errno.ENETUNREACH, errno.EAGAIN])
def test_a_handshake_outlives_a_socket_that_refuses_for_two_seconds(code: int) -> None:
    """The port may be opened, the route come up, the firewall be told meanwhile (F33, F36)."""
    with World(1, USUAL) as world:
        scene = Scene(world)
        scene.near.schedule.add(Fault(code=code, stop=world.now + 2.0, pause=0.1))
        connection = scene.open()
        assert 2.0 <= world.now - START < 6.0
        assert scene.upload(connection, 10_000) < 1.0
        scene.close(connection)
