"""Paths on which nothing passes for a while: F19 to F21.

Owns: those scenarios. May not know: how they are run or reported.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from fastmux import constants as c
from fastmux.protocol.connection import Connection
from faults.load import Transfer
from faults.scenario import BOTH, MEGABYTE, Outcome, Scenario, Terms, ideal, run_transfer
from faults.stage import MEGABIT, START, Broken, Setting, Stage, dark
from network.bursts import flaps

DARK_AT = 5.0
SLACK = 3.0
SIDES = ("both ways", "to the server", "to the client")


def darkened(setting: Setting, periods: tuple[tuple[float, float], ...], side: str) -> Setting:
    """The setting with dark periods on one side or both."""
    up, down = setting.up, setting.down
    if side != "to the client":
        up = replace(up, conditions=replace(up.conditions, dark=periods))
    if side != "to the server":
        down = replace(down, conditions=replace(down.conditions, dark=periods))
    return replace(setting, up=up, down=down)


def dark_once(terms: Terms, seconds: float, side: str) -> Outcome:
    """F19: nothing passes for some seconds."""
    size = terms.pick(10 * MEGABYTE, MEGABYTE)
    at = terms.pick(DARK_AT, 0.5)
    setting = darkened(terms.setting(), dark((at, at + seconds)), side)
    _, transfer, taken = run_transfer(setting, [size], loss=None)
    first = transfer.next_arrival(at + seconds)
    # How far the back-off is when it ends is a matter of the moment; the quick form begins at another one.
    limit = ideal(size, 10 * MEGABIT, dark=seconds) + terms.pick(SLACK, SLACK + 1.0)
    return Outcome(taken, limit, note=f"goes on {first:.2f} s after")


def dark_for_good(terms: Terms) -> Outcome:
    """F20: 60 s; both ends say so after 30."""
    at = terms.pick(DARK_AT, 0.5)
    stage = Stage(darkened(terms.setting(), dark((at, at + 60.0)), "both ways"))
    transfer = Transfer(stage, [terms.pick(10, 1) * MEGABYTE])
    stage.open()
    ends = ((stage.client, stage.connection), (stage.server, stage.accepted))
    late = []
    for node, connection in sorted(ends, key=lambda end: end[0] is stage.client):
        _run_to_end(stage, connection)
        late.append(abs(stage.elapsed - at - c.DEFAULT_IDLE_TIMEOUT))
        if getattr(node.closed(connection), "code", None) != c.IDLE_TIMEOUT:
            raise Broken(f"the {node.name} says {node.closed(connection)}")
    if transfer.is_done:
        raise Broken("the transfer was over before")
    return Outcome(max(late), 1.0, "s beside 30 s", note=str(stage.client.closed(stage.connection)))


def _run_to_end(stage: Stage, connection: Connection) -> None:
    stage.network.run(lambda: connection.is_closed, 60.0)


def flapping(terms: Terms) -> Outcome:
    """F21: a second on, a second off, for two minutes."""
    size = terms.pick(10 * MEGABYTE, MEGABYTE)
    setting = darkened(terms.setting(), flaps(START, 1.0, 1.0, 120.0), "both ways")
    _, transfer, taken = run_transfer(setting, [size], loss=None)
    lit = taken - taken // 2 if taken % 2 < 1 else taken // 2 + 1
    return Outcome(lit, 3 * ideal(size, 10 * MEGABIT), "s of light", note=f"{taken:.1f} s in all")


SCENARIOS = [
    *(
        Scenario(
            row="F19",
            title=f"dark for {seconds:g} s {side}, 10 MB",
            play=partial(dark_once, seconds=seconds, side=side),
            controllers=BOTH if side == "both ways" else ("cubic",),
        )
        for seconds in (0.5, 2.0, 5.0, 10.0, 20.0)
        for side in SIDES
    ),
    Scenario(row="F20", title="dark for 60 s: both ends say so after 30", play=dark_for_good),
    Scenario(row="F21", title="1 s on, 1 s off, 10 MB", play=flapping, controllers=BOTH),
]
