"""Datagrams that are damaged, come twice, late, or out of order: F13 to F16.

Owns: those scenarios. May not know: how they are run or reported.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from fastmux import constants as c
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import ChannelsReady, Event, Opened
from faults.load import PATTERN
from faults.scenario import BOTH, MEGABYTE, Outcome, Scenario, Terms, allowed, ideal, rate_of, run_transfer
from faults.stage import DEFAULT, RTT, Broken, Stage, Way

MESSAGE_SIZE = 100
# Of the clean rate: the study's limit, and two that only keep what is there from getting worse.
FLOORS = {0.01: 0.7, 0.1: 0.05, 0.5: 0.02}
BLOCK_FLOOR = 0.02
CONNECTIONS = 100


def damaged(terms: Terms) -> Outcome:
    """F13: cut, lengthened or changed anywhere, the header too."""
    size = terms.pick(20 * MEGABYTE, 500_000)
    setting = terms.setting().both(damage=0.02)
    stage, transfer, seconds = run_transfer(setting, [size], loss=0.02)
    figures = transfer.sink.statistics()
    counted = figures.undecryptable_packets + figures.malformed_packets
    stage.check_end()
    if not counted:
        raise Broken("no damaged packet was counted")
    return Outcome(
        seconds, allowed(terms, size, rate_of(setting), 0.02), note=f"{counted} counted at the reader"
    )


def duplicated(terms: Terms, share: float) -> Outcome:
    """F14: copies shortly after."""
    size = terms.pick(20 * MEGABYTE, 500_000)
    setting = terms.setting()
    _, _, clean = run_transfer(setting, [size])
    _, transfer, seconds = run_transfer(setting.both(duplication=share), [size])
    return Outcome(
        seconds / clean,
        1.05,
        "times the clean one's",
        note=f"{transfer.sink.statistics().duplicate_packets} duplicates dropped",
    )


def replayed(terms: Terms) -> Outcome:
    """F14: half of all datagrams come once more, up to 60 s late."""
    size = terms.pick(20 * MEGABYTE, 500_000)
    setting = terms.setting()
    _, _, clean = run_transfer(setting, [size])
    rough = replace(setting, up=Way(replays=0.5), down=Way(replays=0.5))
    stage, transfer, seconds = run_transfer(rough, [size])
    stage.network.run_for(70.0)
    transfer.check()
    stage.check_open()
    return Outcome(seconds / clean, 1.05, "times the clean one's", note=f"{stage.down.replayed} came again")


class Messages:
    """Numbered messages on two channels, reliable and unreliable, over a stage; each at most once."""

    def __init__(self, stage: Stage, count: int) -> None:
        self._stage = stage
        self._count = count
        self._channels: dict[int, int] = {}  # channel id to the next number
        self.seen: dict[int, set[int]] = {}
        stage.hear(stage.server, self._send)
        stage.hear(stage.client, self._take)

    @property
    def is_done(self) -> bool:
        """True once all messages of the reliable channel are here."""
        return any(len(seen) == self._count for seen in self.seen.values())

    def _send(self, connection: Connection, event: Event) -> None:
        if isinstance(event, Opened):
            for reliability in (c.RELIABLE, c.UNRELIABLE):
                channel_id = connection.data_path.open(c.KIND_MESSAGE, b"", 0, False, reliability, 0)
                self._channels[channel_id] = 0
        for channel_id in self._channels:
            self._send_some(connection, channel_id)
        connection.touch()

    def _send_some(self, connection: Connection, channel_id: int) -> None:
        """As many of the next messages as the channel takes now."""
        taken = size = 0
        while taken == size and self._channels[channel_id] < self._count:
            number = self._channels[channel_id]
            batch = [self._message(number + n) for n in range(min(256, self._count - number))]
            taken = connection.data_path.send_messages(channel_id, batch, self._stage.network.now)
            size = len(batch)
            self._channels[channel_id] += taken

    @staticmethod
    def _message(number: int) -> bytes:
        return number.to_bytes(4, "big") + PATTERN[number % 1000 : number % 1000 + MESSAGE_SIZE - 4]

    def _take(self, connection: Connection, event: Event) -> None:
        if not isinstance(event, ChannelsReady):
            return
        for channel_id, _ in event.ready:
            seen = self.seen.setdefault(channel_id, set())
            while messages := connection.data_path.take_messages(channel_id, 1000):
                for message in messages:
                    number = int.from_bytes(message[:4], "big")
                    if number in seen or message != self._message(number):
                        raise Broken(f"message {number} came twice or damaged")
                    seen.add(number)
        connection.touch()


def duplicated_messages(terms: Terms) -> Outcome:
    """F14: 100,000 messages, reliable and unreliable, everything twice and half of it late again."""
    count = terms.pick(100_000, 1000)
    way = Way(conditions=replace(DEFAULT, duplication=1.0, queue_size=1 << 20), replays=0.5)
    stage = Stage(replace(terms.setting(), up=way, down=way))
    messages = Messages(stage, count)
    stage.network.run(lambda: messages.is_done, 600.0)
    seconds = stage.elapsed
    stage.network.run_for(70.0)
    stage.check_open()
    arrived = sum(map(len, messages.seen.values()))
    return Outcome(
        seconds,
        1.5 * ideal(2 * count * MESSAGE_SIZE, DEFAULT.rate or 0.0) + 2.0,
        note=f"{arrived} of {2 * count}, none twice",
    )


def reordered(terms: Terms, share: float) -> Outcome:
    """F15: some are late by up to four round trips; the goodput beside that of the clean path."""
    size = terms.pick(20 * MEGABYTE, MEGABYTE)
    setting = terms.setting()
    _, _, clean = run_transfer(setting, [size])
    rough = setting.both(reordering=share, reordering_delay=4 * RTT)
    _, transfer, seconds = run_transfer(rough, [size], loss=None)
    figures = transfer.source.statistics()
    spurious = figures.packets_lost / figures.packets_sent
    return Outcome(
        clean / seconds,
        FLOORS[share],
        "of the clean rate",
        at_least=True,
        note=f"{spurious:.1%} taken for lost",
    )


def shuffled(terms: Terms) -> Outcome:
    """F15: a random order within each 64 datagrams."""
    size = terms.pick(20 * MEGABYTE, MEGABYTE)
    setting = terms.setting()
    _, _, clean = run_transfer(setting, [size])
    _, transfer, seconds = run_transfer(replace(setting, down=Way(block=64)), [size], loss=None)
    figures = transfer.source.statistics()
    return Outcome(
        clean / seconds,
        BLOCK_FLOOR,
        "of the clean rate",
        at_least=True,
        note=f"{figures.packets_lost / figures.packets_sent:.1%} taken for lost",
    )


def jittered(terms: Terms) -> Outcome:
    """F16: each datagram is late by up to a second, and overtaken; one connection after the other."""
    size, count = 100_000, terms.pick(CONNECTIONS, 3)
    times = []
    for seed in range(count):
        setting = replace(terms.setting(), seed=seed).both(rate=None, reordering=1.0, reordering_delay=1.0)
        _, _, seconds = run_transfer(setting, [size], loss=None)
        times.append(seconds)
    return Outcome(max(times), 60.0, note=f"the longest of {count}, mean {sum(times) / count:.1f} s")


SCENARIOS = [
    Scenario(row="F13", title="2 % damaged, cut or lengthened, 20 MB", play=damaged, controllers=BOTH),
    *(
        Scenario(row="F14", title=f"{share:.0%} come twice, 20 MB", play=partial(duplicated, share=share))
        for share in (0.1, 0.5, 1.0)
    ),
    Scenario(row="F14", title="half come again up to 60 s late, 20 MB", play=replayed, controllers=BOTH),
    Scenario(row="F14", title="2 x 100,000 messages, all twice, half again late", play=duplicated_messages),
    *(
        Scenario(
            row="F15",
            title=f"{share:.0%} late by 0 to 4 RTT, 20 MB",
            play=partial(reordered, share=share),
            controllers=BOTH,
            missed={"cubic": 1.8} if share <= 0.01 else {},
            why="what comes later than three others counts as lost, and a loss that was none is not undone",
        )
        for share in (0.01, 0.1, 0.5)
    ),
    Scenario(row="F15", title="random order in blocks of 64, 20 MB", play=shuffled, controllers=BOTH),
    Scenario(row="F16", title="up to 1 s late each, 100 connections x 100 KB", play=jittered),
]
