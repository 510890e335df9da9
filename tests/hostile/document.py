"""docs/hostile-inputs.md: written from the rows, the attacks and what was measured of them.

    PYTHONPATH=.:src:tests python -m hostile.document [RESULT OF bench.hostile …]

runs every attack (growth, speed beside), keeps that and the results in `figures.json`, and writes the page.
Without a compiled core it refuses: the figures are those of the compiled one.

Owns: the page. May not know: how an attack is run or timed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastmux import constants, core
from hostile import rows_of_channels, rows_of_packets, rows_of_strangers
from hostile.attacker import Attack
from hostile.row import Row
from hostile.runs import TRANSFER_SIZE, Run
from hostile.table_of_attacks import ATTACKS, attacks_of

ROWS: tuple[Row, ...] = (*rows_of_strangers.ROWS, *rows_of_packets.ROWS, *rows_of_channels.ROWS)
PAGE = Path(__file__).parents[2] / "docs" / "hostile-inputs.md"
FIGURES = Path(__file__).parent / "figures.json"
KIB = 1024
HEAD = """# Hostile inputs

What anybody may send, what fastmux does then, and where it stops. Every row has attacks, which the tests
run in virtual time: alone, for what stays of them, and beside a well-behaved connection, for what that
loses. Every limit is shown from both sides, and with good traffic at ten times the usual rate or size. This
page is written from the tables of `tests/hostile` (`python -m hostile.document`), and a test compares it
with them and with `constants.py`.

**Words.** DROP: ignored and counted. GLITCH: a useless packet; {burst} at once and {rate} a second are
forgiven, and one for each packet that was of use. RETRY: the address must be proved first. CLOSE: the
connection ends with that code. None: it does no harm.

**Growth** is the most that the compiled core and fastmux's Python objects held beyond what they held
before, the attacker's own connection included; **limit** is what the test asserts.

**Beside** is the share of its speed that a transfer of {transfer} kB over 20 Mbit/s and 10 ms keeps while
the attack goes on, in most of them 5,000 datagrams a second. The attack uses up none of that path, and
virtual time none of the processor: what this shows is that no limit, queue or timer of one connection is
another's affair.

**CPU** is what one hostile datagram costs the server, with its answers; **a tenth** is how many a second
take a tenth of a core: above that rate nobody on that core can keep 90 % of its speed, and only more cores
help. `python -m bench.hostile` measures both: {machine}. It also moves bytes beside the attack on the same
core: with {attack_rate} hostile datagrams a second every connection kept {least_kept} or more of its speed.
Beside malformed handshakes (H7) it lost four times what their own cost says; why was not looked into. Who is
closed has to come back by a handshake, and these have limits (H2).
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one attack: bytes, the share beside, microseconds and the share at `rate` if they were measured."""

    growth: int
    beside: float
    microseconds: float | None = None
    kept: float | None = None


def load() -> dict[str, Any]:
    """What was measured: by attack, and where."""
    kept: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return kept


def figures_of(kept: dict[str, Any], attack: Attack) -> Figures:
    """Those of one attack."""
    return Figures(**kept["attacks"][attack.name])


def render(kept: dict[str, Any]) -> str:
    """The whole page."""
    head = HEAD.format(
        burst=f"{constants.GLITCH_BURST:,}",
        rate=f"{constants.GLITCH_RATE:g}",
        transfer=TRANSFER_SIZE // 1000,
        machine=kept["machine"],
        attack_rate=kept.get("rate", "some"),
        least_kept=_least_kept(kept),
    )
    parts = [head]
    for row in ROWS:
        parts.append(_row(row, kept))
    return "\n".join(parts)  # each ends with a line of its own


def _least_kept(kept: dict[str, Any]) -> str:
    shares = [each["kept"] for each in kept["attacks"].values() if "kept" in each]
    return f"{min(shares):.0%}" if shares else "90%"


def _row(row: Row, kept: dict[str, Any]) -> str:
    lines = [f"## {row.id}: {row.input.removesuffix('.')}", "", f"{row.reaction}"]
    if row.reason:
        lines += ["", f"*{row.reason}*"]
    lines.append("")
    if row.limits:
        lines.append("Limits: " + ", ".join(f"`{name}` = {value_of(name)}" for name in row.limits) + ".")
        lines.append("")
    lines += [
        "| attack | growth | limit | beside | CPU | a tenth |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [_attack(attack, figures_of(kept, attack)) for attack in attacks_of(row.id)]
    lines += ["", "Shown by:", "", *map(_test, row.shown)]
    lines += ["", "Good traffic:", "", *map(_test, row.good), ""]
    return "\n".join(lines)


def _attack(attack: Attack, figures: Figures) -> str:
    cpu = tenth = "–"
    if figures.microseconds is not None:
        cpu = f"{figures.microseconds:.1f} µs"
        tenth = f"{float(f'{1e5 / figures.microseconds:.2g}'):,.0f}/s"
    growth = f"{-(-figures.growth // KIB):,} KiB"
    cells = (attack.name, growth, f"{attack.growth // KIB:,} KiB", f"{figures.beside:.0%}", cpu, tenth)
    return f"| {' | '.join(cells)} |"


def _test(name: str) -> str:
    path, function = name.split("::")
    return f"- {function.removeprefix('test_').replace('_', ' ')} (`{path}`)"


def value_of(name: str) -> str:
    """A limit as people write it."""
    value: int | float = getattr(constants, name)
    if isinstance(value, float):
        return f"{value:g}"
    is_power = value >= 100_000 and value & (value - 1) == 0
    return f"2^{value.bit_length() - 1}" if is_power else f"{value:,}"


def measure(attack: Attack) -> dict[str, float]:
    """Growth and share beside."""
    run = Run(attack)
    alone = run.alone()
    return {"growth": alone.growth.total, "beside": round(run.beside(), 3)}


def main(results: list[str]) -> None:
    """Measure, keep, write."""
    if core.IMPLEMENTATION != "cython":
        raise SystemExit("the page has the figures of the compiled core: build it first")
    kept: dict[str, Any] = {"machine": "not measured yet", "attacks": {}}
    if FIGURES.exists():
        kept = load()
    for attack in ATTACKS:
        kept["attacks"].setdefault(attack.name, {}).update(measure(attack))
    for path in results:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
        machine = report["machine"]
        kept["machine"] = f"{machine['core']}, {machine['platform']}, medians of {report['rounds']}"
        kept["rate"] = f"{report['rate']:g}"
        for each in report["attacks"]:
            known = kept["attacks"][each["name"]]
            known.update(microseconds=round(each["microseconds"], 2), kept=round(each["kept"], 3))
    names = {attack.name for attack in ATTACKS}
    kept["attacks"] = {name: each for name, each in sorted(kept["attacks"].items()) if name in names}
    FIGURES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(render(kept), encoding="utf-8")
    print(f"{PAGE.relative_to(PAGE.parents[1])}: {len(ROWS)} rows, {len(ATTACKS)} attacks")


if __name__ == "__main__":
    main(sys.argv[1:])
