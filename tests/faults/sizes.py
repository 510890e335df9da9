"""Paths that carry less than they did, and say nothing of it: F25.

Owns: those scenarios. May not know: how they are run or reported.
"""

from __future__ import annotations

from fastmux.constants import BASE_PLPMTU, MAX_PLPMTU, PMTU_RAISE_TIMER
from faults.load import Transfer
from faults.scenario import BOTH, MEGABYTE, Outcome, Scenario, Terms, allowed
from faults.stage import MEGABIT, START, Broken, Stage

HEADERS = 28  # of IPv4 and UDP
MAX_STALL = 5.0


def shrinking(terms: Terms) -> Outcome:
    """F25: 1,500 bytes, 1,280 at 2 s, 1,228 at 6 s (the UDP payload is 1,200 then), 1,500 again at 12 s."""
    size = terms.pick(20 * MEGABYTE, 2 * MEGABYTE)
    first, second, third = terms.pick((2.0, 6.0, 12.0), (0.5, 1.0, 1.5))
    sizes = ((0.0, 1500 - HEADERS), (START + first, 1280 - HEADERS), (START + second, BASE_PLPMTU))
    mtu = (*sizes, (START + third, 1500 - HEADERS))
    stage = Stage(terms.setting().both(mtu=mtu))
    transfer = Transfer(stage, [size])
    seconds = transfer.run()
    limit = allowed(terms, size, 10 * MEGABIT)
    if seconds > limit:
        raise Broken(f"it took {seconds:.1f} s, not {limit:.1f}")
    stalled = transfer.longest_gap()
    began_at = stage.elapsed
    stage.network.run(lambda: transfer.source.statistics().mtu == MAX_PLPMTU, 2 * PMTU_RAISE_TIMER)
    found_after = max(stage.elapsed, began_at) - third
    note = f"{seconds:.1f} s in all; 1,452 bytes again {found_after:.0f} s after they pass"
    if stage.elapsed - third > PMTU_RAISE_TIMER + 1.0:
        raise Broken(note)
    return Outcome(stalled, MAX_STALL, "s of stall", note=note)


SCENARIOS = [
    Scenario(
        row="F25", title="MTU 1500, 1280, 1228, 1500 without ICMP, 20 MB", play=shrinking, controllers=BOTH
    )
]
