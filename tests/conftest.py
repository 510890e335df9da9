"""What every test may use: the `core` fixture over both cores, and the Hypothesis profiles.

`--core=python` or `--core=cython` runs the tests of one core only. Without a compiled core its tests are
skipped, except where FASTMUX_REQUIRE_EXTENSIONS is on: then they fail.
HYPOTHESIS_PROFILE chooses how many examples: "dev" (50, the default) or "thorough" (1,000).
"""

from __future__ import annotations

import gc
import importlib
import os
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fastmux._switches import REQUIRE_EXTENSIONS, is_on

CORES = {"cython": "fastmux._core", "python": "fastmux._core_py"}

settings.register_profile(
    "dev",
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=1000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--core", choices=sorted(CORES), help="run the tests of one core only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "core" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--core")
        metafunc.parametrize("core", [chosen] if chosen else list(CORES), indirect=True, scope="session")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Ten thousand tests are a large heap, which nothing frees: what tests collect is theirs alone."""
    gc.collect()
    gc.freeze()


def load_core(name: str) -> ModuleType:
    """The core of this name; a missing compiled one skips the test, or fails it if required."""
    try:
        return importlib.import_module(CORES[name])
    except ImportError as error:
        if is_on(os.environ.get(REQUIRE_EXTENSIONS)):
            raise
        pytest.skip(f"no compiled core: {error}")


@pytest.fixture(scope="session")
def core(request: pytest.FixtureRequest) -> Any:
    """Both cores in turn."""
    return load_core(request.param)
