"""`make soak HOURS=…`: fault F48, two processes over a relay that loses and rebinds, for hours.

Owns: the processes, the schedule and the verdict: a line a minute, a JSON file at the end, also after SIGINT.
May not know: what is checked on a channel.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.support import environment
from fastmux import core
from fastmux.security.certificates import make_credentials
from faults.soak.trend import fit

MIB = 2**20
WARM_UP_SHARE = 1 / 3  # of a short run; an hour of a long one
WARM_UP = 3600.0
MAX_SLOPE = 1 * MIB / 3600  # bytes a second, judged from an hour of samples on: less says little
JUDGED_FROM = 3600.0
FIRST_WORD = 30.0
LAST_WORD = 60.0
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@dataclass
class Child:
    """A process of the soak and what it said: `(seconds, line)`, the newest last."""

    name: str
    process: asyncio.subprocess.Process
    began_at: float
    lines: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @classmethod
    async def start(cls, name: str, module: str, *arguments: object) -> Child:
        """Start `python -m module` with this process's core; a signal to the terminal does not reach it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *map(str, arguments)),
            env=environment(core.IMPLEMENTATION),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return cls(name, process, time.monotonic())

    async def word(self) -> dict[str, Any]:
        """What it says next. Raises `EOFError` if it has ended."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise EOFError(f"the {self.name} has ended")
        said: dict[str, Any] = json.loads(line)
        return said

    async def told(self, name: str) -> Any:
        """What it says under this name, within half a minute. Raises `RuntimeError` for an error it tells."""
        async with asyncio.timeout(FIRST_WORD):
            while name not in (said := await self.word()):
                if said.get("errors"):
                    raise RuntimeError(f"the {self.name} has failed: {said['errors']}")
            return said[name]

    async def listen(self) -> None:
        """Keep what it says until it has ended."""
        try:
            while True:
                said = await self.word()
                self.lines.append((time.monotonic() - self.began_at, said))
        except EOFError:
            return

    def tell(self, line: str) -> None:
        """Write a line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    async def finish(self) -> int:
        """Let it end, and end it if it does not; gives its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(LAST_WORD):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()

    def last(self, name: str) -> Any:
        """The newest figure of this name."""
        return next((line[name] for _, line in reversed(self.lines) if name in line), 0)


class Soak:
    """One run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._seconds = options.hours * 3600
        self._began_at = time.monotonic()
        self._stop = asyncio.Event()
        self._moves = 0

    async def run(self, directory: Path) -> dict[str, Any]:
        """Run for the time, or until SIGINT or SIGTERM; gives the report."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        options = self._options
        make_credentials(directory, days=max(int(options.hours / 24) + 2, 2))
        shared = (directory, options.key_update, options.interval)
        server = await Child.start("server", "faults.soak.ends", "serve", *shared)
        port = await server.told("port")
        relay = await Child.start("relay", "faults.soak.relay", port, options.loss)
        port = await relay.told("port")
        client = await Child.start("client", "faults.soak.ends", "send", *shared, port, options.rate)
        await client.told("connected")  # only now: on a slow machine it takes seconds to start and connect
        listeners = [asyncio.create_task(child.listen()) for child in (server, client)]
        self._began_at = time.monotonic()
        try:
            await self._watch(server, client, relay, listeners)
        finally:
            statuses = [await child.finish() for child in (client, server, relay)]
            await asyncio.wait(listeners)
        return self._report(server, client, statuses)

    async def _watch(
        self, server: Child, client: Child, relay: Child, listeners: Sequence[asyncio.Task[None]]
    ) -> None:
        rebind_at = self._options.rebind
        while (elapsed := time.monotonic() - self._began_at) < self._seconds:
            wait = min(self._options.interval, self._seconds - elapsed, max(rebind_at - elapsed, 0.0))
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait([stopped, *listeners], timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if self._stop.is_set() or any(task.done() for task in listeners):
                return
            if time.monotonic() - self._began_at >= rebind_at:
                self._moves += 1
                relay.tell(f"move {HOSTS[self._moves % len(HOSTS)]}")
                rebind_at += self._options.rebind
            self._say(server, client)

    def _say(self, server: Child, client: Child) -> None:
        elapsed = time.monotonic() - self._began_at
        errors = len(server.last("errors") or ()) + len(client.last("errors") or ())
        print(
            f"{elapsed:7.0f} s  {server.last('records'):9} records  {server.last('size') / MIB:9.1f} MiB"
            f"  rss {server.last('rss') / MIB:5.1f} + {client.last('rss') / MIB:5.1f} MiB"
            f"  fds {server.last('fds')} + {client.last('fds')}"
            f"  key updates {client.last('key_updates')}  moves {server.last('migrations')}"
            f"  lost {client.last('packets_lost')}  errors {errors}",
            flush=True,
        )

    def _report(self, server: Child, client: Child, statuses: list[int]) -> dict[str, Any]:
        elapsed = time.monotonic() - self._began_at
        report: dict[str, Any] = {
            "core": core.describe(),
            "seconds": round(elapsed, 1),
            "rebinds": self._moves,
            "exit_statuses": statuses,
            "options": vars(self._options),
        }
        passed = not any(statuses)
        for child in (server, client):
            figures = self._figures(child, elapsed)
            report[child.name] = figures
            slope, lasted = figures["rss_slope"], figures["judged_seconds"]
            passed &= not figures["errors"] and figures["records"] > 0
            if slope is not None and lasted >= JUDGED_FROM:
                passed &= slope * MIB / 3600 <= MAX_SLOPE
        report["passed"] = passed
        return report

    def _figures(self, child: Child, elapsed: float) -> dict[str, Any]:
        """What one end counted; the slope of its RSS is in MiB an hour, after the warm-up."""
        names = ("records", "size", "channels", "lost_messages", "errors", "key_updates", "migrations")
        figures = {name: child.last(name) for name in (*names, "packets_sent", "packets_lost", "live")}
        warm_at = min(WARM_UP, elapsed * WARM_UP_SHARE)
        warm = [(at, line["rss"]) for at, line in child.lines[:-1] if at >= warm_at]
        times = [at for at, _ in warm]
        figures["judged_seconds"] = round(max(times) - min(times), 1) if warm else 0.0
        figures["rss_slope"] = figures["rss_slope_error"] = None
        if len(set(times)) >= 3:
            trend = fit(warm)
            figures["rss_slope"] = round(trend.slope * 3600 / MIB, 3)
            figures["rss_slope_error"] = round(trend.error * 3600 / MIB, 3)
        for name in ("rss", "fds", "tasks"):
            values = [line[name] for at, line in child.lines[:-1] if at >= warm_at]
            figures[f"{name}_first_warm_and_last"] = (values[0], values[-1]) if values else None
        return figures


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description="F48: a connection that is used for hours")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--loss", type=float, default=0.01, help="share of datagrams, each way")
    parser.add_argument("--rebind", type=float, default=300.0, help="seconds between changes of address")
    parser.add_argument("--key-update", type=int, default=2**20, help="packets under one key")
    parser.add_argument("--rate", type=float, default=2e6, help="bytes a second that are sent")
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two samples")
    parser.add_argument("--json", type=Path, default=None, help="where the report goes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run it; gives the exit status."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(Soak(options).run(Path(folder) / "credentials"))
    text = json.dumps(report, indent=2, default=str)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text + "\n", "utf-8")
    print(text)
    print("soak:", "passed" if report["passed"] else "FAILED")
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
