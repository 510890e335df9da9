"""100,000 damaged, truncated, random and replayed datagrams at a listening socket.

They are made of what a real connection said, and come from strangers and in the name of that connection's own
client; they must cause no exception, no growth, and no trouble to that connection.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

import fastmux
from e2e.conversation import MIB, QUARANTINE_SIZE, FarEnd, echo, payload, receive_exactly, resident_size
from e2e.recording_relay import RecordingRelay, make_socket
from e2e.support import LogWatch, linux_only, run
from fastmux.aio.driver import Driver
from fastmux.aio.open_transport import open_transport
from fastmux.aio.server import Server
from fastmux.constants import FORM_LONG
from fastmux.protocol.configuration import Configuration

pytestmark = [pytest.mark.slow, linux_only]

ATTACK_SIZE = 100_000
BATCH_SIZE = 64
WARM_UP = 10_000
MAX_GROWTH = 8 * MIB + QUARANTINE_SIZE
STRANGERS = 8
SEED = 20


class Attacker:
    """Makes hostile datagrams of recorded ones, the same ones for the same seed."""

    def __init__(self, to_server: list[bytes], to_client: list[bytes], seed: int) -> None:
        self._rng = random.Random(seed)
        self._to_server = to_server
        self._recorded = to_server + to_client
        self._knocks = [datagram for datagram in to_server if datagram[0] & FORM_LONG]
        self._ways: tuple[Callable[[], bytes], ...] = (
            self._replayed,
            self._knock,
            self._damaged,
            self._damaged_knock,
            self._truncated,
            self._extended,
            self._spliced,
            self._random,
            self._random_for_the_connection,
        )

    def datagram(self) -> bytes:
        """One more hostile datagram."""
        return self._rng.choice(self._ways)()

    def of_size(self, size: int) -> bytes:
        """One of exactly this size."""
        return (self.datagram() + self._rng.randbytes(size))[:size]

    def _replayed(self) -> bytes:
        return self._rng.choice(self._to_server)

    def _knock(self) -> bytes:
        return self._rng.choice(self._knocks)

    def _any(self) -> bytes:
        return self._rng.choice(self._recorded)

    def _damaged(self) -> bytes:
        return self._damage(self._any())

    def _damaged_knock(self) -> bytes:
        return self._damage(self._knock())

    def _damage(self, whole: bytes) -> bytes:
        datagram = bytearray(whole)
        for _ in range(self._rng.randint(1, 3)):
            datagram[self._rng.randrange(len(datagram))] ^= 1 << self._rng.randrange(8)
        return bytes(datagram)

    def _truncated(self) -> bytes:
        datagram = self._any()
        return datagram[: self._rng.randrange(len(datagram))]

    def _extended(self) -> bytes:
        return self._any() + self._rng.randbytes(self._rng.randint(1, 1200))

    def _spliced(self) -> bytes:
        first, second = self._any(), self._any()
        at = self._rng.randrange(min(len(first), len(second)))
        return first[:at] + second[at:]

    def _random(self) -> bytes:
        return self._rng.randbytes(self._rng.randint(0, 1500))

    def _random_for_the_connection(self) -> bytes:
        header = self._to_server[-1][:9]  # a short header's first byte and connection id
        return header + self._rng.randbytes(self._rng.randint(0, 1400))


async def serve(far_end: FarEnd, tls: fastmux.TLSConfig) -> tuple[Server, Driver]:
    """A server whose tables can be looked at; half-open connections live for a second."""
    server = Server(far_end.handle, tls, Configuration(handshake_timeout=1.0), close_timeout=10.0)
    return server, server.serve(await open_transport(socket.AF_INET, ("127.0.0.1", 0)))


async def attack(
    relay: RecordingRelay, conn: fastmux.Connection, attacker: Attacker, strangers: list[socket.socket]
) -> int:
    """Send all of it while the connection is used; gives the growth of memory after the warm-up, in bytes."""
    stream = await conn.open_stream(label="echo")
    sources: list[socket.socket | None] = [None, *strangers]
    before = 0
    for number in range(ATTACK_SIZE // BATCH_SIZE + 1):
        if not before and number * BATCH_SIZE >= WARM_UP:
            before = resident_size()
        batch = [attacker.datagram() for _ in range(BATCH_SIZE)]
        relay.attack(batch, sources[number % len(sources)])
        relay.disguise = attacker.of_size if number % 4 == 0 else None
        # the echo says that the server has read the batch: it came before
        word = number.to_bytes(4, "big")
        await stream.send(word)
        assert await receive_exactly(stream, len(word)) == word
    relay.disguise = None
    growth = resident_size() - before
    await stream.aclose()
    return growth


def test_a_hundred_thousand_hostile_datagrams_change_nothing(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        far_end = FarEnd()
        server, driver = await serve(far_end, server_tls)
        with LogWatch() as log, RecordingRelay(server.port) as relay, ExitStack() as sockets:
            strangers = [sockets.enter_context(make_socket()) for _ in range(STRANGERS)]
            async with server, fastmux.connect("127.0.0.1", relay.port, tls=client_tls) as conn:
                data = payload(MIB)
                assert await echo(await conn.open_stream(label="echo"), data) == data
                attacker = Attacker(relay.to_server, relay.to_client, SEED)
                received_before = server.counters()["datagrams_received"]
                growth = await attack(relay, conn, attacker, strangers)
                assert server.counters()["datagrams_received"] - received_before >= 0.9 * ATTACK_SIZE
                assert growth < MAX_GROWTH
                assert len(server.connections) == 1
                while driver.endpoint.connections > 1:  # replayed knocks time out
                    await conn.ping()
                assert await echo(await conn.open_stream(label="echo"), data) == data
                async with fastmux.connect("127.0.0.1", server.port, tls=client_tls) as another:
                    assert await echo(await another.open_stream(label="echo"), data) == data
        assert far_end.handled == 2
        assert far_end.endings == ["without an error"] * 2
        assert log.lines == []

    run(main())
