"""`make bench` and `make bench-peers`: every figure in one run, as tables, JSON and plots.

    python -m bench [--quick] [--rounds N] [--seconds S] [--only NAME,…] [--peers] [--list]

Owns the command line. Knows no transport.
"""

import argparse
import importlib.util
import sys

from bench.goals import GOALS
from bench.scenarios import SCENARIOS


def _names(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str]:
    """The scenarios that were asked for, in the order of the list."""
    every = ["sansio", *(scenario.name for scenario in SCENARIOS)]
    with_peers = {scenario.name for scenario in SCENARIOS if scenario.has_peers}
    chosen = [name for name in every if not options.peers or name in with_peers]
    if options.only is None:
        return chosen
    wanted = options.only.split(",")
    unknown = set(wanted) - set(every)
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    return [name for name in every if name in wanted]


def _list() -> None:
    titles = {"sansio": "the core alone, both ends in memory"}
    titles |= {scenario.name: f"{scenario.title} ({scenario.place})" for scenario in SCENARIOS}
    for name, title in titles.items():
        print(f"{name:<16}{title}")
        for goal in GOALS:
            if goal.scenario == name:
                print(f"{'':<18}{goal.text}: {goal.sense} {goal.must or goal.aim:g} {goal.unit}")


def main() -> int:
    """Parse the options and run; the exit status is 1 if one of our own contenders failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="fastmux beside its peers")
    parser.add_argument("--quick", action="store_true", help="2 short rounds, for a first look")
    parser.add_argument("--rounds", type=int, help="of each contender; 5 if nothing is said")
    parser.add_argument("--seconds", type=float, help="of each run, instead of what suits the scenario")
    parser.add_argument("--only", metavar="NAME,…", help="these scenarios, by the names that --list prints")
    parser.add_argument("--peers", action="store_true", help="what the peers can do too, on both loops")
    parser.add_argument("--list", action="store_true", help="print the scenarios and goals, and stop")
    options = parser.parse_args()
    names = _names(options, parser)
    if options.list:
        _list()
        return 0
    if importlib.util.find_spec("numpy") is None:
        print("numpy is missing: pip install -e '.[bench]', or make bench", file=sys.stderr)
        return 1
    from bench.run import run

    return run(options, names)


if __name__ == "__main__":
    sys.exit(main())
