"""Seeds of the deterministic network: mixed channels under a swarm of faults, checked by the model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fastmux import core
from sim.failure import failure_of
from sim.notation import from_json
from sim.runner import TESTS, failures_of
from sim.runs import run_seed

REPLAYED = (0, 7, 11)
HERE = Path(__file__).parent
KNOWN = [
    line.split()
    for line in HERE.joinpath("seeds.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_everything_is_delivered_as_promised_whatever_the_network_does(seed_chunk: range) -> None:
    failures = failures_of(seed_chunk)
    assert not failures, "\n".join(failures)


def test_seeds_that_failed_once_pass() -> None:
    basic = [int(words[1], 0) for words in KNOWN if words[0] == "basic"]
    others = [int(words[0], 0) for words in KNOWN if words[0] != "basic"]
    failures = failures_of(basic, is_basic=True) + failures_of(others)
    assert not failures, "\n".join(failures)


def test_schedules_that_failed_once_pass() -> None:
    for path in sorted(HERE.joinpath("schedules").glob("*.json")):
        assert failure_of(from_json(path.read_text("utf-8"))) is None, path.name


def test_the_seeds_cover_key_updates_in_a_row() -> None:
    counts = [run_seed(seed).key_updates for seed in range(12)]
    assert sum(count > 0 for count in counts) >= 3
    assert max(counts) >= 5


def test_the_seeds_cover_rebinding_and_migration() -> None:
    counts = [run_seed(seed).migrations for seed in range(16)]
    assert sum(count > 0 for count in counts) >= 4
    assert max(counts) >= 3


def test_a_seed_replays_bit_for_bit() -> None:
    for seed in REPLAYED:
        assert run_seed(seed) == run_seed(seed)


def test_a_seed_replays_in_another_process_with_another_hash_seed() -> None:
    digests = [
        subprocess.run(
            (
                *(sys.executable, "-m", "tests.sim.runner", "--digest"),
                *("--seed", hex(REPLAYED[0]), "--core", core.IMPLEMENTATION),
            ),
            cwd=TESTS.parent,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout.splitlines()[0]
        for hash_seed in ("1", "77")
    ]
    assert digests[0] == digests[1]
    assert run_seed(REPLAYED[0]).digest in digests[0]
