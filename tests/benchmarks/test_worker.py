"""The two measures of the benchmark workers, on a clock that the test moves."""

from __future__ import annotations

import time

import pytest

from bench import worker


class Clock:
    """Stands in for `time.monotonic`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_operations_of_the_warm_up_are_left_out(clock: Clock) -> None:
    operations = worker.Operations(seconds=3.0, warmup=1.0)
    clock.now += 0.5
    operations.add(7)
    clock.now += 0.5
    operations.add(3)
    clock.now += 2.0
    operations.add(40)
    result = operations.result("client", {})
    assert (result["operations"], result["total_operations"], result["seconds"]) == (40, 50, 2.0)


def test_operations_say_when_the_time_is_over(clock: Clock) -> None:
    operations = worker.Operations(seconds=3.0, warmup=1.0)
    clock.now += 2.9
    assert operations.add()
    clock.now += 0.2
    assert not operations.add()


def test_latencies_are_those_after_the_warm_up_by_nearest_rank(clock: Clock) -> None:
    operations = worker.Operations(seconds=3.0, warmup=1.0)
    operations.add(1, 99.0)
    clock.now += 1.0
    operations.add(1, 98.0)  # the one that ends the warm-up
    for latency in range(1, 101):
        operations.add(1, float(latency))
    assert operations.result("client", {})["latencies"] == {"p50": 50.0, "p99": 99.0}


def test_without_latencies_there_are_no_percentiles(clock: Clock) -> None:
    operations = worker.Operations(seconds=3.0, warmup=0.0)
    operations.add(5)
    assert operations.result("server", {})["latencies"] == {"p50": None, "p99": None}


def test_a_meter_leaves_the_warm_up_out_and_stops_at_its_size(clock: Clock) -> None:
    meter = worker.Meter(seconds=9.0, warmup=1.0, max_size=1000)
    clock.now += 1.0
    assert meter.add(400)
    clock.now += 0.5
    assert not meter.add(600)
    result = meter.result("server", {"key": 1})
    assert (result["size"], result["total_size"], result["seconds"]) == (600, 1000, 0.5)
    assert result["detail"] == {"key": 1}


def test_the_count_is_what_the_workload_has_by_default_or_what_was_asked_for() -> None:
    parser = worker.parser("")
    assert worker.count_of(parser.parse_args(["client", "--workload", "churn"])) == 64
    assert worker.count_of(parser.parse_args(["client", "--workload", "churn", "--count", "3"])) == 3
