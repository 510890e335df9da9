"""A seed that fails says how to repeat it; a core that does wrong makes seeds fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol import data_space
from sim import runs
from sim.model import Wrong
from sim.runner import failures_of, main


class Unfaithful:
    """A data path that does wrong: it forgets to say that writers may go on, or changes what is read."""

    wrong = ""

    def __init__(self, *arguments: Any, **limits: Any) -> None:
        self._honest = core.DataPath(*arguments, **limits)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._honest, name)

    def take_ready(self) -> list[tuple[int, int]]:
        """Tell of channels, perhaps not all of it."""
        hidden = c.READY_DELIVERED if self.wrong == "silent" else 0
        return [(channel_id, flags & ~hidden) for channel_id, flags in self._honest.take_ready()]

    def read(self, channel_id: int, max_bytes: int) -> bytes | None:
        """Read, perhaps one bit wrong."""
        data = self._honest.read(channel_id, max_bytes)
        if data and self.wrong == "damaged":
            return data[:-1] + bytes((data[-1] ^ 1,))
        return data


class UnfaithfulCore:
    """Stands for `fastmux.core` where data paths are made."""

    DataPath = Unfaithful


@pytest.mark.parametrize("wrong", ["silent", "damaged"])
def test_a_core_that_does_wrong_makes_seeds_fail(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setattr(Unfaithful, "wrong", wrong)
    monkeypatch.setattr(data_space, "core", UnfaithfulCore)
    assert failures_of(range(5))


def test_an_honest_core_behind_the_same_wrapper_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_space, "core", UnfaithfulCore)
    assert not failures_of(range(5))


def test_a_seed_that_fails_says_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(seed: int, *, is_basic: bool) -> None:
        raise Wrong(f"seed {seed}")

    monkeypatch.setattr(runs, "run_seed", fail)
    (text,) = failures_of([42])
    assert text.splitlines() == [
        "Wrong: seed 42",
        f"repeat: python -m tests.sim.runner --seed 0x2a --core {core.IMPLEMENTATION}",
    ]
    assert main(["--seed", "0x2a", "--count", "2"]) == 1
    assert "2 seeds, 2 failed" in capsys.readouterr().out


def test_a_failing_seed_is_made_small_and_can_be_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(Unfaithful, "wrong", "damaged")
    monkeypatch.setattr(data_space, "core", UnfaithfulCore)
    kept = tmp_path / "kept.json"
    assert main(["--seed", "3", "--shrink", "--save", str(kept)]) == 1
    output = capsys.readouterr().out
    before, after = (int(word) for word in output.split()[0:4:3])
    assert after < before / 4
    assert "wrong bytes" in output
    assert main(["--schedule", str(kept)]) == 1
    monkeypatch.setattr(Unfaithful, "wrong", "")
    assert main(["--schedule", str(kept)]) == 0
    assert "it passes" in capsys.readouterr().out
