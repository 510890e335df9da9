"""What the soak checks with, and a soak of two seconds over real sockets."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

from e2e.support import environment, linux_only
from fastmux import core
from faults.soak.records import Order, Reader, Wrong, draw_size, make_record, number_of
from faults.soak.trend import fit


def records(*numbers: int) -> list[bytes]:
    dice = random.Random(1)
    return [make_record(number, draw_size(dice), dice) for number in numbers]


def test_a_record_knows_its_number_and_any_other_byte() -> None:
    (record,) = records(7)
    assert number_of(record) == 7
    for place in range(0, len(record), 5):
        damaged = bytearray(record)
        damaged[place] ^= 1
        with pytest.raises(Wrong):
            number_of(bytes(damaged))
    with pytest.raises(Wrong):
        number_of(record[:-1])


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        (Order.ORDERED, (0, 2)),
        (Order.ORDERED, (0, 0)),
        (Order.UNORDERED, (1, 0, 1)),
        (Order.UNRELIABLE, (3, 3)),
    ],
)
def test_a_broken_promise_is_seen_at_once(order: Order, numbers: tuple[int, ...]) -> None:
    reader = Reader(order)
    *good, last = records(*numbers)
    for record in good:
        reader.take(record)
    with pytest.raises(Wrong):
        reader.take(last)


def test_at_the_end_only_an_unreliable_channel_may_lack_something() -> None:
    for order in Order:
        reader = Reader(order)
        for record in records(0, 1, 2):
            reader.take(record)
        reader.finish(3)
        if order is Order.UNRELIABLE:
            reader.finish(4)
        else:
            with pytest.raises(Wrong):
                reader.finish(4)


def test_a_trend_is_a_slope_and_how_sure_it_is() -> None:
    assert fit([(0.0, 1.0), (10.0, 21.0)]) == (2.0, inf)
    slope, error = fit([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)])
    assert (slope, error) == pytest.approx((2.0, 0.0))
    assert fit([(0.0, 1.0), (1.0, 5.0), (2.0, 3.0)]).error > 1.0
    with pytest.raises(ValueError, match="two times"):
        fit([(1.0, 1.0), (1.0, 2.0)])


@linux_only
@pytest.mark.slow
def test_a_short_soak_passes_and_says_so_in_json(tmp_path: Path) -> None:
    report = tmp_path / "soak.json"
    words = [
        "--hours",
        "0.0006",
        "--interval",
        "0.5",
        "--rebind",
        "1",
        "--key-update",
        "500",
        "--rate",
        "300000",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "faults.soak", *words, "--json", report],
        env=environment(core.IMPLEMENTATION),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(report.read_text("utf-8"))
    assert figures["passed"]
    assert figures["rebinds"] >= 1
    assert figures["client"]["records"] > 50
    assert figures["client"]["live"] == [0, 0]
