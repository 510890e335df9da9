"""The cases of quic-interop-runner, with its numbers, between two ends of fastmux.

Owns: those scenarios: 10 Mbit/s, 15 ms, a queue of 25 packets. May not know: how they are run or reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastmux import constants as c
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import Event, PathMoved
from faults import addresses, darkness, handshakes, limits, loss
from faults.handshakes import bursty, flipped, real_handshakes
from faults.load import Transfer
from faults.loss import capped, lossy
from faults.scenario import BOTH, MEGABYTE, Outcome, Scenario, Terms, run_transfer
from faults.stage import MEGABIT, PACKET, RTT, Broken, Setting, Stage, dark
from network.bursts import When
from protocol.congestion.bulk import Bottleneck
from protocol.scripted import Script

CASE = 60.0  # seconds: the runner's time-out


def real(terms: Terms, **settings: Any) -> Setting:
    """The default link, with real TLS."""
    return replace(terms.setting(**settings), handshake=real_handshakes())


def handshake(terms: Terms) -> Outcome:
    """1 KB over one connection."""
    stage, _, seconds = run_transfer(real(terms), [1024])
    if len(stage.server.accepted) != 1:
        raise Broken(f"{len(stage.server.accepted)} handshakes")
    stage.check_rest()
    stage.check_end()
    return Outcome(seconds, CASE)


def transfer(terms: Terms) -> Outcome:
    """2, 3 and 5 MB side by side."""
    scale = terms.pick(1.0, 0.1)
    sizes = [int(size * scale * MEGABYTE) for size in (2, 3, 5)]
    stage, _, seconds = run_transfer(real(terms), sizes)
    stage.check_rest()
    stage.check_end()
    return Outcome(seconds, CASE)


def long_rtt(terms: Terms) -> Outcome:
    """1 KB over a round trip of 1.5 s; the first flight must be seen to go again."""
    seen: list[float] = []

    def watch(stage: Stage, _: Transfer) -> None:
        def is_first(index: int, now: float) -> bool:
            if not stage.server.accepted and stage.down.sent == 0:
                seen.append(now)
            return False

        stage.up.losses = When(is_first)

    stage, _, seconds = run_transfer(real(terms).both(delay=0.75), [1024], loss=None, prepare=watch)
    first_flights = len(seen)
    if len(stage.server.accepted) != 1 or first_flights < 2:
        raise Broken(f"{len(stage.server.accepted)} handshakes, {first_flights} first flights")
    return Outcome(seconds, CASE, note=f"the first flight was sent {first_flights} times")


def one_cipher(terms: Terms) -> Outcome:
    """3 MB under ChaCha20-Poly1305."""
    setting = replace(terms.setting(), script=Script(suite=c.SUITE_CHACHA20_POLY1305))
    _, _, seconds = run_transfer(setting, [terms.pick(3 * MEGABYTE, 200_000)])
    return Outcome(seconds, CASE)


def retry(terms: Terms) -> Outcome:
    """10 KB after a Retry whose token is used."""
    stage, _, seconds = run_transfer(real(terms, retry="always"), [10_000], loss=None)
    counters = stage.server.endpoint.counters()
    if not counters["retried"]:
        raise Broken(f"the server counts {counters}")
    return Outcome(seconds, CASE)


def blackhole(terms: Terms) -> Outcome:
    """10 MB; after 5 s nothing passes for 2 s, either way."""
    size, at = terms.pick(10 * MEGABYTE, 2 * MEGABYTE), terms.pick(5.0, 0.8)
    setting = darkness.darkened(real(terms), dark((at, at + 2.0)), "both ways")
    _, moved, seconds = run_transfer(setting, [size], loss=None)
    note = f"goal 13 s; goes on {moved.next_arrival(at + 2.0):.2f} s after"
    return Outcome(seconds, terms.pick(15.0, 7.0), note=note)


def key_update(terms: Terms) -> Outcome:
    """3 MB; both ends change keys, so both phases are on the wire."""
    stage, moved, seconds = run_transfer(
        real(terms, key_update_interval=300), [terms.pick(3 * MEGABYTE, MEGABYTE)], loss=None
    )
    updates = moved.source.statistics().key_updates
    if not updates:
        raise Broken("no key was changed")
    return Outcome(seconds, CASE, note=f"{updates} updates")


def lossy_transfer(terms: Terms) -> Outcome:
    """2 MB, 2 % lost each way, at most three in a row."""
    setting = lossy(real(terms), capped(0.02))
    _, _, seconds = run_transfer(setting, [terms.pick(2 * MEGABYTE, 300_000)], loss=0.02)
    return Outcome(seconds, CASE)


def corrupted_transfer(terms: Terms) -> Outcome:
    """2 MB, 2 % damaged each way, at most three in a row."""
    stage, moved, seconds = run_transfer(
        flipped(real(terms), capped(0.02)), [terms.pick(2 * MEGABYTE, 300_000)], loss=0.02
    )
    if not moved.sink.statistics().undecryptable_packets:
        raise Broken("no damage was seen")
    return Outcome(seconds, CASE)


def ipv6(terms: Terms) -> Outcome:
    """5 and 10 KB between IPv6 addresses; the real sockets are in tests/aio and tests/e2e."""
    setting = replace(real(terms), server_address=("2001:db8::1", 4433), client_address=("2001:db8::2", 4433))
    _, _, seconds = run_transfer(setting, [5000, 10_000])
    return Outcome(seconds, CASE)


def migration(terms: Terms) -> Outcome:
    """2 MB; the client moves to another socket on purpose, under new ids."""
    stage = Stage(real(terms))
    moved: list[PathMoved] = []

    def hear(_: Connection, event: Event) -> None:
        if isinstance(event, PathMoved):
            moved.append(event)

    def migrate() -> None:
        stage.connection.migrate(stage.add_path(("10.9.0.2", 4433)), stage.network.now)
        stage.connection.touch()

    stage.hear(stage.client, hear)
    stage.at(0.5, migrate)
    load = Transfer(stage, [2 * MEGABYTE])
    seconds = load.run()
    if len(moved) != 1 or stage.accepted.statistics().migrations != 1:
        raise Broken(f"the client moved {len(moved)} times")
    return Outcome(seconds, CASE)


def crossed(terms: Terms) -> Outcome:
    """25 MB beside another connection, which is there before, in the same queue: the share of the link.

    The other one is a CUBIC flow of fastmux; beside the kernel's TCP it is `tests/programs`.
    """
    seconds = terms.pick(20.0, 2.5)
    path = Bottleneck(
        terms.congestion, "cubic", rate=10 * MEGABIT, rtt=RTT, queue=25 * PACKET / (10 * MEGABIT * RTT)
    )
    path.flows[1].start()
    path.run_for(2.0)
    path.flows[0].start()
    path.run_for(3.0)
    ours, other = path.run_for(seconds)
    share = ours / (ours + other)
    return Outcome(
        abs(share - 0.5), 0.25, "from an even share", note=f"{share:.0%} of {ours + other:.0%} of the link"
    )


def case(title: str, play: Callable[[Terms], Outcome], controllers: Sequence[str] = ("cubic",)) -> Scenario:
    """One case of the runner."""
    return Scenario(row="interop", title=title, play=play, controllers=controllers)


def rebinding(terms: Terms, moves_host: bool) -> Outcome:
    """10 MB; another port, or address, at 1 s and then every 5 s."""
    return within_case(addresses.rebound(terms, 1.0, 5.0, moves_host, False))


def within_case(outcome: Outcome) -> Outcome:
    """The runner asks for the end within a minute and says nothing of the rate."""
    seconds = float(outcome.note.rpartition(", ")[2].removesuffix(" s"))
    return Outcome(seconds, CASE, note=outcome.note.rpartition(", ")[0])


SCENARIOS = [
    case("handshake, 1 KB", handshake),
    case("transfer, 2 + 3 + 5 MB", transfer, BOTH),
    case("longrtt, RTT 1.5 s", long_rtt),
    case("chacha20, 3 MB", one_cipher),
    case("multiplexing, 1,999 x 32 B", limits.many_channels),
    case("retry, 10 KB", retry),
    case("blackhole, 10 MB, 2 s dark at 5 s", blackhole, BOTH),
    case("keyupdate, 3 MB", key_update),
    case("amplificationlimit", handshakes.amplification),
    case("handshakeloss, 50 connections", partial(handshakes.connects, change=bursty(0.3))),
    case("transferloss, 2 MB", lossy_transfer, BOTH),
    case(
        "handshakecorruption, 50 connections",
        partial(handshakes.connects, change=partial(flipped, make=capped(0.3))),
    ),
    case("transfercorruption, 2 MB", corrupted_transfer, BOTH),
    case("ipv6, 5 + 10 KB", ipv6),
    case("rebind-port, 10 MB", partial(rebinding, moves_host=False)),
    case("rebind-addr, 10 MB", partial(rebinding, moves_host=True)),
    case("connectionmigration, 2 MB", migration),
    case("goodput, 10 MB x 5", loss.clean, BOTH),
    case("crosstraffic, beside one CUBIC flow", crossed, BOTH),
]
