"""Two processes a run: what they say is compared, and one that fails does not end the others' turns."""

from __future__ import annotations

import sys

import pytest

from bench.harness import BenchError, Contender, Sample, interleave, last_words, measure
from bench.places import Loopback, Place

LIMIT = 20.0
RESULT = """
import json, sys
def say(role, **figures):
    shared = {"role": role, "seconds": 2.0, "cpu_seconds": 0.5, "rss_size": 1000, "detail": {}}
    print(json.dumps(shared | figures), flush=True)
"""
PORT = "print(json.dumps({'port': 7}), flush=True)\n"


def contender(server: str, client: str, name: str = "it", rate_side: str = "server") -> Contender:
    start = [sys.executable, "-c"]
    return Contender(
        name, [*start, RESULT + PORT + server], [*start, RESULT + client, "{host}", "{port}"], {}, rate_side
    )


def loopback(_: Contender) -> Place:
    return Loopback()


def run(one: Contender) -> Sample:
    return measure(one, Loopback(), LIMIT)


def test_bytes_give_a_rate_at_the_receiver_and_cpu_of_both() -> None:
    sample = run(
        contender(
            "say('server', total_size=5_000_000, size=4_000_000, detail={'lost': 3, 'gso': True})",
            "say('client', total_size=5_000_000, size=2_000_000)",
        )
    )
    assert sample.values == {
        "rate": 2.0,
        "cpu": pytest.approx(0.5 / 0.004 + 0.5 / 0.002),
        "rss_server": 1000.0,
        "rss_client": 1000.0,
        "server.lost": 3.0,
    }


def test_operations_are_those_of_the_side_that_counts() -> None:
    latencies = "latencies={'p50': 0.25, 'p99': None}"
    sample = run(
        contender(
            "say('server', operations=10)", f"say('client', operations=6, {latencies})", rate_side="client"
        )
    )
    assert (sample.values["rate"], sample.values["p50"]) == (3.0, 0.25)
    assert "p99" not in sample.values


def test_the_client_is_told_where_the_server_is() -> None:
    client = (
        "say('client', operations=1, detail={'port': int(sys.argv[2]) if sys.argv[1] == '127.0.0.1' else 0})"
    )
    assert run(contender("say('server', operations=1)", client)).values["client.port"] == 7.0


def test_bytes_that_went_missing_fail_the_run() -> None:
    with pytest.raises(BenchError, match="received is not what was sent"):
        run(contender("say('server', total_size=4, size=4)", "say('client', total_size=5, size=5)"))


@pytest.mark.parametrize(
    ("server", "client", "complaint"),
    [
        ("say('server', operations=1)", "sys.exit('the client broke')", "the client broke"),
        ("sys.exit('the server broke')", "say('client', operations=1)", "the server broke"),
        ("say('server', operations=0)", "say('client', operations=0)", "nothing happened"),
        ("", "say('client', operations=1)", None),
    ],
)
def test_a_worker_that_fails_fails_the_run_with_its_words(
    server: str, client: str, complaint: str | None
) -> None:
    with pytest.raises((BenchError, KeyError), match=complaint):
        run(contender(server, client))


def test_a_server_that_never_says_its_port_is_told_of() -> None:
    silent = Contender("it", [sys.executable, "-c", "raise SystemExit('no socket')"], ["true"])
    with pytest.raises(BenchError, match="no socket"):
        run(silent)


def test_what_hangs_is_ended_after_the_limit() -> None:
    hangs = contender("import threading; threading.Event().wait()", "say('client', operations=1)")
    with pytest.raises(BenchError, match="not done within 1 s"):
        measure(hangs, Loopback(), 1.0)


def test_contenders_take_turns_and_a_failing_one_is_left_out_after_two() -> None:
    said: list[str] = []
    good = contender("say('server', operations=1)", "say('client', operations=1)", "good")
    bad = contender("say('server', operations=1)", "sys.exit('broken')", "bad")
    first, second = interleave([good, bad], loopback, 3, LIMIT, said.append)
    assert sorted(first.samples) == [0, 1, 2]
    assert [last_words(text) for text in second.failures] == ["broken", "broken"]
    assert [line.split()[1] for line in said] == ["good", "bad", "bad", "good", "good"]
