"""Runs two workers a time, one transfer after another in turn, and makes medians of what they say.

Owns: processes (it ends only those it started), interleaving and the figures of a run. Knows no transport:
a contender is two command lines and an environment.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

START_SECONDS = 20.0
MB = 1e6


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to measure: how to start its server and client; `{port}` is put in for the server's port."""

    name: str
    server: Sequence[str]
    client: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One transfer: MB/s at the receiver, CPU seconds of both processes per GB, peak RSS of each in bytes."""

    rate: float
    cpu_per_gb: float
    rss: tuple[int, int]
    detail: Mapping[str, Any]


class BenchError(Exception):
    """A worker failed; the text holds what it printed."""


def measure(contender: Contender, seconds: float) -> Run:
    """One transfer of `seconds`; at most START_SECONDS more are waited for. Raises BenchError."""
    environment = {**os.environ, **contender.environment}
    limit = seconds + START_SECONDS
    server = subprocess.Popen(
        contender.server, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    patience = threading.Timer(START_SECONDS, server.kill)  # a server that never says its port
    patience.start()
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        patience.cancel()
        if not line:
            errors = server.communicate(timeout=limit)[1]
            raise BenchError(f"{contender.name}: no port within {START_SECONDS:.0f} s {errors}")
        port = str(json.loads(line)["port"])
        arguments = [argument.replace("{port}", port) for argument in contender.client]
        client = subprocess.run(
            arguments, capture_output=True, text=True, env=environment, timeout=limit, check=False
        )
        output, errors = server.communicate(timeout=limit)
        if client.returncode or server.returncode:
            raise BenchError(f"{contender.name}: {client.stderr}{errors}")
        sides = [json.loads(text.splitlines()[-1]) for text in (output, client.stdout)]
        if sides[0]["total_size"] != sides[1]["total_size"]:
            raise BenchError(f"{contender.name}: received is not what was sent: {sides}")
        return _run_of(*sides)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{contender.name}: not done within {limit:.0f} s") from error
    finally:
        patience.cancel()
        if server.poll() is None:
            server.kill()
            server.communicate()


def _run_of(server: Mapping[str, Any], client: Mapping[str, Any]) -> Run:
    rate = server["size"] / server["seconds"] / MB
    # Each side's CPU over the bytes of its own span: the spans begin at each side's own end of the warm-up.
    cpu = sum(side["cpu_seconds"] / max(1, side["size"]) for side in (server, client)) * 1e9
    return Run(rate, cpu, (server["rss_size"], client["rss_size"]), server["detail"])


@dataclass(slots=True)
class Figures:
    """All runs of one contender, and their medians."""

    name: str
    runs: list[Run] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median MB/s."""
        return statistics.median(run.rate for run in self.runs)

    @property
    def cpu_per_gb(self) -> float:
        """Median CPU seconds per GB, both processes."""
        return statistics.median(run.cpu_per_gb for run in self.runs)

    @property
    def rss(self) -> tuple[int, int]:
        """Largest peak RSS of the server and of the client, bytes."""
        return max(run.rss[0] for run in self.runs), max(run.rss[1] for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        """Slowest and fastest run, MB/s."""
        rates = [run.rate for run in self.runs]
        return min(rates), max(rates)

    def as_json(self) -> dict[str, object]:
        """Everything, for the result file."""
        return {
            "name": self.name,
            "rate": self.rate,
            "cpu_per_gb": self.cpu_per_gb,
            "runs": [
                {"rate": run.rate, "cpu_per_gb": run.cpu_per_gb, "rss": run.rss, "detail": dict(run.detail)}
                for run in self.runs
            ],
        }


def interleave(contenders: Sequence[Contender], rounds: int, seconds: float) -> list[Figures]:
    """Measure every contender once a round, for `rounds` rounds; the order turns by one each round."""
    figures = {contender.name: Figures(contender.name) for contender in contenders}
    for number in range(rounds):
        turned = [*contenders[number % len(contenders) :], *contenders[: number % len(contenders)]]
        for contender in turned:
            run = measure(contender, seconds)
            figures[contender.name].runs.append(run)
            print(
                f"  round {number + 1}/{rounds}  {contender.name:<28} {run.rate:8.0f} MB/s"
                f" {run.cpu_per_gb:6.2f} CPU s/GB",
                file=sys.stderr,
                flush=True,
            )
    return list(figures.values())
