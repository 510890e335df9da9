"""Addresses that change under a connection: F22 to F24.

Owns: those scenarios. May not know: how they are run or reported.
"""

from __future__ import annotations

from functools import cache, partial

from fastmux import constants as c
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import Event, PathMoved
from faults.load import Transfer
from faults.scenario import MEGABYTE, Outcome, Scenario, Terms, ideal, run_transfer
from faults.stage import MEGABIT, Broken, Stage

NAT_TIMEOUT = 30.0


class Nat:
    """Gives the client another port, or another address too, at `first` and then every `every` seconds."""

    def __init__(self, stage: Stage, first: float, every: float, *, moves_host: bool = False) -> None:
        self._stage = stage
        self._every = every
        self._moves_host = moves_host
        self.moves = 0
        stage.at(first, self._move)

    def _move(self) -> None:
        self.moves += 1
        host = f"10.1.{self.moves}.2" if self._moves_host else str(self._stage.client.address[0])
        self._stage.rebind((host, 5000 + self.moves))
        self._stage.at(self._stage.elapsed + self._every, self._move)


@cache
def unmoved(terms: Terms, size: int, upload: bool) -> float:
    """The seconds that it takes where no address changes."""
    _, _, seconds = run_transfer(terms.setting(), [size], upload=upload)
    return seconds


def rebound(terms: Terms, first: float, every: float, moves_host: bool, upload: bool) -> Outcome:
    """F22: goodput beside that without rebinding; every path that the server took was validated."""
    size = terms.pick(10 * MEGABYTE, 2 * MEGABYTE)
    setting = terms.setting()
    clean = unmoved(terms, size, upload)
    nats: list[Nat] = []
    stage, _, seconds = run_transfer(
        setting,
        [size],
        upload=upload,
        loss=None,
        prepare=lambda stage, _: nats.append(Nat(stage, first, every, moves_host=moves_host)),
    )
    stage.network.run_for(1.0)
    figures = stage.accepted.statistics()
    if figures.paths_validated < figures.migrations - 1:  # the last one may still be under way
        raise Broken(f"{figures.paths_validated} paths validated, {figures.migrations} followed")
    note = f"{nats[0].moves} moves, {figures.paths_validated} validated, {seconds:.2f} s"
    return Outcome(clean / seconds, 0.9, "of the clean rate", at_least=True, note=note)


def rebound_in_handshake(terms: Terms) -> Outcome:
    """F22: the address changes between the flights: an error or a connection comes of it, in time."""
    opened = 0
    longest = 0.0
    rounds = terms.pick(40, 8)
    for number in range(rounds):
        stage = Stage(terms.setting())
        stage.at(0.2 * number / rounds, stage.rebind)
        stage.network.run(stage.is_decided, 30.0)
        opened += stage.connection.has_opened
        longest = max(longest, stage.elapsed)
    return Outcome(
        longest,
        c.HANDSHAKE_TIMEOUT + 1.0,
        note=f"{opened} of {rounds} open, the others say that it timed out",
    )


class Forgetful:
    """A NAT that drops a binding after 30 s in which nothing passed it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seen = 0
        self._last_at = stage.network.now
        self.dropped = 0
        self._look()

    def _look(self) -> None:
        stage = self._stage
        seen = stage.up.sent + stage.down.sent
        if seen != self._seen:
            self._seen, self._last_at = seen, stage.network.now
        elif stage.network.now - self._last_at >= NAT_TIMEOUT:
            stage.rebind()
            self.dropped += 1
            self._last_at = stage.network.now
        stage.at(stage.elapsed + 1.0, self._look)


def idle_behind_nat(terms: Terms) -> Outcome:
    """F23: idle for ten minutes with keepalive; then the server sends first."""
    stage = Stage(terms.setting()).open()
    nat = Forgetful(stage)
    before = stage.network.datagrams
    stage.network.run_for(600.0)
    sent = stage.network.datagrams - before
    began_at = stage.elapsed
    transfer = Transfer(stage, [10_000])
    stage.accepted.ping(stage.network.now)
    transfer.run(5.0)
    return Outcome(
        stage.elapsed - began_at, 0.5, note=f"{nat.dropped} bindings lost, {sent} datagrams in ten minutes"
    )


def idle_without_keepalive(terms: Terms) -> Outcome:
    """F23: no keepalive: the NAT forgets, the client sends first and is followed."""
    stage = Stage(terms.setting(keep_alive=None, idle_timeout=None)).open()
    nat = Forgetful(stage)
    stage.network.run_for(600.0)
    if not nat.dropped:
        raise Broken("the binding was not lost")
    began_at = stage.elapsed
    transfer = Transfer(stage, [10_000], upload=True)
    stage.connection.ping(stage.network.now)
    transfer.run(10.0)
    return Outcome(stage.elapsed - began_at, 1.0, note=f"{nat.dropped} bindings lost; client first")


def server_first_without_keepalive(terms: Terms) -> Outcome:
    """F23: the server sends first into a binding that is gone: it is told by silence."""
    stage = Stage(terms.setting(keep_alive=None, idle_timeout=300.0)).open()
    Forgetful(stage)
    stage.network.run_for(100.0)
    transfer = Transfer(stage, [10_000])
    stage.accepted.ping(stage.network.now)
    began_at = stage.elapsed
    stage.network.run(lambda: stage.accepted.is_closed, 400.0)
    error = stage.server.closed(stage.accepted)
    if transfer.received or getattr(error, "code", None) != c.IDLE_TIMEOUT:
        raise Broken(f"the server says {error}")
    return Outcome(stage.elapsed - began_at, 301.0, note=str(error))


def to_another_family(terms: Terms) -> Outcome:
    """F24: IPv4 is gone for good, ten seconds nothing works, then the client goes on by IPv6."""
    size = terms.pick(10 * MEGABYTE, MEGABYTE)
    at, away = terms.pick(3.0, 0.3), 10.0
    stage = Stage(terms.setting())
    transfer = Transfer(stage, [size])
    moved: list[Event] = []

    def hear(_: Connection, event: Event) -> None:
        if isinstance(event, PathMoved):
            moved.append(event)

    def go_dark() -> None:
        stage.cut_off(stage.client.address)

    def migrate() -> None:
        stage.connection.migrate(stage.add_path(("2001:db8::2", 4433)), stage.network.now)
        stage.connection.touch()

    stage.hear(stage.client, hear)
    stage.at(at, go_dark)
    stage.at(at + away, migrate)
    seconds = transfer.run()
    stage.check_open()
    if len(moved) != 1:
        raise Broken(f"the client moved {len(moved)} times")
    return Outcome(seconds, ideal(size, 10 * MEGABIT, dark=away) + 3.0, note="the old path stays dead")


LEARNS_ANEW = "on another host the window begins anew, each second"

SCENARIOS = [
    *(
        Scenario(
            row="F22",
            title=f"{kind} at {first:g} s, then every {every:g} s, 10 MB {'up' if upload else 'down'}",
            play=partial(rebound, first=first, every=every, moves_host=moves_host, upload=upload),
            missed={"cubic": 1.2} if moves_host and every == 1.0 else {},
            why=LEARNS_ANEW,
        )
        for kind, first, every, moves_host, upload in (
            ("another port", 1.0, 5.0, False, False),
            ("another port", 1.0, 5.0, False, True),
            ("another port", 1.0, 1.0, False, False),
            ("another address", 1.0, 5.0, True, False),
            ("another address", 1.0, 5.0, True, True),
            ("another address", 1.0, 1.0, True, False),
        )
    ),
    Scenario(row="F22", title="another port during the handshake", play=rebound_in_handshake),
    Scenario(row="F23", title="binding lost after 30 s, keepalive, idle 10 min", play=idle_behind_nat),
    Scenario(row="F23", title="the same without keepalive, client first", play=idle_without_keepalive),
    Scenario(
        row="F23", title="the same without keepalive, server first", play=server_first_without_keepalive
    ),
    Scenario(row="F24", title="IPv4 gone, 10 s nothing, IPv6, 10 MB", play=to_another_family),
]
