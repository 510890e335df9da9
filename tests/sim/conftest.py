"""How many seeds `pytest tests/sim` runs: `--seeds=2000`."""

from __future__ import annotations

import pytest

from fastmux import core

DEFAULT_SEEDS = 20 if core.IMPLEMENTATION == "python" else 60
CHUNK_SIZE = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=DEFAULT_SEEDS, help="seeds of the simulation (default few)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed_chunk" in metafunc.fixturenames:
        # The option is not there when the whole suite is collected: then it has its default.
        count: int = metafunc.config.getoption("--seeds", DEFAULT_SEEDS)
        chunks = [range(start, min(start + CHUNK_SIZE, count)) for start in range(0, count, CHUNK_SIZE)]
        metafunc.parametrize("seed_chunk", chunks, ids=lambda chunk: f"{chunk.start}-{chunk.stop - 1}")
