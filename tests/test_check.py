"""The tools behind `make test` and `make check`: a failure, a skip and a hang each end as they say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.check import Outcome, main, report, run_stages
from tools.interpreters import find_interpreter
from tools.running import Runner, StageFailed, StageSkipped, answer, environment
from tools.stages import Stage, stages


def python(code: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", code)


def passes(runner: Runner) -> None:
    runner.run(*python("print('=== 3 passed in 0.1s ===')"))


def fails(runner: Runner) -> None:
    runner.run(*python("print('the reason'); raise SystemExit(3)"))


def cannot_run(runner: Runner) -> None:
    raise StageSkipped(f"nothing for {runner.log.stem}")


def hangs(runner: Runner) -> None:
    runner.run(*python("import threading; threading.Event().wait()"))


def verdicts(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.name: outcome.verdict for outcome in outcomes}


def test_each_stage_ends_with_its_own_verdict_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [
        Stage("bad", fails, 60),
        Stage("absent", cannot_run, 60),
        Stage("good", passes, 60, order=2, alone=True),
    ]
    outcomes = run_stages(chosen, 2, tmp_path)
    assert verdicts(outcomes) == {"bad": "failed", "absent": "skipped", "good": "passed"}
    printed = capsys.readouterr().out
    assert "the reason" in printed
    assert "nothing for absent" in printed
    assert "=== 3 passed in 0.1s ===" in printed


def test_a_stage_that_hangs_is_killed_at_its_timeout(tmp_path: Path) -> None:
    (outcome,) = run_stages([Stage("stuck", hangs, 0.5)], 1, tmp_path)
    assert outcome.verdict == "failed"
    assert outcome.reason.startswith("out of time in: ")
    assert outcome.seconds < 30


def test_stages_of_a_lower_order_end_before_the_next_begin(tmp_path: Path) -> None:
    seen: list[str] = []
    chosen = [
        Stage("second", lambda _: seen.append("second"), 60, order=2),
        Stage("first", lambda _: seen.append("first"), 60, order=1),
    ]
    run_stages(chosen, 2, tmp_path)
    assert seen == ["first", "second"]


@pytest.mark.parametrize(
    ("verdict", "status"), [("passed", 0), ("skipped", 0), ("failed", 1)], ids=str
)
def test_only_a_failed_stage_makes_the_exit_status_non_zero(
    verdict: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = [Outcome("one", "passed", 1.0), Outcome("two", verdict, 2.0, "why")]
    assert report(outcomes, 3.0) == status
    assert f"{verdict:<9}     2 s  why" in capsys.readouterr().out


def test_a_stage_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["no-such-stage"])


def test_every_stage_has_a_name_of_its_own_and_a_bound_on_its_time() -> None:
    known = stages()
    assert len({stage.name for stage in known}) == len(known)
    assert all(0 < stage.timeout <= 900 for stage in known)


def test_all_commands_of_a_list_run_even_if_one_fails(tmp_path: Path) -> None:
    runner = Runner(tmp_path / "list.log", 60)
    with pytest.raises(StageFailed, match="exit status 3"):
        runner.run_all(python("raise SystemExit(3)"), python("print('still', 'here')"))
    assert "still here" in runner.log.read_text("utf-8")


def test_a_stage_starts_without_the_callers_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMUX_NO_EXTENSIONS", "1")
    assert "FASTMUX_NO_EXTENSIONS" not in environment({})
    assert environment({"FASTMUX_SANITIZE": "1"})["FASTMUX_SANITIZE"] == "1"


def test_a_missing_interpreter_is_skipped_with_a_reason() -> None:
    with pytest.raises(StageSkipped, match=r"CPython 2\.99"):
        find_interpreter("2.99")


def test_a_question_that_cannot_be_asked_has_no_answer() -> None:
    assert answer("no-such-program-at-all") is None
    assert answer(*python("raise SystemExit(1)")) is None
    assert answer(*python("print(' yes ')")) == "yes"
