"""Commands with a bound on their time.

Owns: starting a process, its log, its end. May not know: what any command is for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPILED = {"FASTMUX_REQUIRE_EXTENSIONS": "1"}
PURE = {"FASTMUX_NO_EXTENSIONS": "1"}


class StageFailed(Exception):
    """A command failed or ran out of time; the text says which."""


class StageSkipped(Exception):
    """A stage cannot run here; the text says why."""


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without its fastmux switches, and with these variables."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FASTMUX_")}
    return {**inherited, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **extra}


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was started as the leader of its group, with what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Runner:
    """Runs the commands of one stage, one after another, into one log, until a common deadline."""

    def __init__(self, log: Path, timeout: float) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self._ends_at = time.monotonic() + timeout
        log.write_bytes(b"")

    def run(
        self, *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> None:
        """Run a command, at the project's root by default; raise StageFailed if it fails or is too slow."""
        words = [str(word) for word in command]
        text = " ".join(words)
        with self.log.open("ab") as log:
            log.write(f"$ {text}\n".encode())
            log.flush()
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=environment(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=max(self._ends_at - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                raise StageFailed(f"out of time in: {text}") from None
            finally:
                if process.poll() is None:
                    stop(process)
        if code != 0:
            raise StageFailed(f"exit status {code}: {text}")

    def run_all(
        self, *commands: tuple[str | Path, ...], env: Mapping[str, str] | None = None
    ) -> None:
        """Run every command even if one fails; raise StageFailed for those that did."""
        failures = []
        for command in commands:
            try:
                self.run(*command, env=env)
            except StageFailed as failure:
                failures.append(str(failure))
        if failures:
            raise StageFailed("; ".join(failures))


def answer(*command: str | Path) -> str | None:
    """What a short question to a program prints, or None if it cannot be asked."""
    try:
        result = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env=environment({}),
            cwd=ROOT,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
