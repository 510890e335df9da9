"""What the two ends of one seed are going to do: channels, sizes, pauses, ends, settings.

Owns: the drawing of it. May not know: how it is carried out, what the network does meanwhile. Drawn before
anything runs, so that nothing that happens changes what comes later.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from random import Random
from typing import Final

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds
from protocol.scripted import NINE_CERTIFICATES, SMALL, Script
from sim.faults import log_uniform

LARGE_SIZE: Final = 2_000_000  # bytes of the one large transfer that some seeds have
MAX_SMALL_MESSAGE_SIZE: Final = 200_000  # of seeds with small settings: no message but a large one is larger
ALWAYS_FITS: Final = 1100  # bytes: a datagram of this size goes through every path
KEY_UPDATE_SHARE: Final = 1 / 3
RETRY_SHARE: Final = 0.25  # of the seeds
PATIENCE: Final = 120.0  # seconds: idle and handshake timeouts, so that bad luck is not taken for an error


class End(Enum):
    """How a writer ends."""

    FINISH = "finish"
    FINISH_THEN_RESET = "finish, and a little later reset"
    RESET = "reset"


class Ending(Enum):
    """How the connection ends."""

    QUIET = "one end shuts down when all is done"
    BOTH = "both ends shut down when all is done"
    EARLY = "one end shuts down as soon as it has written everything"
    ABRUPT = "one end closes in the middle"


@dataclass(frozen=True, slots=True)
class Writing:
    """One sender: `sizes` of the pieces or messages; a pause (seconds) after every `burst` of them.

    `watch_bursts`: instead of the pause, it waits until the burst is delivered; `watch_end`: it is over when
    everything is.
    """

    sizes: tuple[int, ...]
    start_after: float
    burst: int
    pause: float
    end: End
    code: int
    in_batches: bool
    watch_bursts: bool
    watch_end: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One receiver: `max_size` bytes or messages a call; a pause (seconds) after every `burst` of calls.

    It first tries after `start_after` seconds, or when it is told that there is something (None).
    """

    max_size: int
    in_place: bool
    start_after: float | None
    burst: int
    pause: float
    stop_after: int | None  # bytes or messages
    code: int


@dataclass(frozen=True, slots=True)
class PriorityChange:
    """One end sends by another priority from `after` seconds after the channel is there."""

    after: float
    priority: int


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One channel; of each pair the opener's comes first. `abandoned`: after so many seconds, if at all."""

    number: int
    opener: int  # c.ROLE_CLIENT or c.ROLE_SERVER
    kind: int
    label: bytes
    priority: int
    ordered: bool
    reliability: int
    value: int
    open_after: float
    writing: tuple[Writing, Writing]
    reading: tuple[Reading, Reading]
    release_at_once: bool
    abandoned: tuple[float | None, float | None]
    changes: tuple[tuple[PriorityChange, ...], tuple[PriorityChange, ...]] = ((), ())


@dataclass(frozen=True, slots=True)
class DatagramPlan:
    """Datagrams of `sizes` sent together, `after` seconds after the connection opened."""

    after: float
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SidePlan:
    """What one end does besides its channels."""

    configuration: Configuration
    datagrams: tuple[DatagramPlan, ...]
    pings: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything; `sides` by role. `close_after` is for an ABRUPT end; `mtu` is the path's at first."""

    channels: tuple[ChannelPlan, ...]
    sides: tuple[SidePlan, SidePlan]
    script: Script
    ending: Ending
    closer: int
    close_after: float
    mtu: int
    total_size: int = field(compare=False)


def draw_plan(random: Random, seed: int, large_size: int) -> Plan:
    """Draw what seed `seed` does."""
    plan = _with_key_updates(_draw_plan(random, seed, large_size), Random(f"key updates {seed}"))
    return _with_retry(plan, Random(f"retry {seed}"))


def _with_retry(plan: Plan, random: Random) -> Plan:
    """Let the server of some seeds have addresses proved first, by dice of its own too."""
    if random.random() > RETRY_SHARE:
        return plan
    client, server = plan.sides
    server = replace(server, configuration=replace(server.configuration, retry="always"))
    return replace(plan, sides=(client, server))


def _with_key_updates(plan: Plan, random: Random) -> Plan:
    """Let every third seed update its keys all the time, by dice of its own: other plans stay the same."""
    if random.random() > KEY_UPDATE_SHARE:
        return plan
    suite = random.choice((c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305))
    intervals = [int(log_uniform(random, 1, 200)) for _ in plan.sides]
    client, server = (
        replace(side, configuration=replace(side.configuration, key_update_interval=interval))
        for side, interval in zip(plan.sides, intervals, strict=True)
    )
    return replace(plan, sides=(client, server), script=replace(plan.script, suite=suite))


def _draw_plan(random: Random, seed: int, large_size: int) -> Plan:
    has_large = random.random() < 0.03
    count = random.choice((1, 2, 3, 4, 6, 8, 12, 20))
    volume = random.choice((2_000, 20_000, 200_000, 200_000)) // (1 if count < 6 else 2)
    channels = [_draw_channel(random, number, volume) for number in range(count)]
    if has_large:
        channels.append(draw_large(random, count, large_size))
    # Drawn apart, so that the rest of a seed does not depend on it.
    priorities = Random(f"fastmux priorities {seed}")
    if priorities.random() < 0.5:
        channels = [_mix_priorities(priorities, channel) for channel in channels]
    mtu = random.choice((1300, 1452, 1500, 1500, 1500, 1500, 1500, 1500, 9000, c.MAX_UDP_PAYLOAD))
    suite = random.choice((c.SUITE_NULL,) * 7 + (c.SUITE_AES_128_GCM,) * 2 + (c.SUITE_CHACHA20_POLY1305,))
    flights = SMALL if random.random() < 0.8 else NINE_CERTIFICATES
    script = Script(
        hello_size=flights.hello_size,
        server_size=flights.server_size,
        finish_size=flights.finish_size,
        suite=suite,
        seed=seed.to_bytes(8, "big"),
    )
    return Plan(
        channels=tuple(channels),
        sides=(_draw_side(random, has_large, mtu), _draw_side(random, has_large, mtu)),
        script=script,
        ending=random.choice((Ending.QUIET,) * 5 + (Ending.BOTH,) + (Ending.EARLY,) * 3 + (Ending.ABRUPT,)),
        closer=random.randrange(2),
        close_after=log_uniform(random, 0.01, 5.0),
        mtu=mtu,
        total_size=sum(sum(writing.sizes) for channel in channels for writing in channel.writing),
    )


# --- channels -----------------------------------------------------------------------------------------


def _draw_channel(random: Random, number: int, volume: int) -> ChannelPlan:
    kind = random.choice((c.KIND_STREAM, c.KIND_MESSAGE))
    reliability, value = c.RELIABLE, 0
    ordered = True
    if kind == c.KIND_MESSAGE:
        ordered = random.random() < 0.5
        reliability = random.choice((c.RELIABLE, c.RELIABLE, c.MAX_RETRANSMITS, c.LIFETIME, c.UNRELIABLE))
        if reliability == c.MAX_RETRANSMITS:
            value = random.randrange(6)
        elif reliability == c.LIFETIME:
            value = int(log_uniform(random, 20, 5000))
    draw_sizes = _draw_pieces if kind == c.KIND_STREAM else _draw_messages
    writings = tuple(_draw_writing(random, draw_sizes(random, volume)) for _ in range(2))
    readings = tuple(_draw_reading(random, kind, writing) for writing in reversed(writings))
    abandoned: list[float | None] = [None, None]
    if random.random() < 0.05:
        abandoned[random.randrange(2)] = log_uniform(random, 0.001, 3.0)
    return ChannelPlan(
        number=number,
        opener=random.randrange(2),
        kind=kind,
        label=b"%d:" % number + b"x" * random.choice((0, 0, 0, 5, 200)),
        priority=random.choice((0, 0, 0, 1, 7)),
        ordered=ordered,
        reliability=reliability,
        value=value,
        open_after=random.choice((0.0, 0.0, log_uniform(random, 0.001, 3.0))),
        writing=(writings[0], writings[1]),
        reading=(readings[0], readings[1]),
        release_at_once=random.random() < 0.5,
        abandoned=(abandoned[0], abandoned[1]),
    )


def draw_large(random: Random, number: int, size: int) -> ChannelPlan:
    """A channel that carries `size` bytes one way, as a stream or in two messages, without tricks."""
    kind = random.choice((c.KIND_STREAM, c.KIND_MESSAGE))
    sizes = (65536,) * (size // 65536) if kind == c.KIND_STREAM else (size // 2, size // 2)
    writings = tuple(
        Writing(
            sizes=sizes,
            start_after=0.0,
            burst=0,
            pause=0.0,
            end=End.FINISH,
            code=0,
            in_batches=False,
            watch_bursts=False,
            watch_end=True,
        )
        for sizes in (sizes, ())
    )
    reading = Reading(
        max_size=65536 if kind == c.KIND_STREAM else 1,
        in_place=random.random() < 0.5 and kind == c.KIND_STREAM,
        start_after=None,
        burst=0,
        pause=0.0,
        stop_after=None,
        code=0,
    )
    return ChannelPlan(
        number=number,
        opener=random.randrange(2),
        kind=kind,
        label=b"%d:large" % number,
        priority=0,
        ordered=True,
        reliability=c.RELIABLE,
        value=0,
        open_after=0.0,
        writing=(writings[0], writings[1]),
        reading=(reading, reading),
        release_at_once=False,
        abandoned=(None, None),
    )


def _mix_priorities(random: Random, channel: ChannelPlan) -> ChannelPlan:
    """Give the channel any priority, and some ends a change or two of theirs."""
    changes = tuple(
        tuple(
            PriorityChange(log_uniform(random, 0.001, 5.0), random.randrange(256))
            for _ in range(random.choice((0, 0, 0, 1, 2)))
        )
        for _ in range(2)
    )
    priority = random.choice((0, 31, 32, random.randrange(256)))
    return replace(channel, priority=priority, changes=(changes[0], changes[1]))


def _draw_pieces(random: Random, volume: int) -> tuple[int, ...]:
    if random.random() < 0.15:
        return ()
    left = int(log_uniform(random, 1, volume))
    pieces = []
    while left:
        size = min(left, int(log_uniform(random, max(1, left / 200), 65536)))
        pieces.append(size)
        left -= size
    return tuple(pieces)


def _draw_messages(random: Random, volume: int) -> tuple[int, ...]:
    if random.random() < 0.15:
        return ()
    largest = log_uniform(random, 1, volume)
    count = min(int(log_uniform(random, 1, 60)), max(1, int(3 * volume / largest)))
    special = (0, 1, c.FRAGMENT_UNIT - 1, c.FRAGMENT_UNIT, c.FRAGMENT_UNIT + 1)
    return tuple(
        random.choice(special) if random.random() < 0.1 else int(log_uniform(random, 1, largest))
        for _ in range(count)
    )


def _draw_writing(random: Random, sizes: tuple[int, ...]) -> Writing:
    end = End.FINISH
    kept = sizes
    if random.random() < 0.12:
        end = random.choice((End.RESET, End.RESET, End.FINISH_THEN_RESET))
        kept = sizes[: random.randint(0, len(sizes))]
    return Writing(
        sizes=kept,
        start_after=random.choice((0.0, 0.0, 0.0, log_uniform(random, 0.001, 10.0))),
        burst=random.choice((0, 0, 1, 5)),
        pause=log_uniform(random, 0.0005, 0.3),
        end=end,
        code=random.randrange(1 << 14),
        in_batches=random.random() < 0.3,
        watch_bursts=random.random() < 0.3,
        watch_end=random.random() < 0.5,
    )


def _draw_reading(random: Random, kind: int, writing: Writing) -> Reading:
    total = sum(writing.sizes) if kind == c.KIND_STREAM else len(writing.sizes)
    max_size = random.choice((1, 3, 64))
    if kind == c.KIND_STREAM:
        max_size = random.choice((100, 4096, 65536, 1 << 20) if total > 2000 else (1, 7, 65536))
    calls = total // max_size + 1
    burst = random.choice((0, 0, max(1, calls // 5), max(1, calls // 50)))
    return Reading(
        max_size=max_size,
        in_place=random.random() < 0.3,
        start_after=random.choice((None, None, 0.0, log_uniform(random, 0.001, 10.0))),
        burst=burst,
        pause=log_uniform(random, 0.0005, 0.3),
        stop_after=random.randint(0, total) if random.random() < 0.12 else None,
        code=random.randrange(1 << 14),
    )


# --- the rest -----------------------------------------------------------------------------------------


def _draw_side(random: Random, has_large: bool, mtu: int) -> SidePlan:
    datagrams = []
    if random.random() < 0.5:
        for _ in range(random.randint(1, 4)):
            largest = random.choice((ALWAYS_FITS, ALWAYS_FITS, 20_000))
            sizes = tuple(int(log_uniform(random, 1, largest)) for _ in range(random.choice((1, 3, 20))))
            datagrams.append(DatagramPlan(log_uniform(random, 0.001, 3.0), sizes))
    pings = tuple(log_uniform(random, 0.001, 5.0) for _ in range(random.choice((0, 0, 1, 3))))
    return SidePlan(_draw_configuration(random, has_large, mtu), tuple(datagrams), pings)


def _draw_configuration(random: Random, has_large: bool, mtu: int) -> Configuration:
    """Settings: half of the time defaults, else small windows, few channels, little room."""
    settings: dict[str, int] = {}
    if random.random() < 0.5 and not has_large:
        channel_window = int(log_uniform(random, 1024, 65536))
        settings = {
            "channel_window": channel_window,
            "connection_window": int(log_uniform(random, max(channel_window, 4096), 1 << 20)),
            "max_channel_window": int(log_uniform(random, channel_window, 1 << 20)),
            "max_connection_window": int(log_uniform(random, 1 << 16, 1 << 22)),
            "write_limit": int(log_uniform(random, 1024, 1 << 20)),
            "max_streams": random.choice((1, 2, 5, 100)),
            "max_message_channels": random.choice((1, 2, 5, 100)),
            "connection_id_size": random.randint(c.MIN_CONNECTION_ID_SIZE, c.MAX_CONNECTION_ID_SIZE),
            "max_datagram_size": random.choice(
                (1200, 1300, c.MAX_PLPMTU, c.DEFAULT_MAX_DATAGRAM_SIZE, c.MAX_UDP_PAYLOAD)
            ),
            "max_message_size": MAX_SMALL_MESSAGE_SIZE,
        }
        window = settings["connection_window"]
        settings["max_connection_window"] = max(settings["max_connection_window"], window)
        settings["budget"] = int(log_uniform(random, window, 1 << 23))
    return Configuration(
        idle_timeout=PATIENCE,
        handshake_timeout=PATIENCE,
        connection_ids=RandomIds(settings.get("connection_id_size", c.DEFAULT_CONNECTION_ID_SIZE)),
        max_datagram_size=mtu
        if mtu > 1500
        else settings.get("max_datagram_size", c.DEFAULT_MAX_DATAGRAM_SIZE),
        max_streams=settings.get("max_streams", c.DEFAULT_MAX_STREAMS),
        max_message_channels=settings.get("max_message_channels", c.DEFAULT_MAX_MESSAGE_CHANNELS),
        channel_window=settings.get("channel_window", c.INITIAL_CHANNEL_WINDOW),
        max_channel_window=settings.get("max_channel_window", c.MAX_CHANNEL_WINDOW),
        connection_window=settings.get("connection_window", c.INITIAL_CONNECTION_WINDOW),
        max_connection_window=settings.get("max_connection_window", c.MAX_CONNECTION_WINDOW),
        budget=settings.get("budget", c.CONNECTION_BUDGET),
        max_message_size=settings.get("max_message_size", c.MAX_MESSAGE_SIZE),
        write_limit=settings.get("write_limit", c.WRITE_LIMIT),
    )
