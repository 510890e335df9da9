"""Who cannot prove who it is gets no connection, and both sides say why.

Each case goes over real sockets with `listen` and `connect`. The side that refuses says why; the other hears
the alert's reason; no handler runs and no channel data is taken.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from OpenSSL import SSL

import fastmux
from e2e.support import LogWatch, LoopFactory, run
from fastmux.aio.client import HandshakeMaker
from fastmux.aio.driver import Driver
from fastmux.aio.open_transport import open_transport
from fastmux.constants import ALPN, KIND_STREAM
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Closed, Event
from fastmux.security.certificates import Credential, issue_client, issue_server, make_ca
from fastmux.security.contexts import context_for
from fastmux.security.handshake import TLSHandshake
from fastmux.security.verification import verify_callback
from security.support import LATER, LONG_AGO, World, raw_context

OTHER_CA = make_ca("other CA")
INTERNAL_ERROR = "name, role or pin did not pass"


@dataclass(frozen=True)
class Case:
    """A credential that is refused, the refusing side's words, and what the other side hears."""

    issue: Callable[[Credential], Credential]
    why: str
    heard: str


CLIENT_CASES = {
    "another CA": Case(
        lambda _: issue_client(OTHER_CA, "laptop"), "is not signed by the CA in", "unknown CA"
    ),
    "self-signed": Case(lambda _: make_ca("laptop"), "is self-signed", "unknown CA"),
    "expired": Case(
        lambda ca: issue_client(ca, "laptop", days=1, now=LONG_AGO), "has expired", "certificate expired"
    ),
    "not yet valid": Case(
        lambda ca: issue_client(ca, "laptop", days=1, now=LATER), "is not valid yet", "bad certificate"
    ),
    "wrong role": Case(lambda ca: issue_server(ca, "laptop"), "may not act as a client", "in this role"),
}
SERVER_CASES = {
    "another CA": Case(
        lambda _: issue_server(OTHER_CA, "server"), "is not signed by the CA in", "unknown CA"
    ),
    "self-signed": Case(lambda _: make_ca("server"), "is self-signed", "unknown CA"),
    "expired": Case(
        lambda ca: issue_server(ca, "server", days=1, now=LONG_AGO), "has expired", "certificate expired"
    ),
    "not yet valid": Case(
        lambda ca: issue_server(ca, "server", days=1, now=LATER), "is not valid yet", "bad certificate"
    ),
    "wrong role": Case(
        lambda ca: issue_client(ca, "server", ["127.0.0.1"]), "may not act as a server", "in this role"
    ),
    "wrong name": Case(
        lambda ca: issue_server(ca, "server", ["a.example", "10.0.0.1"]),
        "certificate is for a.example, 10.0.0.1, not 127.0.0.1",
        INTERNAL_ERROR,
    ),
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh CA in a directory of its own."""
    return World.make(tmp_path)


@dataclass(frozen=True)
class Outcome:
    """What a failed attempt left: the client's error, the server's log line and counters."""

    error: Exception
    line: str
    counters: dict[str, int]


async def attempt(
    client_tls: HandshakeMaker, server_tls: HandshakeMaker, *, is_logged: bool = True
) -> Outcome:
    """Connect, which must fail."""
    handled: list[fastmux.Connection] = []

    async def handle(conn: fastmux.Connection) -> None:
        handled.append(conn)

    with LogWatch(logging.INFO) as log:
        async with fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls) as server:
            with pytest.raises(fastmux.HandshakeError) as raised:
                await fastmux.connect("127.0.0.1", server.port, tls=client_tls)
            line = await log.line("no connection with 127.0.0.1") if is_logged else ""
            assert server.connections == ()
            counters = server.counters()
    assert handled == []
    assert not any("Traceback" in each for each in log.lines)
    return Outcome(raised.value, line, counters)


@pytest.mark.parametrize("case", CLIENT_CASES.values(), ids=CLIENT_CASES)
def test_a_bad_client_gets_no_connection_and_both_sides_say_why(
    world: World, case: Case, loop_factory: LoopFactory
) -> None:
    server_tls = world.config("server", issue_server(world.ca, "server"))
    client_tls = world.config("client", case.issue(world.ca))
    outcome = run(attempt(client_tls, server_tls), loop_factory, timeout=20)
    assert type(outcome.error) is fastmux.AuthenticationError
    assert "the peer refused our certificate" in str(outcome.error)
    assert case.heard in str(outcome.error)
    assert case.why in outcome.line


@pytest.mark.parametrize("case", SERVER_CASES.values(), ids=SERVER_CASES)
def test_a_bad_server_gets_no_client_and_both_sides_say_why(
    world: World, case: Case, loop_factory: LoopFactory
) -> None:
    server_tls = world.config("server", case.issue(world.ca))
    client_tls = world.config("client", issue_client(world.ca, "laptop"))
    outcome = run(attempt(client_tls, server_tls), loop_factory, timeout=20)
    assert type(outcome.error) is fastmux.AuthenticationError
    assert case.why in str(outcome.error)
    assert "the peer refused our certificate" in outcome.line
    assert case.heard in outcome.line


def _context_without_certificate(world: World) -> SSL.Context:
    context = raw_context(world.ca)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_alpn_protos([ALPN])
    context.set_verify(SSL.VERIFY_PEER, verify_callback)
    return context


def test_a_client_without_a_certificate_gets_no_connection_and_both_sides_say_why(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_tls = world.config("server", issue_server(world.ca, "server"))
    client_tls = world.config("client", issue_client(world.ca, "laptop"))

    def without_certificate(config: fastmux.TLSConfig) -> SSL.Context:
        return _context_without_certificate(world) if config is client_tls else context_for(config)

    monkeypatch.setattr("fastmux.security.handshake.context_for", without_certificate)
    outcome = run(attempt(client_tls, server_tls), timeout=20)
    assert type(outcome.error) is fastmux.AuthenticationError
    assert "certificate required: this end sent none" in str(outcome.error)
    assert "the peer sent no certificate" in outcome.line


def test_a_plaintext_client_gets_nothing_from_a_tls_server(world: World) -> None:
    server_tls = world.config("server", issue_server(world.ca, "server"))
    outcome = run(attempt(fastmux.PLAINTEXT, server_tls, is_logged=False), timeout=20)
    assert "one end is set to PLAINTEXT, the other to TLS" in str(outcome.error)
    assert outcome.counters["unknown_version"] >= 1


def test_a_tls_client_gets_nothing_from_a_plaintext_server(world: World) -> None:
    client_tls = world.config("client", issue_client(world.ca, "laptop"))
    outcome = run(attempt(client_tls, fastmux.PLAINTEXT, is_logged=False), timeout=20)
    assert "one end is set to PLAINTEXT, the other to TLS" in str(outcome.error)
    assert outcome.counters["unknown_version"] >= 1


class EagerHandshake(TLSHandshake):
    """Calls `on_keys` when its end has the packet keys, long before the server has verified it."""

    on_keys: Callable[[], None]

    def confirm(self, context: bytes) -> None:
        """Confirm, and let the channel data go in the same breath."""
        super().confirm(context)
        asyncio.get_running_loop().call_soon(self.on_keys)


async def send_before_verification(client_tls: fastmux.TLSConfig, port: int) -> Closed:
    """Connect, and send channel data as soon as there are keys; gives how that ended."""
    driver = Driver(await open_transport(socket.AF_INET, None), Configuration())
    ended: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()
    handshake = EagerHandshake(client_tls, True, "127.0.0.1")
    connection = driver.connect(("127.0.0.1", port), handshake)

    def write() -> None:
        channel_id = connection.data_path.open(KIND_STREAM, b"echo")
        connection.data_path.write(channel_id, b"let me in")
        driver.schedule(connection)

    class Sink:
        def handle_event(self, event: Event) -> None:
            if isinstance(event, Closed):
                ended.set_result(event)

    handshake.on_keys = write
    connection.user_data = Sink()
    try:
        closed = await ended
        assert connection.statistics().packets_sent >= 2  # the channel data, and the close
        return closed
    finally:
        driver.close()


def test_channel_data_of_a_client_that_is_not_verified_reaches_nobody(world: World) -> None:
    handled: list[fastmux.Connection] = []

    async def handle(conn: fastmux.Connection) -> None:
        handled.append(conn)

    async def main() -> None:
        server_tls = world.config("server", issue_server(world.ca, "server"))
        client_tls = world.config("client", issue_client(OTHER_CA, "laptop"))
        with LogWatch(logging.INFO) as log:
            async with fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls) as server:
                closed = await send_before_verification(client_tls, server.port)
                assert isinstance(closed.error, fastmux.AuthenticationError)
                await log.line("is not signed by the CA in")
        assert not any("Traceback" in line for line in log.lines)

    run(main(), timeout=20)
    assert handled == []


def test_a_good_client_is_served_among_bad_ones(world: World) -> None:
    names: list[str] = []

    async def handle(conn: fastmux.Connection) -> None:
        names.append(conn.peer.common_name)
        await conn.wait_closed()

    async def main() -> None:
        server_tls = world.config("server", issue_server(world.ca, "server"))
        bad_tls = world.config("bad", issue_client(OTHER_CA, "burglar"))
        good_tls = world.config("good", issue_client(world.ca, "laptop"))
        async with fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls) as server:

            async def try_bad() -> None:
                with pytest.raises(fastmux.AuthenticationError):
                    await fastmux.connect("127.0.0.1", server.port, tls=bad_tls)

            async def try_good() -> None:
                async with fastmux.connect("127.0.0.1", server.port, tls=good_tls) as conn:
                    assert conn.peer.common_name == "server"

            await asyncio.gather(*(tried() for _ in range(5) for tried in (try_bad, try_good)))

    run(main(), timeout=20)
    assert names == ["laptop"] * 5
