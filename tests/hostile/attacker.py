"""Who attacks: with a connection of its own that may say anything, with half a handshake, or with neither.

Owns: the making of hostile packets. May not know: what an attack is for, what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.events import Address
from fastmux.protocol.handshake_packets import HandshakePackets
from fastmux.protocol.retry import Retry
from hostile.world import Client, Shot, World
from protocol.scripted import SMALL, Script, ScriptedHandshake

Frame = tuple[object, ...]
Shots = Iterator[Shot]
HERE: Address = ("10.9.9.9", 9)


def host(number: int) -> Address:
    """One of sixteen million."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 1 + (number >> 24)


class Attacker:
    """Shots of one attacker at the server of a world, always the same ones for the same seed."""

    def __init__(self, world: World, victim: Client, seed: int = 1, dense: int = 10) -> None:
        self.world = world
        self.victim = victim
        self.dense = dense  # frames of a packet that is full of them: the pure core takes a while for more
        self.dice = Random(seed)
        self._buffer = bytearray(65536)
        self._client: Client | None = None
        self._count = 0
        self._newest = 0  # number of the server's that was acknowledged

    # --- with a connection ------------------------------------------------------------------------------

    def connect(self, *, is_mute: bool = True) -> Client:
        """Open a connection of its own. By default nothing goes by it but what is shot."""
        self._count += 1
        self._client = self.world.connect(f"attacker {self._count}")
        self._newest = 0
        if is_mute:
            self.world.mute(self._client)
        return self._client

    @property
    def has_connection(self) -> bool:
        """True once `connect` was called."""
        return self._client is not None

    @property
    def client(self) -> Client:
        """The newest connection."""
        assert self._client is not None
        return self._client

    def raw(self, payload: bytes, source: Address | None = None, *, token: int = 0) -> Shot:
        """A packet of these bytes, whatever they mean, under the keys of the connection.

        With a token the attacker's own end takes note of its acknowledgement.
        """
        now = self.world.network.now
        size = self.client.near.data_path.build_packet(self._buffer, payload, 0, token, now)
        return Shot(bytes(self._buffer[:size]), source or self.client.node.address)

    def say(self, *frames: Frame, source: Address | None = None) -> Shot:
        """A packet of these frames."""
        return self.raw(b"".join(core.encode_frame(frame) for frame in frames), source)

    def now(self, *frames: Frame) -> None:
        """Such a packet arrives at once, beside the shots."""
        self.world.shoot([self.say(*frames)])

    def acknowledged(self) -> Frame:
        """An acknowledgement of what the server sent on the connection since the last one."""
        numbers = self.world.numbers[self.client.near.ids.local]
        self._newest = max([self._newest, *numbers])
        ranges: list[tuple[int, int]] = []
        for number in sorted({*numbers, self._newest}, reverse=True)[: c.MAX_ACK_RANGES_SENT]:
            if ranges and ranges[-1][0] == number + 1:
                ranges[-1] = (number, ranges[-1][1])
            else:
                ranges.append((number, number + 1))
        numbers.clear()
        return (c.FRAME_ACK, 0.0, tuple(ranges))

    def have_written(self) -> int:
        """The server's application fills a stream of its own; returns the channel's id."""
        far = self.client.far
        self.now((c.FRAME_MAX_DATA, 1 << 40), (c.FRAME_MAX_CHANNELS, c.KIND_STREAM, 1 << 20))
        channel_id = far.data_path.open(c.KIND_STREAM)
        while far.data_path.unsent_size(channel_id) < far.configuration.write_limit:
            far.data_path.write(channel_id, bytes(1 << 16))
        far.touch()
        return channel_id

    # --- with half a handshake --------------------------------------------------------------------------

    def half(self, number: int, source: Address = HERE) -> HalfOpen:
        """A handshake of one's own, of which every packet is made by hand."""
        return HalfOpen(b"%08d" % number, source)


class HalfOpen:
    """A client that has begun a handshake."""

    def __init__(self, first_id: bytes, source: Address, source_id: bytes = b"attacker") -> None:
        self.source = source
        self._number = 0
        self._packets = HandshakePackets(
            is_client=True,
            version=c.VERSION_1,
            local_id=source_id,
            remote_id=first_id,
            first_id=first_id,
        )

    def redirect(self, retry: Retry) -> None:
        """Go on as this Retry says."""
        self._packets.redirect(*retry)

    def say(self, *frames: Frame, token: bytes = b"", size: int = c.MIN_INITIAL_DATAGRAM_SIZE) -> Shot:
        """A handshake packet of these frames."""
        return self.raw(b"".join(core.encode_frame(frame) for frame in frames), token=token, size=size)

    def raw(self, payload: bytes, *, token: bytes = b"", size: int = c.MIN_INITIAL_DATAGRAM_SIZE) -> Shot:
        """A handshake packet of these bytes."""
        self._packets.token = token
        payload = payload.ljust(size - self._packets.overhead, b"\0")
        packet = self._packets.seal(self._number, payload)
        self._number += 1
        return Shot(packet, self.source)

    def knock(self, hello: bytes | None = None, parameters: bytes = b"", token: bytes = b"") -> Shot:
        """The first packet: PARAMETERS and the first flight, the right one unless another is given."""
        if hello is None:
            handshake = ScriptedHandshake(True)
            handshake.start()
            hello = handshake.send()
        frames: list[Frame] = [(c.FRAME_PARAMETERS, parameters), (c.FRAME_HANDSHAKE, 0, hello)]
        return self.say(*frames, token=token)


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to be hostile.

    `begin` gives shots without end, or up to the one that breaks a rule. `code` is that with which the
    attacked connection then closes, None if it never does. `growth` is the most that may stay of it, in
    bytes of the core and of fastmux's Python. `shots` are how many show that, `at_once` of them arriving in
    each millisecond.
    """

    row: str
    name: str
    begin: Callable[[Attacker], Shots]
    code: int | None = None
    growth: int = 65_536
    shots: int = 140
    at_once: int = 5
    script: Script = field(default=SMALL)
