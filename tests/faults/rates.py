"""Links that change, queues too deep and too shallow: F17, F18.

Owns: those scenarios. May not know: how they are run or reported.
"""

from __future__ import annotations

from faults.load import Transfer
from faults.scenario import BOTH, MEGABYTE, Outcome, Scenario, Terms, allowed, ideal, run_transfer
from faults.stage import MEGABIT, PACKET, RTT, Stage

STEP = 5.0
SAMPLING = 0.1


def changing(terms: Terms) -> Outcome:
    """F17: 100, 1, 100 Mbit/s for 5 s each (5, 1, 5 in the quick form): how soon 80 % are used again."""
    high = terms.pick(100, 5) * MEGABIT
    bdp = int(high * RTT)
    setting = terms.setting().both(rate=high, queue_size=bdp)
    stage = Stage(setting)
    transfer = Transfer(stage, [int(high * 4 * STEP)])
    stage.at(STEP, lambda: stage.change(rate=MEGABIT))
    stage.at(2 * STEP, lambda: stage.change(rate=high))
    stage.network.run(stage.is_open, 10.0)
    longest_queue = 0.0
    while stage.elapsed < 3 * STEP:
        stage.network.run_for(SAMPLING)
        if STEP + 2.0 < stage.elapsed < 2 * STEP:
            longest_queue = max(longest_queue, stage.down.queue_delay(stage.network.now))
    stage.check_open()
    shares = [
        (transfer.received_by(at / 10 + SAMPLING) - transfer.received_by(at / 10)) / (high * SAMPLING)
        for at in range(int(20 * STEP), int(30 * STEP) - 1)
    ]
    back = next((n * SAMPLING for n, share in enumerate(shares) if share >= 0.8), STEP)
    slow = (transfer.received_by(2 * STEP) - transfer.received_by(STEP + 1)) / (MEGABIT * (STEP - 1))
    note = f"{slow:.0%} of the slow link used, its queue at most {longest_queue:.2f} s of {bdp / MEGABIT:.2f}"
    return Outcome(back, max(20 * RTT, STEP * 0.99) if terms.quick else 20 * RTT, note=note)


def slow(terms: Terms) -> Outcome:
    """F17: 64 kbit/s for a minute, a queue of 25 packets."""
    rate = 8000
    seconds = terms.pick(60.0, 20.0)
    size = int(rate * seconds / 1.06)
    setting = terms.setting().both(rate=rate)
    _, transfer, taken = run_transfer(setting, [size])
    return Outcome(
        taken, 1.5 * ideal(size, rate) + 2.0, note=f"longest silence {transfer.longest_gap():.1f} s"
    )


def bloated(terms: Terms) -> Outcome:
    """F18: a queue of ten seconds."""
    size = terms.pick(10 * MEGABYTE, MEGABYTE)
    setting = terms.setting().both(queue_size=100 * MEGABIT)
    stage = Stage(setting)
    transfer = Transfer(stage, [size])
    longest = [0.0]

    def look() -> None:
        longest[0] = max(longest[0], stage.down.queue_delay(stage.network.now))
        stage.at(stage.elapsed + SAMPLING, look)

    stage.at(SAMPLING, look)
    seconds = transfer.run()
    stage.check_open()
    limit = allowed(terms, size, 10 * MEGABIT)
    return Outcome(seconds, limit, note=f"the queue was {longest[0]:.2f} s long at most")


def shallow(terms: Terms) -> Outcome:
    """F18: a queue of five packets."""
    size = terms.pick(10 * MEGABYTE, MEGABYTE)
    setting = terms.setting().both(queue_size=5 * PACKET)
    stage, transfer, seconds = run_transfer(setting, [size])
    stage.check_end()
    return Outcome(
        seconds, allowed(terms, size, 10 * MEGABIT), note=f"{stage.down.lost / stage.down.sent:.1%} lost"
    )


SCENARIOS = [
    Scenario(
        row="F17",
        title="100, 1, 100 Mbit/s for 5 s each",
        play=changing,
        controllers=BOTH,
        missed={"cubic": 8.4, "bbr": 8.4},
        why="not within the 5 s that are looked at",
    ),
    Scenario(row="F17", title="64 kbit/s for a minute", play=slow, controllers=BOTH),
    Scenario(row="F18", title="a queue of 10 s, 10 MB", play=bloated, controllers=BOTH),
    Scenario(row="F18", title="a queue of 5 packets, 10 MB", play=shallow, controllers=BOTH),
]
