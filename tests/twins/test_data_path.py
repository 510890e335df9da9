"""Two pairs of data paths, one of each core, do the same byte for byte, whatever is done and lost."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.pump import CLIENT_ID, DEFAULTS, SERVER_ID
from fastmux import constants as c
from twins.twins import Twins, octets

LIMITS = {
    **DEFAULTS,
    "max_data": 60_000,
    "max_channel_data": 20_000,
    "max_streams": 6,
    "max_message_channels": 6,
}
SEGMENT_SIZES = (600, 600, 600, 1452, 8952)  # a path may grow and shrink between two trains
FIGURES = (
    "bytes_in_flight",
    "largest_lost",
    "has_pending",
    "is_idle",
    "held_size",
    "channel_count",
    "last_received_at",
    "largest_non_probing",
)
FATES = ["give", "give", "swap", "twice", "lose"]
sides = st.sampled_from(["client", "server"])
choices = st.integers(0, 20)
kinds = st.integers(c.KIND_STREAM, c.KIND_MESSAGE)
modes = st.integers(c.RELIABLE, c.UNRELIABLE)
priorities = st.sampled_from([0, 0, 1, 16, 31, 32, 33, 47, 63, 64, 128, 255])
sizes = st.one_of(st.integers(0, 300), st.integers(0, 12_000))


suites = st.sampled_from([c.SUITE_NULL, c.SUITE_AES_128_GCM, c.SUITE_CHACHA20_POLY1305])


def keys(suite: int, is_client: bool, generation: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Keys and IVs of one end, to send and to receive, after so many key updates."""
    client, server = (
        (bytes([number]) * c.SUITE_KEY_SIZES[suite], bytes([number]) * 12)
        for number in (2 * generation % 256, (2 * generation + 1) % 256)
    )
    return (*client, *server) if is_client else (*server, *client)


def make(core: Any, is_client: bool, suite: int) -> Any:
    """A path with its first keys and its peer's limits."""
    path = core.DataPath(is_client, CLIENT_ID if is_client else SERVER_ID, write_limit=30_000, **LIMITS)
    path.set_peer(SERVER_ID if is_client else CLIENT_ID, **LIMITS)
    path.set_keys(suite, *keys(suite, is_client, 0))
    return path


class Machine(RuleBasedStateMachine):
    """Only what both cores do alike is known; nothing is modelled but that bytes are what was sent."""

    @initialize(suite=suites)
    def start(self, suite: int) -> None:
        self.suite = suite
        self.paths = {
            "client": Twins(lambda core: make(core, True, suite)),
            "server": Twins(lambda core: make(core, False, suite)),
        }
        self.generations = {"client": 0, "server": 0}
        self.channels: dict[str, list[int]] = {"client": [], "server": []}
        self.wire: list[tuple[str, bytes]] = []
        self.now = 10.0

    def pick(self, side: str, choice: int) -> int:
        """A channel that the side knows, or one that does not exist."""
        known = self.channels[side]
        return known[choice % len(known)] if known else 0

    @rule(
        side=sides,
        kind=st.integers(0, 1),
        priority=priorities,
        ordered=st.booleans(),
        mode=st.integers(0, 3),
        value=st.integers(0, 200),
    )
    def open(self, side: str, kind: int, priority: int, ordered: bool, mode: int, value: int) -> None:
        kind_of, channel = self.paths[side].call("open", kind, b"label", priority, ordered, mode, value)
        if kind_of == "value":
            self.channels[side].append(channel)

    @rule(side=sides, choice=choices, priority=st.one_of(priorities, st.integers(-1, 256)))
    def set_priority(self, side: str, choice: int, priority: int) -> None:
        self.paths[side].call("set_priority", self.pick(side, choice), priority)

    @rule(side=sides, choice=choices, size=sizes)
    def write(self, side: str, choice: int, size: int) -> None:
        self.paths[side].call("write", self.pick(side, choice), octets(size))

    @rule(side=sides, choice=choices, size=sizes)
    def send_message(self, side: str, choice: int, size: int) -> None:
        self.paths[side].call("send_message", self.pick(side, choice), octets(size), self.now)

    @rule(side=sides, choice=choices, drawn=st.lists(st.integers(0, 2000), max_size=30))
    def send_messages(self, side: str, choice: int, drawn: list[int]) -> None:
        self.paths[side].call("send_messages", self.pick(side, choice), list(map(octets, drawn)), self.now)

    @rule(side=sides, choice=choices, size=sizes)
    def read(self, side: str, choice: int, size: int) -> None:
        self.paths[side].call("read", self.pick(side, choice), size)

    @rule(side=sides, choice=choices, count=st.integers(0, 20))
    def take_messages(self, side: str, choice: int, count: int) -> None:
        kind, messages = self.paths[side].call("take_messages", self.pick(side, choice), count)
        if kind == "value":
            assert all(message == octets(len(message)) for message in messages)

    @rule(side=sides, choice=choices, name=st.sampled_from(["finish", "release", "watch_delivered"]))
    def end(self, side: str, choice: int, name: str) -> None:
        self.paths[side].call(name, self.pick(side, choice))

    @rule(side=sides, choice=choices, name=st.sampled_from(["reset", "stop"]), rarely=st.integers(0, 2))
    def break_off(self, side: str, choice: int, name: str, rarely: int) -> None:
        if not rarely:
            self.paths[side].call(name, self.pick(side, choice), choice)

    @rule(side=sides, size=st.integers(0, 700))
    def send_datagram(self, side: str, size: int) -> None:
        self.paths[side].value("send_datagram", octets(size))

    @rule(side=sides, token=st.integers(0, 5))
    def queue_control(self, side: str, token: int) -> None:
        self.paths[side].value("queue_control", token, b"\x32" + bytes(8))

    @rule(
        side=sides,
        threshold=st.integers(0, 12),
        delay=st.sampled_from([0.0, 0.01, 0.5]),
        reordering=st.integers(0, 6),
    )
    def set_ack_policy(self, side: str, threshold: int, delay: float, reordering: int) -> None:
        self.paths[side].value("set_ack_policy", threshold, delay, reordering)

    @rule(side=sides)
    def skip_packet_number(self, side: str) -> None:
        self.paths[side].value("skip_packet_number")

    @rule(
        side=sides,
        segments=st.integers(1, 12),
        segment_size=st.sampled_from(SEGMENT_SIZES),
        allowance=st.sampled_from([0, 1200, 10_000, 60_000]),
    )
    def fill(self, side: str, segments: int, segment_size: int, allowance: int) -> None:
        buffers = [bytearray(segments * segment_size), bytearray(segments * segment_size)]
        sizes = [
            path.fill(buffer, segment_size, allowance, self.now)
            for path, buffer in zip(self.paths[side].objects, buffers, strict=True)
        ]
        assert sizes[0] == sizes[1]
        size = sizes[0][0]
        assert buffers[0][:size] == buffers[1][:size]
        peer = "server" if side == "client" else "client"
        for at in range(0, size, segment_size):
            self.wire.append((peer, bytes(buffers[0][at : min(at + segment_size, size)])))

    @rule(
        count=st.integers(1, 10),
        choice=choices,
        fate=st.sampled_from(FATES),
    )
    def deliver(self, count: int, choice: int, fate: str) -> None:
        for _ in range(min(count, len(self.wire))):
            side, packet = self.wire.pop(choice % len(self.wire) if fate == "swap" else 0)
            for _ in range({"lose": 0, "twice": 2}.get(fate, 1)):
                self.paths[side].value("receive", packet, 0, len(packet), len(packet), self.now)
            self.learn(side)

    @rule(side=sides, choice=choices, place=st.integers(0, 40), flips_phase=st.booleans())
    def damage(self, side: str, choice: int, place: int, flips_phase: bool) -> None:
        """A copy of a packet on its way, with a forged phase bit or a byte that is wrong."""
        mine = [packet for receiver, packet in self.wire if receiver == side]
        if mine:
            copy = bytearray(mine[choice % len(mine)])
            at = 0 if flips_phase else 9 + place % (len(copy) - 9)
            copy[at] ^= c.KEY_PHASE_BIT
            self.paths[side].value("receive", copy, 0, len(copy), len(copy), self.now)

    @rule(side=sides)
    def set_next_keys(self, side: str) -> None:
        generation = self.generations[side] + 1
        new = keys(self.suite, side == "client", generation)
        kind, _ = self.paths[side].call("set_next_keys", *new)
        self.generations[side] += kind == "value"

    @rule(side=sides)
    def update_keys(self, side: str) -> None:
        self.paths[side].value("update_keys")

    @rule(side=sides)
    def drop_old_keys(self, side: str) -> None:
        self.paths[side].value("drop_old_keys")

    def learn(self, side: str) -> None:
        """Takes what the application would take after a batch."""
        for channel, flags in self.paths[side].value("take_ready"):
            if flags & c.READY_OPENED:
                self.channels[side].append(channel)
                self.paths[side].value("open_fields", channel)
        self.paths[side].value("take_control")
        self.paths[side].value("take_datagrams")
        self.paths[side].value("take_ack_summary")

    @rule(gap=st.sampled_from([0.001, 0.02, 0.2, 1.0]))
    def wait(self, gap: float) -> None:
        self.now += gap
        for side, path in self.paths.items():
            path.value("detect_losses", self.now)
            path.value("expire", self.now)
            self.learn(side)

    @rule(side=sides)
    def leave_path(self, side: str) -> None:
        self.paths[side].value("probe", 2)
        self.paths[side].value("leave_path")

    @rule(side=sides, name=st.sampled_from([b"another!", None, b"too long a name of a peer"]))
    def set_remote_id(self, side: str, name: bytes | None) -> None:
        self.paths[side].call("set_remote_id", name or (SERVER_ID if side == "client" else CLIENT_ID))

    @rule(side=sides, count=st.integers(1, 3))
    def probe(self, side: str, count: int) -> None:
        self.paths[side].value("probe", count)

    @rule(side=sides)
    def credit(self, side: str) -> None:
        compiled, pure = self.paths[side].objects
        grants = compiled.take_credit()
        assert grants == pure.take_credit()
        for channel, consumed, _, limit in grants:
            window = 60_000 if channel == c.CONNECTION_CHANNEL else 20_000
            self.paths[side].call("set_limit", channel, max(limit, consumed + window), window)

    @rule(rounds=st.integers(1, 8))
    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            for side in ("client", "server"):
                self.fill(side, 12, SEGMENT_SIZES[0], 10_000)
                self.deliver(12, 0, "give")
                self.credit(side)
                self.set_next_keys(side)
            self.now += 0.02

    @invariant()
    def same(self) -> None:
        for path in getattr(self, "paths", {}).values():
            for name in FIGURES:
                path.get(name)
            path.value("deadlines")
            path.value("counters")

    def teardown(self) -> None:
        for path in getattr(self, "paths", {}).values():
            path.value("close")


TestDataPaths = Machine.TestCase
TestDataPaths.settings = settings(stateful_step_count=100)
