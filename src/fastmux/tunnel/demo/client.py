"""The near end of the demo: one connection, every job at once; tells the parent in lines of JSON.

Owns: the order of one leg. May not know: how it is shown.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import fastmux
from fastmux import core
from fastmux.tunnel.demo import baseline, jobs
from fastmux.tunnel.demo.workload import Workload, percentile

PROGRESS_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What the parent tells the client; sent as one JSON argument."""

    directory: str
    port: int
    tcp_port: int
    plaintext: bool
    compare: bool
    file_digest: str
    http_digest: str
    workload: Workload


def _emit(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class _Reporter:
    """Progress of the jobs, told at most ten times a second."""

    def __init__(self) -> None:
        self._last = 0.0
        self._jobs: dict[str, tuple[int, int]] = {}

    def __call__(self, job: str, done: int, total: int) -> None:
        self._jobs[job] = (done, total)
        now = time.perf_counter()
        if now - self._last >= PROGRESS_INTERVAL or done == total:
            self._last = now
            _emit("progress", jobs=self._jobs)


async def _ask(control: fastmux.Stream, word: bytes) -> dict[str, object]:
    await control.send(word)
    answer: dict[str, object] = json.loads(await control.receive())
    return answer


async def run_leg(options: ClientOptions) -> None:
    """One leg of the demo: pings alone, pings beside the sleeper, then everything at once."""
    directory = Path(options.directory)
    workload = options.workload
    reporter = _Reporter()
    tls = baseline.tls_config(directory, "client", options.plaintext)
    started = time.perf_counter()
    async with fastmux.connect("127.0.0.1", options.port, tls=tls) as conn:
        _emit("connected", seconds=time.perf_counter() - started)
        control = await conn.open_stream(label="control")
        pings = [await jobs.ping(conn, "ping, alone", workload.pings, None)]
        sleeper = jobs.Sleeper(await conn.open_stream(label="sleeper"))
        pings.append(await jobs.ping(conn, "ping, beside the sleeper", workload.pings, None))
        stalled_before = sleeper.is_stalled
        results, loaded = await _carry(conn, options, reporter)
        pings.append(loaded)
        stalled_after = sleeper.is_stalled
        await _ask(control, b"wake")
        results.append(await sleeper.finish())
        remote = await _ask(control, b"report")
        await control.send_eof()
        stats = conn.stats
        socket_path = conn.get_extra_info("socket_path")
    if options.compare:
        seconds, digest = await baseline.send_file(directory / "file", options.tcp_port, directory)
        verified = digest == options.file_digest
        size = workload.file_size
        results.append(jobs.JobResult("file", "TCP+TLS 1.3", size, seconds, verified, "asyncio, alone"))
    _emit(
        "result",
        jobs=[asdict(result) for result in results],
        pings=[_summary(result) for result in pings],
        stalled=stalled_before and stalled_after,
        smoothed_rtt=stats.rtt,
        retransmitted=stats.retransmitted_bytes,
        packets_lost=stats.packets_lost,
        datagram_size=stats.mtu,
        rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        core=core.IMPLEMENTATION,
        socket_path=socket_path,
        remote=remote,
    )


async def _carry(
    conn: fastmux.Connection, options: ClientOptions, reporter: _Reporter
) -> tuple[list[jobs.JobResult], jobs.PingResult]:
    """File, messages and HTTP at once, pings beside them until they are done; before it the file alone."""
    directory = Path(options.directory)
    workload = options.workload
    path = directory / "file"
    results = []
    if options.compare:
        alone = await jobs.send_file(conn, path, options.file_digest, reporter)
        alone.note = "alone"
        results.append(alone)
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        pinging = group.create_task(jobs.ping(conn, "ping, beside everything", 0, done))
        carrying = [
            group.create_task(jobs.send_file(conn, path, options.file_digest, reporter)),
            group.create_task(jobs.send_messages(conn, workload.messages, workload.seed, reporter)),
            group.create_task(jobs.fetch(conn, "blob", options.http_digest, reporter)),
        ]
        await asyncio.wait(carrying)
        done.set()
    results += [task.result() for task in carrying]
    return results, pinging.result()


def _summary(result: jobs.PingResult) -> dict[str, object]:
    trips = result.round_trips
    p50, p99 = percentile(trips, 0.5), percentile(trips, 0.99)
    return {"job": result.job, "count": len(trips), "p50": p50, "p99": p99}


def main() -> None:
    """`python -m fastmux.tunnel.demo.client OPTIONS-AS-JSON`."""
    fields = json.loads(sys.argv[1])
    workload = Workload(**fields.pop("workload"))
    asyncio.run(run_leg(ClientOptions(workload=workload, **fields)))


if __name__ == "__main__":
    main()
