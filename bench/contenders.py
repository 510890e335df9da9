"""Who can be measured here, workload by workload: fastmux, the floor, TCP and TLS, raw UDP, and the peers.

Owns the command lines. Says what cannot run on this machine, and why. Knows no figures.
"""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.harness import Contender
from bench.libcrypto import find_libcrypto
from fastmux import core

FOLDER = Path(__file__).parent
DATAGRAM_SIZE = 1452
COMPILE_SECONDS = 60
LIMIT_MARGIN = 5.0
LOOPS = ("asyncio", "uvloop")
FLOOR = "floor (C, no protocol)"
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
AT_CLIENT = frozenset({"pingpong", "echoes", "churn", "handshakes"})
"""Workloads whose operations the client counts: it is the one that knows when a round trip is over."""

WITHOUT_LOOP = frozenset({"enet", "pyzmq"})
"""Peers whose workers block in their library: an event loop makes no difference to them."""


def fastmux_name(loop: str = "asyncio", what: str = "") -> str:
    """What a contender of ours is called in tables and goals."""
    return f"fastmux, {what}, {loop}" if what else f"fastmux, {loop}"


def tls_name(loop: str = "asyncio", api: str = "streams") -> str:
    """What TCP and TLS is called in tables and goals."""
    return f"TCP+TLS {api}, {loop}"


def raw_name(loop: str = "asyncio") -> str:
    """What raw UDP is called in tables and goals."""
    return f"raw UDP, {loop}"


def dask_name(scheme: str) -> str:
    """What a Dask comm of this scheme is called in tables and goals."""
    return f"Dask, {scheme}://"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each run, and how many of them, at the start, are not measured.

    `grace` is what connecting, setting up and ending may take besides.
    """

    seconds: float
    warmup: float
    grace: float = 10.0

    @property
    def limit(self) -> float:
        """Seconds after which a worker that does not end by itself is ended."""
        return self.seconds + self.grace + LIMIT_MARGIN


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that is installed: its distribution and version, the Python that has it, and what it can do."""

    distribution: str
    version: str
    python: str
    workloads: frozenset[str]


@dataclass(slots=True)
class Workshop:
    """Makes contenders: `folder` has the certificates and what was compiled; `notes` say what is missing.

    `peer_loops` are the event loops that the peers run on.
    """

    folder: Path
    peer_loops: Sequence[str] = ("asyncio",)
    notes: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    _floor: Path | None = None
    _peers: dict[str, Peer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "openssl.cnf").write_text(OPENSSL_CONFIGURATION)
        self.loops = [loop for loop in LOOPS if importlib.util.find_spec(loop) is not None]
        if "uvloop" not in self.loops:
            self.notes.append("uvloop is not installed: no figures with it")
        if core.IMPLEMENTATION != "cython":
            self.notes.append(f"no compiled fastmux, its goals cannot be met: {core.describe()}")
        self._compile_floor()
        self._find_peers()

    def _compile_floor(self) -> None:
        compiler = os.environ.get("CC", "cc")
        if sys.platform != "linux" or shutil.which(compiler) is None:
            self.notes.append("no floor: it needs Linux and a C compiler")
            return
        self._floor = self.folder / "floor"
        command = [compiler, "-O3", "-o", str(self._floor), str(FOLDER / "floor.c"), "-ldl"]
        subprocess.run(command, check=True, timeout=COMPILE_SECONDS)

    def _find_peers(self) -> None:
        if importlib.util.find_spec("bench.peers") is None:
            self.notes.append("no peers: bench/peers is missing")
            return
        known: Mapping[str, tuple[str, frozenset[str]]] = importlib.import_module("bench.peers").PEERS
        find = importlib.import_module("bench.peers.interpreters").find_interpreter
        missing = []
        for name, (distribution, workloads) in known.items():
            found: tuple[str, str] | None = find(distribution)
            if found is None:
                missing.append(distribution)
            else:
                self._peers[name] = Peer(distribution, found[1], found[0], workloads)
        if missing:
            self.notes.append(f"peers not installed (make bench-peers installs): {', '.join(missing)}")

    def peer_versions(self) -> dict[str, str]:
        """Each installed peer's distribution and its version."""
        return {peer.distribution: peer.version for peer in self._peers.values()}

    def floor(self, times: Times) -> list[Contender]:
        """GSO, GRO and AES-128-GCM in C without any protocol; nothing where it could not be compiled."""
        if self._floor is None:
            return []
        shared = [find_libcrypto(), "aes-128-gcm", str(times.seconds), str(times.warmup)]
        server = [str(self._floor), "receive", *shared, "{host}"]
        client = [str(self._floor), "send", *shared, "{size}", str(DATAGRAM_SIZE), "{host}", "{port}"]
        return [Contender(FLOOR, server, client)]

    def fastmux(
        self, workload: str, times: Times, *options: str, what: str = "", loops: Sequence[str] | None = None
    ) -> list[Contender]:
        """fastmux with the compiled core (the pure one where there is no other), on each loop."""
        environment = COMPILED if core.IMPLEMENTATION == "cython" else PURE
        return [
            self._python(fastmux_name(loop, what), "bench.ours", workload, times, loop, options, environment)
            for loop in self._available(loops)
        ]

    def pure(self, workload: str, times: Times) -> list[Contender]:
        """fastmux with the pure core."""
        name = fastmux_name(what="pure core")
        return [self._python(name, "bench.ours", workload, times, "asyncio", (), PURE)]

    def tls(
        self,
        workload: str,
        times: Times,
        apis: Sequence[str] = ("streams",),
        loops: Sequence[str] | None = None,
    ) -> list[Contender]:
        """asyncio's TCP and TLS, on each loop."""
        return [
            self._python(tls_name(loop, api), "bench.tcp_tls", workload, times, loop, ("--api", api))
            for loop in self._available(loops)
            for api in apis
        ]

    def dask(self, scheme: str, times: Times) -> Contender:
        """Bulk over a Dask comm of this scheme ("fastmux" or "tls")."""
        environment = None if scheme == "tls" else COMPILED if core.IMPLEMENTATION == "cython" else PURE
        options = ("--scheme", scheme)
        return self._python(
            dask_name(scheme), "bench.dask_comm", "bulk", times, "asyncio", options, environment
        )

    def raw_udp(self, times: Times) -> list[Contender]:
        """Ping-pong without any protocol, on each loop."""
        return [
            self._python(raw_name(loop), "bench.raw_udp", "pingpong", times, loop, ()) for loop in self.loops
        ]

    def plain_tcp(self, name: str, times: Times) -> Contender:
        """Bulk over plain TCP, blocking, under a name that says through what."""
        return self._python(name, "bench.tcp_plain", "bulk", times, "asyncio", ())

    def peers(self, workload: str, times: Times) -> list[Contender]:
        """Every installed peer that has this workload, on each of `peer_loops` if it has an event loop."""
        found = []
        for name, peer in self._peers.items():
            for loop in ("asyncio",) if name in WITHOUT_LOOP else self._available(self.peer_loops):
                if workload in peer.workloads:
                    title = name if loop == "asyncio" else f"{name}, {loop}"
                    module = f"bench.peers.{name}"
                    found.append(self._python(title, module, workload, times, loop, python=peer.python))
        return found

    def _available(self, loops: Sequence[str] | None) -> list[str]:
        return self.loops if loops is None else [loop for loop in loops if loop in self.loops]

    def _python(
        self,
        name: str,
        module: str,
        workload: str,
        times: Times,
        loop: str,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> Contender:
        """A worker of this package, server and client."""
        shared = ["--workload", workload, "--certificates", str(self.folder), "--host", "{host}"]
        shared += ["--seconds", str(times.seconds), "--warmup", str(times.warmup)]
        shared += ["--grace", str(times.grace), "--loop", loop, *options]
        start = [python, "-m", module]
        client = [*start, "client", "--port", "{port}", "--size", "{size}", *shared]
        side = "client" if workload in AT_CLIENT else "server"
        if environment is None:  # not ours: fastmux is asked for its suite by its own configuration
            environment = {"OPENSSL_CONF": str(self.folder / "openssl.cnf")}
        return Contender(name, [*start, "server", *shared], client, environment, side)
