"""`make bench`: every figure in one run, as tables and as JSON.

    python -m bench [--quick] [--rounds N] [--seconds S]

Owns which contenders there are, the tables and the result file. Knows no transport.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import sansio
from bench.harness import BenchError, Contender, Figures, interleave
from bench.libcrypto import find_libcrypto
from fastmux import core
from fastmux.security.certificates import make_credentials

ROOT = Path(__file__).parent
RESULTS = ROOT / "results"
DATAGRAM_SIZE = 1452
WARMUP = 0.5
MAX_BYTES = 1 << 33
OPENSSL_CONFIGURATION = """openssl_conf = default_conf
[default_conf]
ssl_conf = ssl_section
[ssl_section]
system_default = tls_section
[tls_section]
Ciphersuites = TLS_AES_128_GCM_SHA256
"""
PURE = {"FASTMUX_NO_EXTENSIONS": "1", "FASTMUX_REQUIRE_EXTENSIONS": ""}
COMPILED = {"FASTMUX_NO_EXTENSIONS": "", "FASTMUX_REQUIRE_EXTENSIONS": "1"}


def floor_contender(folder: Path, seconds: float) -> Contender:
    """Compile bench/floor.c; the loop of GSO, GRO and AES-128-GCM without any protocol."""
    program = folder / "floor"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O3", "-o", program, ROOT / "floor.c", "-ldl"], check=True, timeout=60)
    shared = [find_libcrypto(), "aes-128-gcm", str(seconds), str(WARMUP)]
    client = [str(program), "send", *shared, str(MAX_BYTES), str(DATAGRAM_SIZE), "{port}"]
    return Contender("floor (C, no protocol)", [str(program), "receive", *shared], client)


def python_contender(
    name: str, command: Sequence[str], folder: Path, seconds: float, environment: Mapping[str, str]
) -> Contender:
    """A worker of this package, server and client."""
    module, *more = command
    shared = ["--certificates", str(folder), "--seconds", str(seconds), "--warmup", str(WARMUP), *more]
    start = [sys.executable, "-m", module]
    client = [*start, "client", "--port", "{port}", "--size", str(MAX_BYTES), *shared]
    return Contender(name, [*start, "server", *shared], client, environment)


def contenders(folder: Path, seconds: float) -> list[Contender]:
    """Everything that can run here; says aloud what cannot."""
    configuration = folder / "openssl.cnf"
    configuration.write_text(OPENSSL_CONFIGURATION)
    suite = {"OPENSSL_CONF": str(configuration)}
    found = []
    if shutil.which(os.environ.get("CC", "cc")) and sys.platform == "linux":
        found.append(floor_contender(folder, seconds))
    else:
        print("no floor: it needs Linux and a C compiler", file=sys.stderr)
    for loop in ("asyncio", "uvloop"):
        bulk = ("bench.bulk", "--loop", loop)
        for api in ("streams", "protocol"):
            tls = ("bench.tls", "--loop", loop, "--api", api)
            found.append(python_contender(f"{loop} TCP+TLS, {api}", tls, folder, seconds, suite))
        if core.IMPLEMENTATION == "cython":
            found.append(python_contender(f"fastmux, {loop}", bulk, folder, seconds, COMPILED))
    if core.IMPLEMENTATION == "cython":
        plain = ("bench.bulk", "--plaintext")
        found.append(python_contender("fastmux, asyncio, plaintext", plain, folder, seconds, COMPILED))
    else:
        print(f"no compiled fastmux: {core.describe()}", file=sys.stderr)
    found.append(python_contender("fastmux, pure core", ("bench.bulk",), folder, seconds, PURE))
    return found


def bulk_table(figures: list[Figures]) -> str:
    """Medians, spread, CPU and ratios to the floor and to asyncio's TLS of the same run."""
    rates = {each.name: each.rate for each in figures}
    floor = rates.get("floor (C, no protocol)", 0.0)
    tls = rates["asyncio TCP+TLS, streams"]
    title = f"bulk, one stream, {DATAGRAM_SIZE} B datagrams"
    lines = [
        f"| {title} | MB/s | slowest to fastest | CPU s/GB | of the floor | × asyncio TLS | RSS MB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in figures:
        low, high = each.spread
        server, client = (size / 1e6 for size in each.rss)
        share = f"{each.rate / floor:.0%}" if floor else "?"
        lines.append(
            f"| {each.name} | {each.rate:.0f} | {low:.0f} to {high:.0f} | {each.cpu_per_gb:.2f}"
            f" | {share} | {each.rate / tls:.2f} | {server:.0f} + {client:.0f} |"
        )
    return "\n".join(lines)


def sansio_table(packets: int) -> tuple[str, list[dict[str, object]]]:
    """The core alone: both cores, both suites."""
    lines = [
        "| the core alone, 1,452 B packets | sending ns | receiving ns | pure ÷ compiled |",
        "| --- | --- | --- | --- |",
    ]
    rows: list[dict[str, object]] = []
    for suite in sansio.SUITES:
        pure = sansio.cost_of("python", suite, max(packets // 20, 500))
        costs = {"python": pure}
        if core.IMPLEMENTATION == "cython":
            costs["cython"] = sansio.cost_of("cython", suite, packets)
        for name, cost in costs.items():
            ratio = sum(pure) / sum(cost)
            row = f"| {name}, {suite} | {cost.sending:.0f} | {cost.receiving:.0f} | {ratio:.0f} |"
            lines.append(row)
            rows.append({"core": name, "suite": suite, **cost._asdict()})
    return "\n".join(lines), rows


def main() -> int:
    """Run everything; the exit status is 1 if a contender failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1.5 s, for a first look")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    rounds, seconds = (3, 1.5) if options.quick else (options.rounds, options.seconds)
    print(core.describe())
    sans_io, rows = sansio_table(20000 if options.quick else 60000)
    print(sans_io, flush=True)
    with tempfile.TemporaryDirectory(prefix="fastmux-bench-") as name:
        folder = Path(name) / "certificates"
        make_credentials(folder, days=1)
        try:
            figures = interleave(contenders(folder, seconds), rounds, seconds)
        except BenchError as error:
            print(error, file=sys.stderr)
            return 1
    print(bulk_table(figures))
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    path = RESULTS / f"bench-{stamp}.json"
    report = {
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count(), "core": core.describe()},
        "rounds": rounds,
        "seconds": seconds,
        "sansio": rows,
        "bulk": [each.as_json() for each in figures],
    }
    path.write_text(json.dumps(report, indent=1))
    print(f"written to bench/results/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
