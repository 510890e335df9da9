"""Many seeds in several processes: who gets which, how far it is, and what failed.

Owns: the processes, which die with this one, and the report. May not know: what a seed does. A process that
crashes or hangs is a failure of the seed that it was at.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final, TextIO

CHUNK_SIZE: Final = 20
SEED_TIMEOUT: Final = 600.0  # wall seconds for one seed: the slowest takes a tenth of it on the pure core
PROGRESS_INTERVAL: Final = 10.0
MAX_FAILURES: Final = 50  # then it is not worth going on

Work = Callable[[int], tuple[str | None, float]]  # seed -> (failure, virtual seconds)


@dataclass
class Tally:
    """What came of it so far."""

    done: int = 0
    virtual_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


@dataclass
class Worker:
    """A process and the seed that it is at."""

    process: BaseProcess
    pipe: Connection
    seed: int | None = None
    since: float = 0.0


def run(
    seeds: range, jobs: int, prepare: Callable[[], Work], hint: Callable[[int], str], out: TextIO = sys.stdout
) -> Tally:
    """Run all seeds in `jobs` processes; `prepare` is called in each and gives what runs a seed.

    `hint` says how to repeat one. Progress and failures are written to `out`.
    """
    tally = Tally()
    chunks = (seeds[start : start + CHUNK_SIZE] for start in range(0, len(seeds), CHUNK_SIZE))
    workers = [_start(prepare) for _ in range(jobs)]
    started_at = told_at = time.monotonic()
    try:
        for worker in list(workers):
            _feed(worker, chunks, workers)
        while workers and len(tally.failures) < MAX_FAILURES:
            now = time.monotonic()
            for worker in _ready(workers):
                trouble = _hear(worker, tally, chunks, workers, out)
                if trouble is not None:
                    _report(tally, f"{trouble}\n{hint(worker.seed or 0)}", out)
                    workers.append(_start(prepare))
                    _feed(workers[-1], chunks, workers)
            for worker in [one for one in workers if one.seed is not None and now - one.since > SEED_TIMEOUT]:
                _stop(worker, workers)
                _report(tally, f"no end after {SEED_TIMEOUT:g} s\n{hint(worker.seed or 0)}", out)
                workers.append(_start(prepare))
                _feed(workers[-1], chunks, workers)
            if now - told_at >= PROGRESS_INTERVAL:
                told_at = now
                print(progress(tally, len(seeds), now - started_at), file=out, flush=True)
    finally:
        for worker in list(workers):
            _stop(worker, workers)
    print(progress(tally, len(seeds), time.monotonic() - started_at), file=out, flush=True)
    return tally


def progress(tally: Tally, count: int, elapsed: float) -> str:
    """One line about how far it is."""
    rate = tally.done / elapsed if elapsed else 0.0
    hours = tally.virtual_seconds / 3600
    return (
        f"{tally.done} of {count} seeds, {len(tally.failures)} failed, {elapsed:.0f} s, {rate:.1f} seeds/s, "
        f"{hours:.1f} simulated hours"
    )


def _report(tally: Tally, text: str, out: TextIO) -> None:
    tally.failures.append(text)
    print(text, file=out, flush=True)


# --- the processes ------------------------------------------------------------------------------------


def _start(prepare: Callable[[], Work]) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, prepare), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, ours)


def _work(pipe: Connection, prepare: Callable[[], Work]) -> None:
    """What a process does: say which seed it begins, run it, say what came of it; ask for more."""
    run_one = prepare()
    while (seeds := pipe.recv()) is not None:
        for seed in seeds:
            pipe.send(("at", seed))
            pipe.send(("done", run_one(seed)))
        pipe.send(("idle", None))


def _feed(worker: Worker, chunks: Iterator[range], workers: list[Worker]) -> None:
    chunk = next(chunks, None)
    worker.pipe.send(chunk)
    if chunk is None:
        worker.process.join()
        workers.remove(worker)
        worker.pipe.close()


def _ready(workers: list[Worker]) -> list[Worker]:
    pipes = wait([worker.pipe for worker in workers], timeout=1.0)
    return [worker for worker in workers if worker.pipe in pipes]


def _hear(
    worker: Worker, tally: Tally, chunks: Iterator[range], workers: list[Worker], out: TextIO
) -> str | None:
    """Take what a process says; gives what is wrong with the process itself."""
    try:
        kind, value = worker.pipe.recv()
    except EOFError:
        _stop(worker, workers)
        return f"the process died, exit status {worker.process.exitcode}"
    if kind == "at":
        worker.seed, worker.since = value, time.monotonic()
    elif kind == "done":
        failure, seconds = value
        tally.done += 1
        tally.virtual_seconds += seconds
        worker.seed = None
        if failure is not None:
            _report(tally, failure, out)
    else:
        _feed(worker, chunks, workers)
    return None


def _stop(worker: Worker, workers: list[Worker]) -> None:
    if worker in workers:
        workers.remove(worker)
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()
