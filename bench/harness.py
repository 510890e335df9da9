"""Runs two workers at a time, one contender after another in turn, and keeps what they say.

Owns: processes (it ends only those it started), interleaving and the samples of a run. Knows no transport:
a contender is two command lines and an environment, a place says where they run.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.places import Place

START_SECONDS = 20.0
MAX_FAILURES = 2
MB = 1e6
GB = 1e9
Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to measure: the commands of its server and client.

    The arguments `{host}`, `{port}` and `{size}` (bytes to send at most) are put in for each run; `rate_side`
    says which of the two counts: the receiver of bytes and messages, the asker of round trips.
    """

    name: str
    server: Sequence[str]
    client: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    rate_side: str = "server"


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a contender: figures by name, and what both sides said.

    "rate" is MB/s or operations a second, "cpu" the CPU seconds of both processes per GB or per million
    operations, "rss_server" and "rss_client" their peak in bytes, "p50" and "p99" seconds; figures of a
    worker's own are "server.name" and "client.name".
    """

    values: Mapping[str, float]
    server: Result
    client: Result


class BenchError(Exception):
    """A worker failed; the text holds what it printed."""


def measure(contender: Contender, place: Place, limit: float, size: int = 1 << 40) -> Sample:
    """One run; the client gets `limit` seconds, the server as many once it is over. Raises BenchError."""
    environment = {**os.environ, **contender.environment}
    server = _start(place.at_server(_filled(contender.server, place, 0, size)), environment)
    client: subprocess.Popen[bytes] | None = None
    patience = threading.Timer(START_SECONDS, _end, [server])  # a server that never says its port
    patience.start()
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        patience.cancel()
        if not line:
            errors = server.communicate(timeout=limit)[1]
            raise BenchError(f"no port within {START_SECONDS:.0f} s\n{errors.decode()}")
        with place.route(json.loads(line)["port"]) as port:
            client = _start(place.at_client(_filled(contender.client, place, port, size)), environment)
            said, complaints = client.communicate(timeout=limit)
            if client.returncode:
                raise BenchError(complaints.decode())
            output, errors = server.communicate(timeout=limit)
        if server.returncode:
            raise BenchError(errors.decode())
        return _sample(contender, _last_line(output), _last_line(said))
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"not done within {limit:.0f} s") from error
    finally:
        patience.cancel()
        for process in (client, server):
            if process is not None:
                _end(process)
                process.communicate()


def _filled(command: Sequence[str], place: Place, port: int, size: int) -> list[str]:
    values = {"{host}": place.host, "{port}": str(port), "{size}": str(size)}
    return [values.get(argument, argument) for argument in command]


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process group of its own, so that what it starts (strace does) ends with it.

    Its pipes have no buffer here: `readline` must not take what `communicate` is to return.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=environment,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that we started, and its group, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(output: bytes) -> Result:
    lines = output.splitlines()
    if not lines:
        raise BenchError("a worker ended without a result")
    result: Result = json.loads(lines[-1])
    return result


def _sample(contender: Contender, server: Result, client: Result) -> Sample:
    counted = server if contender.rate_side == "server" else client
    if "size" in server:
        if server["total_size"] != client["total_size"]:
            raise BenchError(f"received is not what was sent: {server} {client}")
        unit, key, cpu_unit = MB, "size", GB
    else:
        unit, key, cpu_unit = 1.0, "operations", 1e6
    if counted[key] <= 0 or counted["seconds"] <= 0:
        raise BenchError(f"nothing happened after the warm-up: {counted}")
    sides = {"server": server, "client": client}
    values = {
        "rate": counted[key] / counted["seconds"] / unit,
        # Each side's CPU over the work of its own span, which begins at its own end of the warm-up.
        "cpu": sum(side["cpu_seconds"] / max(1, side[key]) for side in sides.values()) * cpu_unit,
        "rss_server": float(server["rss_size"]),
        "rss_client": float(client["rss_size"]),
    }
    for name, latency in (counted.get("latencies") or {}).items():
        if latency is not None:
            values[name] = float(latency)
    for role, side in sides.items():
        for name, value in side["detail"].items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                values[f"{role}.{name}"] = float(value)
    return Sample(values, server, client)


@dataclass(slots=True)
class Series:
    """All runs of one contender in a scenario, by round, and what it said when it failed."""

    name: str
    samples: dict[int, Sample] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def values(self, metric: str) -> list[float]:
        """The figure of each round that has it."""
        return [sample.values[metric] for sample in self.samples.values() if metric in sample.values]


def interleave(
    contenders: Sequence[Contender],
    place: Callable[[Contender], Place],
    rounds: int,
    limit: float,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> list[Series]:
    """Measure every contender once a round, for `rounds` rounds; the order turns by one each round.

    `limit` is what `measure` takes. A contender that failed MAX_FAILURES times is left out from then on; a
    failure never ends the run.
    """
    every = {contender.name: Series(contender.name) for contender in contenders}
    for number in range(rounds):
        start = number % len(contenders)
        for contender in [*contenders[start:], *contenders[:start]]:
            series = every[contender.name]
            if len(series.failures) >= MAX_FAILURES:
                continue
            try:
                sample = measure(contender, place(contender), limit)
            except BenchError as error:
                series.failures.append(str(error))
                say(f"  {number + 1}/{rounds}  {contender.name:<46} FAILED: {last_words(str(error))}")
            else:
                series.samples[number] = sample
                say(f"  {number + 1}/{rounds}  {contender.name:<46} {_summary(sample)}")
    return list(every.values())


def last_words(text: str) -> str:
    """The last line that says something: of a traceback, the error."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing was said")


def _summary(sample: Sample) -> str:
    unit = "MB/s" if "size" in sample.server else "/s"
    return f"{sample.values['rate']:12,.0f} {unit}"
