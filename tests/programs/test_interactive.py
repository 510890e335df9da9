"""A small request beside a saturating download, over a link that loses 2 % and takes 50 ms there and back.

Each is measured over the same link, in the same test: fastmux's ping channel, an echo through `fastmux tunnel
-L`, and the same echo through `ssh -L`, which is shown and not judged.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from programs.openssh import Sshd
from programs.processes import FASTMUX, Programs, program, run, wait_until
from programs.tun_link import FAR, TunLink

LOSS, ONE_WAY = 0.02, 0.025
PORT = 4433
LIMIT = 3.0
TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture
def link() -> Iterator[TunLink]:
    """The link."""
    with TunLink(loss=LOSS, delay=ONE_WAY) as made:
        yield made


@pytest.fixture
def ends(link: TunLink, programs: Programs) -> dict[str, int]:
    """Echo and source at the far end: their ports."""
    command = [*link.far, sys.executable, "-m", "programs.tcp_ends", "127.0.0.1"]
    started = programs.start("ends", command, env={"PYTHONPATH": str(TESTS)})
    started.wait_for_text("}")
    ports: dict[str, int] = json.loads(started.output())
    return ports


def measure(link: TunLink, *words: str | Path) -> dict[str, float]:
    """p99 idle and loaded in ms, and the download's MB/s."""
    command = [*link.near, sys.executable, "-m", "programs.interactive", *words]
    found = json.loads(run(*command, env={"PYTHONPATH": str(TESTS)}, timeout=110).stdout)
    p99 = {name: statistics.quantiles(found[name], n=100)[98] for name in ("idle", "loaded")}
    return {**{f"{name} p99 ms": 1e3 * each for name, each in p99.items()}, "MB/s": found["rate"] / 1e6}


@pytest.mark.parametrize("congestion", ["cubic", "bbr"])
def test_a_ping_stays_quick_beside_a_download(
    congestion: str, link: TunLink, programs: Programs, credentials: Path, ends: dict[str, int]
) -> None:
    def start(command: str, prefix: list[str], role: str, *words: str) -> None:
        files = (f"--cert={credentials}/{role}.pem", f"--key={credentials}/{role}.key")
        whole = [*prefix, *FASTMUX, command, *files, f"--ca={credentials}/ca.pem", *words]
        programs.start(command, whole, is_notifying=True)

    allowed = ("--allow", "*=127.0.0.1:*", "--congestion", congestion)
    start("serve", link.far, "server", "-l", f"{FAR}:{PORT}", *allowed)
    found = measure(link, "channel", f"{FAR}:{PORT}", credentials, str(ends["bulk"]))
    print(f"ping channel, {congestion}:", found)
    assert found["loaded p99 ms"] <= LIMIT * found["idle p99 ms"]
    forwards = ("-L", f"7001:127.0.0.1:{ends['echo']}", "-L", f"7002:127.0.0.1:{ends['bulk']}")
    start("tunnel", link.near, "client", f"{FAR}:{PORT}", "--server-name", "localhost", *forwards)
    found = measure(link, "ports", "7001", "7002")
    print(f"echo through fastmux -L, {congestion}:", found)
    assert found["loaded p99 ms"] <= LIMIT * found["idle p99 ms"]


def test_the_same_through_ssh_is_measured(
    link: TunLink, programs: Programs, tmp_path: Path, ends: dict[str, int]
) -> None:
    sshd = Sshd.start(programs, tmp_path, host=FAR, prefix=link.far)
    forwards = ("-L", f"7001:127.0.0.1:{ends['echo']}", "-L", f"7002:127.0.0.1:{ends['bulk']}")
    where = ("-N", "-p", str(sshd.port), *forwards, f"{sshd.user}@{FAR}")
    programs.start("ssh", [*link.near, program("ssh"), *sshd.options(), *where])
    listening = [*link.near, shutil.which("ss") or "ss", "-Hltn", "sport", "=", ":7002"]
    wait_until(lambda: bool(run(*listening).stdout.strip()), "ssh listens")
    found = measure(link, "ports", "7001", "7002")
    print("echo through ssh -L:", found)
    assert found["MB/s"] > 0
