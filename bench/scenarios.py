"""What is measured: each scenario is a row of contenders that take turns, in one place or at a link.

Owns the list. A ratio in the goals is always taken within one scenario. Knows no figures.
"""

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import Times, Workshop, fastmux_name
from bench.emulator import EmulatedLink, compile_emulator
from bench.forwards import FastmuxForward, SshForward, missing_programs
from bench.harness import Contender
from bench.linkshape import LinkShape
from bench.namespaces import Namespaces, netem_missing
from bench.ours.controllers import DEFAULT, controller_setting
from bench.places import Loopback, Place, PlaceUnavailable

ASYNCIO = ("asyncio",)
BYTES, OPERATIONS = "MB/s", "/s"

LINK_RATE = 100e6
LINK = LinkShape(rate=LINK_RATE, delay=0.010, queue_size=1000 * 1500)
"""100 Mbit/s, 20 ms there and back, a queue of netem's default length (1,000 packets, 120 ms)."""

CLEAN_LINK = fastmux_name(what="clean")
LOSSY = {name: fastmux_name(what=f"1 % loss, {name}") for name in ("bbr", DEFAULT)}
RARE_LOSS = 0.0001
RARELY_LOSSY = {name: fastmux_name(what=f"0.01 % loss, {name}") for name in ("bbr", DEFAULT)}
BASE = fastmux_name(what="one stream")
MANY_IDLE = 100_000
IDLE_PORTS = 400
IDLE = fastmux_name(what=f"beside {MANY_IDLE:,} idle streams")
SMALL_WINDOW = 262_144
FORWARDS = DIRECT, FASTMUX_FORWARD, SSH_FORWARD, SSH_GCM_FORWARD = (
    "TCP, nothing between",
    "fastmux tunnel -L",
    "ssh -L",
    "ssh -L, aes128-gcm",
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`seconds` and `warmup` are those of a run of full length; `unit` that of the rate.

    `figures` are further columns of the table: the metric, its heading, its format and a factor.
    """

    name: str
    title: str
    unit: str
    contenders: Callable[[Workshop, Times], list[Contender]]
    seconds: float = 1.3
    warmup: float = 0.3
    grace: float = 10.0
    place: str = "loopback"
    has_peers: bool = False
    figures: tuple[tuple[str, str, str, float], ...] = ()


LATENCIES = (("p50", "p50 µs", ",.0f", 1e6), ("p99", "p99 µs", ",.0f", 1e6))


def _bulk(shop: Workshop, times: Times) -> list[Contender]:
    return [
        *shop.floor(times),
        *shop.fastmux("bulk", times),
        *shop.tls("bulk", times, apis=("streams", "protocol")),
        *shop.fastmux("bulk", times, "--plaintext", what="plaintext", loops=ASYNCIO),
        *shop.pure("bulk", times),
        *shop.peers("bulk", times),
    ]


def _streams(shop: Workshop, times: Times) -> list[Contender]:
    return [
        *shop.fastmux("streams", times),
        *shop.tls("streams", times, loops=ASYNCIO),
        *shop.peers("streams", times),
    ]


def _shapes(shop: Workshop, times: Times) -> list[Contender]:
    def shape(what: str, *options: str) -> list[Contender]:
        return shop.fastmux(
            "streams" if "--count" in options else "bulk", times, *options, what=what, loops=ASYNCIO
        )

    return [
        *shape("one stream"),
        *shape("8,900 B datagrams", "--datagram-size", "8900"),
        *shape("100 streams", "--count", "100"),
        *shape("1,000 streams", "--count", "1000"),
        *shape("200 connections", "--connections", "200"),
        *shape("256 KiB windows", "--window", str(SMALL_WINDOW)),
        *shape("beside busy threads", "--busy"),
    ]


def _idle(shop: Workshop, times: Times) -> list[Contender]:
    idle = ("--idle", str(MANY_IDLE))
    return [
        *shop.fastmux("bulk", times, what="one stream", loops=ASYNCIO),
        *shop.fastmux("bulk", times, *idle, what=f"beside {MANY_IDLE:,} idle streams", loops=ASYNCIO),
    ]


def _pingpong(shop: Workshop, times: Times) -> list[Contender]:
    return [
        *shop.raw_udp(times),
        *shop.fastmux("pingpong", times),
        *shop.tls("pingpong", times, apis=("streams", "protocol")),
        *shop.peers("pingpong", times),
    ]


def _echoes(shop: Workshop, times: Times) -> list[Contender]:
    return [
        *shop.fastmux("echoes", times),
        *shop.tls("echoes", times, apis=("streams", "protocol"), loops=ASYNCIO),
        *shop.peers("echoes", times),
    ]


def _churn(shop: Workshop, times: Times) -> list[Contender]:
    return [*shop.fastmux("churn", times), *shop.peers("churn", times)]


def _with_tls(workload: str) -> Callable[[Workshop, Times], list[Contender]]:
    def contenders(shop: Workshop, times: Times) -> list[Contender]:
        ours, tls = shop.fastmux(workload, times), shop.tls(workload, times)
        return [*ours, *tls, *shop.peers(workload, times)]

    return contenders


def _connections(shop: Workshop, times: Times) -> list[Contender]:
    return shop.fastmux("connections", times, loops=ASYNCIO)


def _loss(shop: Workshop, times: Times) -> list[Contender]:
    found = shop.fastmux("bulk", times, what="clean", loops=ASYNCIO)
    for name in RARELY_LOSSY:
        options = ("--congestion", name)
        found += shop.fastmux("bulk", times, *options, what=f"0.01 % loss, {name}", loops=ASYNCIO)
    return found


def _link(shop: Workshop, times: Times) -> list[Contender]:
    found = shop.fastmux("bulk", times, "--pings", what="clean", loops=ASYNCIO)
    for name in LOSSY:
        try:
            controller_setting(name)
        except ValueError as error:
            shop.notes.append(f"no figure for {name} over a lossy link: {error}")
            continue
        options = ("--congestion", name, "--pings")
        found += shop.fastmux("bulk", times, *options, what=f"1 % loss, {name}", loops=ASYNCIO)
    return found


def _forward(shop: Workshop, times: Times) -> list[Contender]:
    missing = missing_programs()
    if missing:
        shop.notes.append(f"no figures for ssh -L: not installed: {', '.join(missing)}")
    names = FORWARDS if not missing else (DIRECT, FASTMUX_FORWARD)
    return [shop.plain_tcp(name, times) for name in names]


def _both_ways(workload: str, counts: Sequence[int], *options: str) -> Callable[..., list[Contender]]:
    """The same by header and by port, for so many channels each."""

    def contenders(shop: Workshop, times: Times) -> list[Contender]:
        found = []
        for count in counts:
            for what, way in (("header", ()), ("port", ("--ports",))):
                shape = ("--count", str(count), "--wakeups", *options, *way)
                name = f"{what}, {count} channel{'s' if count > 1 else ''}"
                found += shop.fastmux(workload, times, *shape, what=f"by {name}", loops=ASYNCIO)
        return found

    return contenders


def _dask(shop: Workshop, times: Times) -> list[Contender]:
    return [shop.dask(scheme, times) for scheme in ("fastmux", "tls")]


def _veth_bulk(shop: Workshop, times: Times) -> list[Contender]:
    return [*shop.floor(times), *shop.fastmux("bulk", times), *shop.tls("bulk", times)]


def _veth_pingpong(shop: Workshop, times: Times) -> list[Contender]:
    return [*shop.raw_udp(times), *shop.fastmux("pingpong", times), *shop.tls("pingpong", times)]


WAKEUPS_PER_GB = (
    ("server.wakeups", "wake-ups/GB, server", ",.0f", 1),
    ("server.ready", "sockets ready/GB, server", ",.0f", 1),
    ("client.wakeups", "wake-ups/GB, client", ",.0f", 1),
)
WAKEUPS_EACH = (
    ("server.wakeups", "wake-ups each, server", ",.2f", 1),
    ("server.ready", "sockets ready each, server", ",.2f", 1),
    ("client.wakeups", "wake-ups each, client", ",.2f", 1),
)

SCENARIOS = (
    Scenario("bulk", "one stream, one way", BYTES, _bulk, seconds=2.0, warmup=0.5, has_peers=True),
    Scenario("streams", "100 streams, one way", BYTES, _streams, warmup=0.5, has_peers=True),
    Scenario(
        "shapes", "fastmux, one way, in other shapes", BYTES, _shapes, seconds=2.0, warmup=0.5, grace=30.0
    ),
    Scenario(
        "idle",
        "one busy stream beside idle ones",
        BYTES,
        _idle,
        seconds=2.0,
        warmup=0.5,
        grace=60.0,
        figures=(
            ("server.idle_channel_size", "B an idle stream, server", ",.0f", 1),
            ("client.idle_channel_size", "client", ",.0f", 1),
        ),
    ),
    Scenario("pingpong", "64 B there and back", OPERATIONS, _pingpong, has_peers=True, figures=LATENCIES),
    Scenario(
        "echoes",
        "100 B there and back on 100 streams at once",
        OPERATIONS,
        _echoes,
        has_peers=True,
        figures=LATENCIES,
    ),
    Scenario(
        "churn",
        "open, 100 B there and back, close; 64 at once",
        OPERATIONS,
        _churn,
        has_peers=True,
        figures=LATENCIES,
    ),
    Scenario("messages", "16 KiB messages, one way", OPERATIONS, _with_tls("messages"), has_peers=True),
    Scenario(
        "small-messages", "64 B messages, one way", OPERATIONS, _with_tls("small-messages"), has_peers=True
    ),
    Scenario(
        "handshakes",
        "mutual handshakes, one after another",
        OPERATIONS,
        _with_tls("handshakes"),
        has_peers=True,
        figures=LATENCIES,
    ),
    Scenario(
        "connections",
        "1,000 idle connections",
        OPERATIONS,
        _connections,
        grace=60.0,
        figures=(("server.idle_connection_size", "B an idle connection, server", ",.0f", 1),),
    ),
    Scenario(
        "portmux",
        "one way, by header and by port",
        BYTES,
        _both_ways("streams", (1, 8, 64)),
        warmup=0.5,
        figures=WAKEUPS_PER_GB,
    ),
    Scenario(
        "portmux-echoes",
        "100 B there and back, by header and by port",
        OPERATIONS,
        _both_ways("echoes", (1, 8, 64)),
        figures=(*LATENCIES, *WAKEUPS_EACH),
    ),
    Scenario(
        "portmux-churn",
        "open, 100 B there and back, close, by header and by port",
        OPERATIONS,
        _both_ways("churn", (1, 16)),
        figures=(*LATENCIES, *WAKEUPS_EACH),
    ),
    Scenario(
        "portmux-idle",
        f"one busy channel beside {IDLE_PORTS} idle ones, by header and by port",
        BYTES,
        _both_ways("streams", (1,), "--idle", str(IDLE_PORTS)),
        warmup=0.5,
        figures=(
            ("server.idle_channel_size", "B an idle channel, server", ",.0f", 1),
            ("client.idle_channel_size", "client", ",.0f", 1),
            ("server.open_files", "descriptors, server", ",.0f", 1),
            ("client.open_files", "client", ",.0f", 1),
        ),
    ),
    Scenario("loss", "bulk, 0.01 % random loss", BYTES, _loss, place="lossy link"),
    Scenario(
        "link",
        "100 Mbit/s, 20 ms round trip",
        BYTES,
        _link,
        seconds=6.0,
        warmup=1.5,
        place="slow link",
        figures=(
            ("client.ping_base", "ping ms", ".1f", 1e3),
            ("client.ping_loaded", "ping under load ms", ".1f", 1e3),
        ),
    ),
    Scenario("forward", "one TCP connection through a tunnel", BYTES, _forward, seconds=2.0, place="tunnel"),
    Scenario(
        "dask", "numpy arrays of 67 MB by Dask's comm, one way", BYTES, _dask, seconds=3.0, place="Dask"
    ),
    Scenario("veth-bulk", "one stream, one way, veth, MTU 1,500", BYTES, _veth_bulk, place="veth"),
    Scenario(
        "veth-pingpong",
        "64 B there and back, veth",
        OPERATIONS,
        _veth_pingpong,
        place="veth",
        figures=LATENCIES,
    ),
)

_SHAPES = {
    "lossy link": lambda contender: LinkShape(loss=RARE_LOSS if "loss" in contender.name else 0.0),
    "slow link": lambda contender: LinkShape(
        rate=LINK.rate,
        delay=LINK.delay,
        queue_size=LINK.queue_size,
        loss=0.01 if "loss" in contender.name else 0.0,
    ),
}


@contextlib.contextmanager
def places(scenario: Scenario, folder: Path) -> Iterator[tuple[str, Callable[[Contender], Place]]]:
    """What the place is called, and where each contender of the scenario is measured.

    Raises PlaceUnavailable where this machine has no such place. The namespaces are gone at the end.
    """
    if scenario.place == "loopback":
        yield "loopback", lambda contender: Loopback()
    elif scenario.place == "Dask":
        if importlib.util.find_spec("distributed") is None:
            raise PlaceUnavailable("Dask is not installed: pip install -e '.[dask]'")
        yield "loopback", lambda contender: Loopback()
    elif scenario.place == "veth":
        with Namespaces() as namespaces:
            yield "veth", lambda contender: namespaces
    elif scenario.place == "tunnel":
        tunnels: dict[str, Place] = {
            DIRECT: Loopback(),
            FASTMUX_FORWARD: FastmuxForward(folder),
            SSH_FORWARD: SshForward(folder),
            SSH_GCM_FORWARD: SshForward(folder, "aes128-gcm@openssh.com"),
        }
        yield "loopback, the tunnel's two processes beside the two ends", lambda it: tunnels[it.name]
    else:
        with contextlib.ExitStack() as stack:
            missing = netem_missing()
            program = compile_emulator(folder) if missing else None
            kept: dict[LinkShape, Place] = {}

            def place_of(contender: Contender) -> Place:
                shape = _SHAPES[scenario.place](contender)
                if shape not in kept:
                    if program is None:
                        kept[shape] = stack.enter_context(Namespaces(shape))
                    else:
                        kept[shape] = EmulatedLink(program, shape)
                return kept[shape]

            yield (
                "netem between namespaces" if program is None else f"link emulator (no netem: {missing})",
                place_of,
            )
