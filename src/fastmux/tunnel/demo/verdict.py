"""Was the leg right? Every hash equal, and nothing held up by the channel whose reader slept.

Owns: that judgement. May not know: how the figures came about.
"""

from __future__ import annotations

from typing import Any, Final

HELD_UP_RATIO: Final = 3.0  # a ping's median beside the sleeper, against alone
HELD_UP_SLACK: Final = 0.005  # seconds: what a busy machine adds by itself


def judge(report: dict[str, Any]) -> list[str]:
    """What was wrong with a leg, in sentences; empty if nothing was."""
    faults = [
        f"{job['job']} ({job['kind']}): the hash differs" for job in report["jobs"] if not job["verified"]
    ]
    if not report["stalled"]:
        faults.append("the sleeping channel did not stand still: it was not tested")
    alone, beside = report["pings"][0], report["pings"][1]
    if beside["p50"] > HELD_UP_RATIO * alone["p50"] + HELD_UP_SLACK:
        faults.append(
            f"the sleeping channel held up the pings: median {beside['p50'] * 1e3:.2f} ms beside it, "
            f"{alone['p50'] * 1e3:.2f} ms without it"
        )
    return faults
