"""Shows the demo: progress on standard error while it runs, then a table on standard output.

Owns: words and columns; `rich` where it is installed, plain text elsewhere. May not know: what a figure means
for the verdict.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from fastmux.tunnel.demo.workload import MIB, Workload

Row = tuple[str, ...]
_JOB_COLUMNS: Row = ("channel", "kind", "MB", "seconds", "MB/s", "SHA-256", "")
_PING_COLUMNS: Row = ("ping, 64 B", "round trips", "p50 ms", "p99 ms")


class Display:
    """One run of the demo on the terminal."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._shown_at = -1
        self._rich = importlib.util.find_spec("rich") is not None and sys.stdout.isatty()

    def start(self, description: str, workload: Workload, loss: float) -> None:
        """Say what will happen."""
        print(description)
        size = workload.file_size // MIB
        smaller = "" if size == 64 else " (64 MiB is the default of the compiled core)"
        print(
            f"file {size} MiB{smaller}, {workload.messages} messages of 1 B to 1 MiB,"
            f" HTTP {workload.http_size // MIB} MiB,"
            f" pings of 64 B, a reader that sleeps; then again through a relay that drops {loss:.1%}",
            flush=True,
        )

    def progress(self, jobs: dict[str, list[int]]) -> None:
        """How far each job is: on one line that is rewritten, or without a terminal a line each tenth."""
        parts = [f"{job} {done / total:4.0%}" for job, (done, total) in jobs.items() if total]
        if self._is_terminal:
            print("\r  " + "   ".join(parts) + "\x1b[K", end="", file=sys.stderr, flush=True)
            return
        share = sum(done for done, _ in jobs.values()) / max(1, sum(total for _, total in jobs.values()))
        tenth = int(share * 10)
        if tenth != self._shown_at:
            self._shown_at = tenth
            print("  " + "   ".join(parts), file=sys.stderr, flush=True)

    def leg(self, name: str, report: dict[str, Any], faults: list[str], loss: float | None) -> None:
        """The tables of one leg and its verdict."""
        if self._is_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        self._shown_at = -1
        how = "loopback" if loss is None else f"a relay that drops {loss:.1%}, reorders and duplicates"
        print(f"\n{name} leg: {how}")
        self._table(_JOB_COLUMNS, [_job_row(job) for job in report["jobs"]])
        self._table(_PING_COLUMNS, [_ping_row(ping) for ping in report["pings"]])
        remote = report["remote"]
        print(
            f"smoothed RTT {report['smoothed_rtt'] * 1e3:.2f} ms, "
            f"datagrams of {report['datagram_size']} bytes,"
            f" retransmitted {report['retransmitted'] / 1e6:.2f} MB, packets lost {report['packets_lost']}"
        )
        print(f"client: core {report['core']}, {report['socket_path']}, RSS {report['rss'] / MIB:.0f} MiB")
        identity = remote["identity"] or "nobody (no TLS)"
        print(
            f"server: core {remote['core']}, {remote['socket_path']}, RSS {remote['rss'] / MIB:.0f} MiB;"
            f" it knew the client as {identity}"
        )
        for fault in faults:
            print(f"WRONG: {fault}")
        if not faults:
            print("every hash equal; the sleeping channel held nothing up", flush=True)

    def finish(self, passed: bool) -> None:
        """The last line."""
        print("\ndemo passed" if passed else "\ndemo FAILED", flush=True)

    def fail(self, reason: str) -> None:
        """An end without a result."""
        print(f"\ndemo FAILED: {reason}", file=sys.stderr, flush=True)

    def _table(self, columns: Row, rows: list[Row]) -> None:
        if self._rich:
            _rich_table(columns, rows)
            return
        widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
        for row in (columns, *rows):
            cells = [
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            print("  " + "  ".join(cells).rstrip())


def _rich_table(columns: Row, rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _job_row(job: dict[str, Any]) -> Row:
    megabytes = job["size"] / 1e6
    rate = megabytes / job["seconds"] if job["seconds"] else 0.0
    return (
        job["job"],
        job["kind"],
        f"{megabytes:.1f}",
        f"{job['seconds']:.2f}",
        f"{rate:.1f}",
        "equal" if job["verified"] else "DIFFERS",
        job["note"],
    )


def _ping_row(ping: dict[str, Any]) -> Row:
    return (ping["job"], str(ping["count"]), f"{ping['p50'] * 1e3:.3f}", f"{ping['p99'] * 1e3:.3f}")
