"""Who cannot prove who it is gets no connection, and both sides say why.

Each case goes over real sockets with `listen` and `connect`. The side that refuses says why; the other hears the
alert's reason; no handler runs and no channel data is taken.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from OpenSSL import SSL

import fastmux
from e2e.support import LogWatch, LoopFactory, run
from fastmux.constants import ALPN, VERSION_PLAINTEXT
from fastmux.protocol.handshake import Handshake
from fastmux.security import handshake as tls_handshake
from fastmux.security.certificates import Credential, issue_client, issue_server, make_ca
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
    "another CA": Case(lambda _: issue_client(OTHER_CA, "laptop"), "is not signed by the CA in", "unknown CA"),
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
    "another CA": Case(lambda _: issue_server(OTHER_CA, "server"), "is not signed by the CA in", "unknown CA"),
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


class Outcome:
    """What a failed attempt to connect left on both sides."""

    def __init__(self, error: Exception, line: str, counters: dict[str, int]) -> None:
        self.error = error
        self.line = line
        self.counters = counters


async def attempt(
    client_tls: fastmux.TLSConfig | object, server_tls: fastmux.TLSConfig | object, *, is_logged: bool = True
) -> Outcome:
    """Connect, which must fail; afterwards somebody with nothing to hide must find the server well."""
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


def test_a_client_without_a_certificate_gets_no_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_tls = world.config("server", issue_server(world.ca, "server"))
    client_tls = world.config("client", issue_client(world.ca, "laptop"))
    context_for = tls_handshake.context_for

    def without_certificate(config: fastmux.TLSConfig) -> SSL.Context:
        if config is not client_tls:
            return context_for(config)
        context = context_for(config)
        bare = raw_context(world.ca)
        bare.set_alpn_protos([ALPN])
        bare.set_verify(SSL.VERIFY_PEER, tls_handshake_verifier(context))
        return bare

    monkeypatch.setattr(tls_handshake, "context_for", without_certificate)
    outcome = run(attempt(client_tls, server_tls), timeout=20)
    assert type(outcome.error) is fastmux.AuthenticationError
    assert "certificate required: this end sent none" in str(outcome.error)
    assert "the peer sent no certificate" in outcome.line


class _AnyPeer:
    pass
