"""Datagrams that are lost: F1, F3 to F12.

Owns: the scenarios of loss. May not know: how they are run or reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from fastmux import constants as c
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import ChannelsReady, Event
from faults.load import PATTERN
from faults.scenario import BOTH, MEGABYTE, Outcome, Scenario, Terms, allowed, ideal, rate_of, run_transfer
from faults.stage import DEFAULT, MEGABIT, PACKET, RTT, START, Setting, Stage, Way
from network.bursts import Capped, GilbertElliott, Mask, Pattern, Range

RESPONSE_PACKETS = 6
RESPONSE_SIZE = 8300  # bytes: six packets on Ethernet
PICOQUIC_MASK = 0x13596AC77CA69531
HEAVY_SECONDS = 20.0


def lossy(
    setting: Setting, make: Callable[[Random], Pattern], *, up: bool = True, down: bool = True
) -> Setting:
    """The setting with a pattern of loss in one or both directions."""
    return replace(
        setting,
        up=replace(setting.up, losses=make if up else None),
        down=replace(setting.down, losses=make if down else None),
    )


def capped(share: float) -> Callable[[Random], Pattern]:
    """A share, at most three in a row."""
    return lambda random: Capped(share, 3, random)


def clean(terms: Terms) -> Outcome:
    """F1: five transfers one after the other; the median goodput."""
    size = terms.pick(10 * MEGABYTE, MEGABYTE)
    rates = []
    for seed in range(terms.pick(5, 1)):
        _, _, seconds = run_transfer(replace(terms.setting(), seed=seed), [size])
        rates.append(size * 8 / seconds / 1e6)
    rates.sort()
    least = terms.pick(9.2, 7.0)  # in the quick form the beginning weighs more
    return Outcome(rates[len(rates) // 2], least, "Mbit/s", at_least=True, note=f"lowest {rates[0]:.2f}")


def random_loss(terms: Terms, loss: float, channels: int) -> Outcome:
    """F8."""
    size = terms.pick(2 if loss >= 0.1 else 10 if loss >= 0.02 else 20, 0.2 if loss >= 0.1 else 0.5)
    total = int(size * MEGABYTE)
    setting = terms.setting().both(loss=loss)
    # Where windows are two packets, probes are a good part of all that is sent.
    sizes = [total // channels] * channels
    stage, _, seconds = run_transfer(setting, sizes, loss=loss if loss < 0.2 else None)
    stage.check_end()
    note = f"{total / 1e6:g} MB, {stage.down.sent_size / total:.2f} times as much sent"
    return Outcome(seconds, allowed(terms, total, rate_of(setting), loss), note=note)


def heavy_loss(terms: Terms) -> Outcome:
    """F9: picoquic's mask for 20 s, then clean; four responses of 1 MB, one after the other."""
    setting = lossy(terms.setting(), lambda random: Mask(PICOQUIC_MASK, START + HEAVY_SECONDS))
    stage, _, seconds = run_transfer(setting, [terms.pick(MEGABYTE, 250_000)] * 4, loss=None)
    stage.check_end()
    return Outcome(seconds, 23.5, note="goal 20 s")


def one_way_loss(terms: Terms) -> Outcome:
    """F9: 75 % of the data are lost, nothing of the acknowledgements."""
    size = terms.pick(4 * MEGABYTE, 100_000)
    setting = terms.setting()
    down = replace(setting.down, conditions=replace(DEFAULT, loss=0.75))
    _, _, seconds = run_transfer(replace(setting, down=down), [size], loss=None, timeout=3600.0)
    return Outcome(seconds, 3600.0, note="has to complete")


def bursts(terms: Terms) -> Outcome:
    """F10: Gilbert and Elliott, 5 % of the time, in bursts as long as ten packets take."""
    size = terms.pick(20 * MEGABYTE, 500_000)
    setting = lossy(
        terms.setting(), lambda random: GilbertElliott(0.05, 10.0, random, PACKET / (10 * MEGABIT))
    )
    stage, _, seconds = run_transfer(setting, [size], loss=0.05)
    stage.check_end()
    return Outcome(seconds, allowed(terms, size, rate_of(setting), 0.05))


def lost_acks(terms: Terms) -> Outcome:
    """F11: half of the acknowledgements are lost."""
    size = terms.pick(20 * MEGABYTE, 2 * MEGABYTE)
    setting = terms.setting()
    setting = replace(setting, up=replace(setting.up, conditions=replace(DEFAULT, loss=0.5)))
    _, _, seconds = run_transfer(setting, [size])
    return Outcome(seconds, 1.3 * ideal(size, rate_of(setting)) + terms.pick(0.0, 0.5))


class TailLoss:
    """F12: requests one after the other; of six packets of a response the last one to five are lost.

    Only what leaves at once: after so many losses the window is sometimes smaller than a response, and what
    goes later, or again, is not hit.
    """

    def __init__(self, terms: Terms, count: int) -> None:
        self._losses = Range()
        setting = terms.setting(max_datagram_size=1452)
        down = Way(conditions=DEFAULT, losses=lambda random: self._losses)
        self.stage = Stage(replace(setting, down=down)).open()
        self._left = count
        self._asked_at = 0.0
        self._received = 0
        self._channel_id = -1
        self.times: list[float] = []
        self.pto = 0.0
        self.stage.hear(self.stage.server, self._serve)
        self.stage.hear(self.stage.client, self._take)

    def run(self) -> None:
        """Ask until all was answered."""
        self.stage.network.run_for(1.0)  # the path MTU is found
        self._channel_id = self.stage.connection.data_path.open(c.KIND_STREAM)
        self._ask()
        self.stage.network.run(lambda: not self._left, 36000.0)

    def _ask(self) -> None:
        self._asked_at = self.stage.network.now
        self._received = 0
        self.stage.connection.data_path.write(self._channel_id, b"?")
        self.stage.connection.touch()

    def _serve(self, connection: Connection, event: Event) -> None:
        if isinstance(event, ChannelsReady) and connection.data_path.read(self._channel_id, 1):
            lost = len(self.times) % 5 + 1
            self._losses.start = self.stage.down.sent + RESPONSE_PACKETS - lost
            self._losses.stop = self.stage.down.sent + RESPONSE_PACKETS
            self._losses.until = self.stage.network.now + RESPONSE_PACKETS * PACKET / (10 * MEGABIT)
            connection.data_path.write(self._channel_id, PATTERN[:RESPONSE_SIZE])
            connection.touch()
            self.pto = max(self.pto, connection.statistics().pto)

    def _take(self, connection: Connection, event: Event) -> None:
        if not isinstance(event, ChannelsReady):
            return
        while piece := connection.data_path.read(self._channel_id, RESPONSE_SIZE):
            self._received += len(piece)
        if self._received == RESPONSE_SIZE:
            self.times.append(self.stage.network.now - self._asked_at)
            self._left -= 1
            if self._left:
                self._ask()


def tail_loss(terms: Terms) -> Outcome:
    """F12: the 99th percentile of the answers' times."""
    count = terms.pick(10_000, 50)
    requests = TailLoss(terms, count)
    requests.run()
    times = sorted(requests.times)
    at_99 = times[int(0.99 * (count - 1))]
    return Outcome(
        at_99,
        min(RTT + 2 * requests.pto, 1.0),
        note=f"longest {times[-1]:.3f} s, {requests.stage.down.lost} lost",
    )


PROBES = "windows are of few packets, and what is lost of them waits for probes (not traced)"
GIVES_WAY = "so much loss counts as congestion (with BBR v3 what is above 2 % in a round trip)"
# By what factor the limit is missed where it is, by loss and channels.
MISSED = {
    (0.05, 1): {"bbr": 1.7},
    (0.1, 1): {"cubic": 1.2, "bbr": 1.7},
    (0.1, 10): {"bbr": 1.4},
    (0.2, 1): {"cubic": 1.8, "bbr": 3.8},
    (0.3, 1): {"cubic": 3.0, "bbr": 5.8},
}

SCENARIOS = [
    Scenario(row="F1", title="clean, 5 x 10 MB", play=clean, controllers=BOTH),
    *(
        Scenario(
            row="F8",
            title=f"loss {loss:.1%} each way, {channels} channels",
            play=partial(random_loss, loss=loss, channels=channels),
            controllers=BOTH,
            missed=MISSED.get((loss, channels), {}),
            why=f"{GIVES_WAY}; {PROBES}",
        )
        for loss, channels in (
            *((0.001, 1), (0.01, 1), (0.02, 1), (0.05, 1), (0.1, 1), (0.2, 1), (0.3, 1)),
            *((0.01, 10), (0.1, 10), (0.01, 100), (0.1, 100)),
        )
    ),
    Scenario(
        row="F9",
        title="half lost for 20 s by picoquic's mask, 4 x 1 MB",
        play=heavy_loss,
        controllers=BOTH,
        missed={"cubic": 1.1, "bbr": 1.1},
        why="by 1 and 5 %; why is not known yet",
    ),
    Scenario(row="F9", title="75 % of the data lost, 4 MB", play=one_way_loss, controllers=BOTH),
    Scenario(row="F10", title="5 % in bursts of 10, 20 MB", play=bursts, controllers=BOTH),
    Scenario(
        row="F11",
        title="half of the ACKs lost, 20 MB",
        play=lost_acks,
        controllers=BOTH,
        missed={"cubic": 2.2, "bbr": 2.8},
        why="new credit is lost too, and a window is two and a half round trips of data only",
    ),
    Scenario(row="F12", title="the last 1 to 5 packets of 10,000 answers lost", play=tail_loss),
]
