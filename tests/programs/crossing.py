"""How a bottleneck is shared by fastmux and one flow of the kernel's TCP CUBIC that was there before it.

    PYTHONPATH=tests python -m programs.crossing [--megabytes 25] [--runs 3] [--core pure] cubic bbr

The link is that of quic-interop-runner: 10 Mbit/s, 15 ms each way, queues of 25 packets. Owns: the run
and what is made of it: the bytes of both that arrived from the first to the last one of fastmux's. May
not know: a limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastmux.security.certificates import make_credentials
from programs.flow_ends import CORES, FlowEnds, told
from programs.flows import digest_of
from programs.processes import Programs, wait_until
from programs.tun_link import FAR, TunLink

RATE, ONE_WAY, QUEUE = 10e6, 0.015, 25
MEGABYTE = 10**6
HEAD_START = 2.0  # seconds that the kernel's TCP has the link to itself
SLOWEST = 0.1  # of the link: what takes longer than at this share is given up


@dataclass(frozen=True)
class Crossing:
    """One run. Rates are payload bytes a second; `late` is how long the link held a packet too long."""

    ours: float
    tcp: float
    seconds: float
    packets_lost: int
    dropped: int
    late: float

    @property
    def share(self) -> float:
        """fastmux's part of what arrived."""
        return self.ours / (self.ours + self.tcp)

    @property
    def utilisation(self) -> float:
        """Payload of both, of the rate of the link; headers are 3 to 5 % of it."""
        return 8 * (self.ours + self.tcp) / RATE

    def __str__(self) -> str:
        return (
            f"fastmux {8e-6 * self.ours:.2f} Mbit/s, TCP {8e-6 * self.tcp:.2f} Mbit/s:"
            f" share {self.share:.0%} of {self.utilisation:.0%} of the link, {self.seconds:.1f} s;"
            f" fastmux lost {self.packets_lost} packets, the queue dropped {self.dropped};"
            f" the link was late by {1e3 * self.late:.0f} ms at most"
        )


def size_at(intake: Sequence[tuple[float, int]], moment: float) -> float:
    """Bytes that had come by this moment, between two moments in proportion."""
    place = bisect_right(intake, moment, key=lambda each: each[0])
    if place == 0:
        return 0.0
    if place == len(intake):
        return float(intake[-1][1])
    (before, small), (after, large) = intake[place - 1], intake[place]
    return small + (large - small) * (moment - before) / (after - before)


def cross(congestion: str, size: int, core: str, credentials: Path, directory: Path) -> Crossing:
    """`size` bytes of fastmux down a link on which a TCP flow is. Skips where there is no such link."""
    narrow = TunLink(loss=0.0, delay=ONE_WAY, rate=RATE, queue=QUEUE)
    with narrow as link, Programs(directory) as programs:
        ends = FlowEnds(link, programs, credentials, core)
        ends.pour(FAR)
        server = ends.serve(FAR, congestion, size)
        sink = ends.drain(FAR)

        def has_settled() -> bool:
            intake = told(sink).intake
            return bool(intake) and intake[-1][0] - intake[0][0] >= HEAD_START

        wait_until(has_settled, "TCP has the link")
        client = ends.fetch(FAR, congestion, 0)
        status = client.wait(10 + 8 * size / (SLOWEST * RATE))
        ours = told(client)
        assert status == 0, client.output()
        (began_at, first), (ended_at, last) = ours.intake[0], ours.intake[-1]
        wait_until(lambda: told(sink).intake[-1][0] >= ended_at, "TCP outlives fastmux")
        beside = told(sink).intake
        assert server.wait() == 0, server.output()
        assert ours.last["sha256"] == digest_of(size)
        assert link.to_near is not None
        seconds = ended_at - began_at
        return Crossing(
            ours=(last - first) / seconds,
            tcp=(size_at(beside, ended_at) - size_at(beside, began_at)) / seconds,
            seconds=seconds,
            packets_lost=told(server).last["packets_lost"],
            dropped=link.to_near.dropped,
            late=link.longest_late,
        )


def median_share(runs: Sequence[Crossing]) -> float:
    """Of the runs."""
    return statistics.median(run.share for run in runs)


def main(words: Sequence[str]) -> None:
    """Print every run, and the medians."""
    parser = argparse.ArgumentParser("python -m programs.crossing", description="beside the kernel's TCP")
    parser.add_argument("--megabytes", type=int, default=25)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--core", choices=CORES, default="compiled")
    parser.add_argument("controllers", nargs="+", choices=("cubic", "bbr"))
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        credentials = Path(folder) / "credentials"
        make_credentials(credentials, days=1)
        for congestion in options.controllers:
            runs = []
            for _ in range(options.runs):
                size = options.megabytes * MEGABYTE
                runs.append(cross(congestion, size, options.core, credentials, Path(folder)))
                print(f"{congestion}, {options.core}: {runs[-1]}", flush=True)
            used = statistics.median(run.utilisation for run in runs)
            share = median_share(runs)
            print(f"{congestion}, {options.core}: median share {share:.0%}, of {used:.0%} of the link")


if __name__ == "__main__":
    main(sys.argv[1:])
