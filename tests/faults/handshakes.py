"""Handshakes over bad paths: F3 to F7.

Owns: the scenarios of connecting. May not know: how they are run or reported.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random

from fastmux import constants as c
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import ChannelsReady, Event, Opened
from fastmux.protocol.handshake import Handshake
from faults.load import PATTERN
from faults.loss import capped, lossy
from faults.scenario import MEGABYTE, Outcome, Scenario, Terms, ideal, rate_of, run_transfer
from faults.stage import Broken, Setting, Stage, Way
from network import Stuck
from network.bursts import Capped, Listed, Pattern
from protocol.scripted import NINE_CERTIFICATES
from security.support import HOST, World

PATIENCE = 60.0  # seconds for one handshake; fifty of them have the study's 300 s
ANSWER_SIZE = 1024

HandshakeMaker = Callable[[bool], Handshake]


@cache
def real_handshakes() -> HandshakeMaker:
    """TLS with certificates both ways, from a CA that is made for it."""
    folder = tempfile.TemporaryDirectory()  # as long as the process, for files that change are read again
    world = World.make(Path(folder.name))
    server, client = world.server(), world.client()

    def make(is_client: bool) -> Handshake:
        assert folder.name
        return client.create_handshake(True, HOST) if is_client else server.create_handshake(False)

    return make


class Attempts:
    """Connections one after the other over one stage; each carries 1 KB down and is closed."""

    def __init__(self, setting: Setting) -> None:
        self.stage = Stage(setting)
        self.times: list[float] = []
        self._received: dict[Connection, int] = {}
        self.stage.hear(self.stage.server, self._serve)
        self.stage.hear(self.stage.client, self._take)

    def run(self, count: int) -> None:
        """Make them. Raises `Broken` for one that fails."""
        for number in range(count):
            self._attempt(self.stage.connect() if number else self.stage.connection, number)

    def _attempt(self, connection: Connection, number: int) -> None:
        network = self.stage.network
        began_at = network.now
        try:
            network.run(lambda: self._received.get(connection) == ANSWER_SIZE, PATIENCE)
        except Stuck:
            error = self.stage.client.closed(connection)
            raise Broken(f"attempt {number} of this row: {error or 'nothing came'}") from None
        self.times.append(network.now - began_at)
        connection.close(c.NO_ERROR, "", network.now)
        network.run_for(0.1)

    def _serve(self, connection: Connection, event: Event) -> None:
        if isinstance(event, Opened):
            channel_id = connection.data_path.open(c.KIND_STREAM)
            connection.data_path.write(channel_id, PATTERN[:ANSWER_SIZE])
            connection.data_path.finish(channel_id)
            connection.touch()

    def _take(self, connection: Connection, event: Event) -> None:
        if isinstance(event, ChannelsReady):
            for channel_id, _ in event.ready:
                while piece := connection.data_path.read(channel_id, ANSWER_SIZE):
                    self._received[connection] = self._received.get(connection, 0) + len(piece)


def patient(terms: Terms) -> Setting:
    """Whoever connects over such a path must have the time: 10 s are the default."""
    setting = terms.setting(handshake_timeout=PATIENCE)
    return setting if terms.quick else replace(setting, handshake=real_handshakes())


def connects(terms: Terms, change: Callable[[Setting], Setting]) -> Outcome:
    """F3, F4: fifty connections; the sum of their times."""
    count = terms.pick(50, 8)
    attempts = Attempts(change(patient(terms)))
    attempts.run(count)
    times = sorted(attempts.times)
    note = f"goal 150 s; p99 {times[int(0.99 * (count - 1))]:.1f} s, longest {times[-1]:.1f} s"
    return Outcome(sum(times), 300.0 * count / 50, note=note)


def flipped(setting: Setting, make: Callable[[Random], Pattern]) -> Setting:
    """The setting with damage, one byte each, in both directions."""
    return replace(setting, up=replace(setting.up, flips=make), down=replace(setting.down, flips=make))


def lost_flights(terms: Terms) -> Outcome:
    """F5: the first, the first three, a third lost: either way, with and without Retry."""
    patterns: dict[str, Callable[[Random], Pattern]] = {
        "first": lambda random: Listed(frozenset((0,))),
        "first three": lambda random: Listed(frozenset((0, 1, 2))),
        "a third": lambda random: Capped(1 / 3, 10, random),
    }
    longest = 0.0
    done = 0
    for make in patterns.values():
        for up in (True, False):
            for retry in ("never", "always"):
                for seed in range(terms.pick(20, 2)):
                    setting = terms.setting(retry=retry, handshake_timeout=PATIENCE)
                    setting = replace(setting, script=NINE_CERTIFICATES, seed=seed)
                    attempts = Attempts(lossy(setting, make, up=up, down=not up))
                    attempts.run(1)
                    longest = max(longest, attempts.times[0])
                    done += 1
    return Outcome(longest, PATIENCE, note=f"the longest of {done}, all connected")


def amplification(terms: Terms) -> Outcome:
    """F6: the client's datagrams 2 to 7 are lost, and the server's flight is nine certificates."""
    setting = replace(terms.setting(retry="never", handshake_timeout=PATIENCE), script=NINE_CERTIFICATES)
    losses = Listed(frozenset(range(1, 7)))
    stage = Stage(replace(setting, up=Way(losses=lambda random: losses)))
    highest = 0.0
    while not stage.server.accepted:
        at = stage.network._next_at()
        if at is None or stage.elapsed > PATIENCE:
            raise Broken("no connection came about")
        stage.network._step(at)
        if stage.up.passed_size:
            highest = max(highest, stage.down.sent_size / stage.up.passed_size)
    stage.open()
    return Outcome(highest, c.AMPLIFICATION_FACTOR, "times", note=f"connected after {stage.elapsed:.1f} s")


def long_rtt(terms: Terms, rtt: float) -> Outcome:
    """F7: the handshake and 1 MB; with 10 s the time-outs are raised."""
    size = terms.pick(MEGABYTE, 200_000)
    raised = {"handshake_timeout": 300.0, "idle_timeout": 300.0} if rtt > 5 else {}
    setting = terms.setting(**raised).both(delay=rtt / 2, queue_size=1 << 20)
    stage, transfer, seconds = run_transfer(setting, [size])
    lost = transfer.source.statistics().packets_lost
    # Nothing was lost, so slow start is all that it takes: a window doubles in a round trip.
    limit = ideal(size, rate_of(setting), rtt=rtt) + 9 * rtt
    return Outcome(seconds, limit, note=f"{lost} packets taken for lost, MTU probes among them")


def bursty(share: float) -> Callable[[Setting], Setting]:
    """Loss both ways, at most three in a row."""
    return partial(lossy, make=capped(share))


SCENARIOS = [
    Scenario(
        row="F3",
        title="30 % lost each way, at most 3 in a row, 50 connections",
        play=partial(connects, change=bursty(0.3)),
    ),
    Scenario(
        row="F3",
        title="30 % lost each way, 50 connections",
        play=partial(connects, change=lambda setting: setting.both(loss=0.3)),
    ),
    Scenario(
        row="F4",
        title="30 % damaged each way, at most 3 in a row, 50 connections",
        play=partial(connects, change=partial(flipped, make=capped(0.3))),
    ),
    Scenario(
        row="F4",
        title="30 % damaged each way, 50 connections",
        play=partial(connects, change=partial(flipped, make=lambda random: Capped(0.3, 1 << 30, random))),
    ),
    Scenario(row="F5", title="first flights lost, 9 certificates", play=lost_flights),
    Scenario(row="F6", title="client datagrams 2 to 7 lost, 9 certificates", play=amplification),
    Scenario(row="F7", title="RTT 1.5 s, 1 MB", play=partial(long_rtt, rtt=1.5)),
    Scenario(row="F7", title="RTT 10 s, 1 MB", play=partial(long_rtt, rtt=10.0)),
]
