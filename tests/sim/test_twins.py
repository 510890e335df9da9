"""Both cores, alone and with each other: one seed, one trace, bit for bit."""

from __future__ import annotations

import importlib
from itertools import product
from types import ModuleType
from typing import Any

import pytest

from fastmux import core
from fastmux.protocol import data_space
from sim.runs import run_seed

SEEDS = range(1000, 1015)
MODULES = {"cython": "fastmux._core", "python": "fastmux._core_py"}


class PerRole:
    """Stands for `fastmux.core` where data paths are made: one core for the client, one for the server."""

    def __init__(self, client: ModuleType, server: ModuleType) -> None:
        self._client = client
        self._server = server

    def DataPath(self, is_client: bool, *arguments: Any, **limits: Any) -> Any:
        """Make a data path of the core that this role has."""
        return (self._client if is_client else self._server).DataPath(is_client, *arguments, **limits)


@pytest.mark.slow
@pytest.mark.skipif(core.IMPLEMENTATION == "python", reason="needs both cores")
def test_both_cores_send_the_same_datagrams_whomever_they_speak_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cores = {name: importlib.import_module(module) for name, module in MODULES.items()}
    for seed in SEEDS:
        digests = {}
        for client, server in product(cores, cores):
            monkeypatch.setattr(data_space, "core", PerRole(cores[client], cores[server]))
            digests[client, server] = run_seed(seed).digest
        assert len(set(digests.values())) == 1, f"seed {seed:#x}: {digests}"
        assert cores["python"].live() == (0, 0)
