"""Whichever datagram of a refused handshake gets lost, both sides still say why."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import fastmux
from e2e.recording_relay import RecordingRelay
from e2e.support import LogWatch, run
from fastmux.security.certificates import issue_client, issue_server, make_ca
from security.support import World

pytestmark = pytest.mark.slow

DATAGRAMS = 6  # more than each direction of a refused handshake has before anything is repeated
INITIAL_RTT = 0.02  # seconds: a probe after 60 ms, not after a second
OTHER_CA = make_ca("other CA")


async def refuse(
    client_tls: fastmux.TLSConfig, server_tls: fastmux.TLSConfig, relay_loses: str, number: int
) -> tuple[str, str]:
    """Connect in vain while one datagram gets lost; what the client's error and the server's log say."""

    async def handle(conn: fastmux.Connection) -> None:
        raise AssertionError("a handler ran")

    with LogWatch(logging.INFO) as log:
        async with fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls, initial_rtt=INITIAL_RTT) as server:
            with RecordingRelay(server.port) as relay:
                setattr(relay, relay_loses, frozenset((number,)))
                with pytest.raises(fastmux.AuthenticationError) as raised:
                    await fastmux.connect("127.0.0.1", relay.port, tls=client_tls, initial_rtt=INITIAL_RTT)
                line = await log.line("no connection with 127.0.0.1")
    return str(raised.value), line


@pytest.mark.parametrize("number", range(DATAGRAMS))
@pytest.mark.parametrize("relay_loses", ["lost_to_server", "lost_to_client"])
def test_a_client_that_refuses_is_heard_by_the_server(tmp_path: Path, relay_loses: str, number: int) -> None:
    world = World.make(tmp_path)
    server_tls = world.config("server", issue_server(OTHER_CA, "server"))
    client_tls = world.config("client", issue_client(world.ca, "laptop"))
    error, line = run(refuse(client_tls, server_tls, relay_loses, number), timeout=20)
    assert "is not signed by the CA in" in error
    assert "the peer refused our certificate: unknown CA" in line


@pytest.mark.parametrize("number", range(DATAGRAMS))
@pytest.mark.parametrize("relay_loses", ["lost_to_server", "lost_to_client"])
def test_a_server_that_refuses_is_heard_by_the_client(tmp_path: Path, relay_loses: str, number: int) -> None:
    world = World.make(tmp_path)
    server_tls = world.config("server", issue_server(world.ca, "server"))
    client_tls = world.config("client", issue_client(OTHER_CA, "laptop"))
    error, line = run(refuse(client_tls, server_tls, relay_loses, number), timeout=20)
    assert "the peer refused our certificate: unknown CA" in error
    assert "is not signed by the CA in" in line
