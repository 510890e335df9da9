"""Plays scenarios in this process: `python -m faults.play PLACE … [--quick]`, a line of JSON for each.

Owns: what a scenario that raises looks like. May not know: which ones, and on which core.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any

from faults.catalogue import everything
from faults.scenario import Scenario, Terms


def play(scenario: Scenario, terms: Terms) -> dict[str, Any]:
    """What came of it; a rule that was broken is told, not raised, for others are to be played after it."""
    began_at = time.process_time()
    try:
        outcome = scenario.play(terms)
    except (AssertionError, ConnectionError) as error:
        return {"verdict": "FAILED", "error": f"{scenario.name}, {terms.congestion}: {error!r}"}
    verdict = scenario.judge(outcome, terms.congestion)
    result = {"verdict": verdict, **asdict(outcome), "cpu": round(time.process_time() - began_at, 2)}
    if verdict == "FAILED":
        result["error"] = f"{scenario.name}, {terms.congestion}: {outcome}"
    return result


def main(words: list[str]) -> None:
    """Play them one after the other."""
    quick = "--quick" in words
    places = [int(word) for word in words if word.isdigit()]
    known = list(everything())
    for place in places:
        scenario, congestion = known[place]
        result = play(scenario, Terms(congestion, quick))
        print(
            json.dumps({"place": place, "name": scenario.name, "congestion": congestion, **result}),
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
