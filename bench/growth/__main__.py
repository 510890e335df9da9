"""`make bench-growth`: cost as a function of each thing that can grow, fitted and held against its goal.

    python -m bench.growth [--rounds N] [--largest N] [NAME …]

Owns: which dimensions there are, the result file, the exit status. May not know: how any is measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from pathlib import Path

from bench.growth import channels, connections, data, packets, tasks
from bench.growth.fit import ROUNDS, Dimension, measure, table
from fastmux import core

RESULTS = Path(__file__).parent.parent / "results"
DIMENSIONS: tuple[Dimension, ...] = (
    *channels.DIMENSIONS,
    *packets.DIMENSIONS,
    *data.DIMENSIONS,
    *connections.DIMENSIONS,
    *tasks.DIMENSIONS,
)


def main(arguments: list[str]) -> int:
    """Measure what is asked for; the exit status is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--largest", type=int, help="leave larger sizes out (the pure core is slow)")
    parser.add_argument("name", nargs="*", help="parts of the names of dimensions; all without")
    options = parser.parse_args(arguments)
    chosen = [
        each for each in DIMENSIONS if not options.name or any(part in each.name for part in options.name)
    ]
    print(f"{core.describe()}, medians of {options.rounds}, CPU time", file=sys.stderr)
    growths = []
    for dimension in chosen:
        growths.append(measure(dimension, options.rounds, options.largest))
        print(table(growths[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(growths))
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    path = RESULTS / f"growth-{stamp}.json"
    machine = {"platform": platform.platform(), "cpus": os.cpu_count(), "core": core.describe()}
    report = {"machine": machine, "rounds": options.rounds, "growth": [each.as_json() for each in growths]}
    path.write_text(json.dumps(report, indent=1))
    print(f"written to bench/results/{path.name}")
    return 1 if any(each.misses for each in growths) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
