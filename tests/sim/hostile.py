"""A run in which one end has the keys and breaks the rules: what the honest end must bear.

Owns: an application that expects nothing, and the verdict over the honest end: no exception, a close only
by a legal code, bounded memory, all that the witness can see, and in the end nothing left. May not know:
what the hostile end changes (`mutator.py`).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ConnectionClosed, HandshakeError
from fastmux.protocol.handshake import PacketKeys
from network import Node
from sim.model import DatagramFlow, Flow, MessageFlow, StreamFlow, Wrong
from sim.mutator import Hostility, Mutator
from sim.plan import ALWAYS_FITS, ChannelPlan, Reading, Writing
from sim.plan import End as WritingEnd
from sim.side import Flows, Side
from sim.simulation import CLOSE_CODE, ROLES, Simulation
from sim.swarm import START
from sim.wiretap import Wiretap

HOSTILE_TIME: Final = 60.0  # seconds; then both ends close
TRANSPORT_CODES: Final = frozenset(range(c.INTERNAL, 0x13)) | {c.IDLE_TIMEOUT, c.CONNECTION_UNKNOWN}
SPARE_SIZE: Final = 1 << 20  # bytes of the core beside what is charged: tables, ledgers, control
FACTOR: Final = 4  # bytes held for a byte that was sent: blocks, copies
CHANNEL_SIZE: Final = 4096
MADE_UP: Final = 1 << 20  # numbers of channels that are in no plan begin here
_SILENT: Final = Writing(
    sizes=(),
    start_after=0.0,
    burst=0,
    pause=0.0,
    end=WritingEnd.FINISH,
    code=0,
    in_batches=False,
    watch_bursts=False,
    watch_end=False,
)
_GREEDY: Final = Reading(
    max_size=65536, in_place=False, start_after=None, burst=0, pause=0.0, stop_after=None, code=0
)


class AnyStream(StreamFlow):
    """A stream of which nothing is expected."""

    def require(self, holds: bool, text: str) -> None:
        """Whatever it is."""


class AnyMessages(MessageFlow):
    """Messages of which nothing is expected."""

    def require(self, holds: bool, text: str) -> None:
        """Whatever it is."""


class AnyDatagrams(DatagramFlow):
    """Datagrams of which nothing is expected."""

    def require(self, holds: bool, text: str) -> None:
        """Whatever it is."""


class WarySide(Side):
    """An end that takes every channel for what it is, and believes nothing that it is told of it."""

    def _make_datagrams(self) -> DatagramFlow:
        return AnyDatagrams(f"datagrams from {self.role}", ALWAYS_FITS)

    def _planned(self, channel_id: int, label: bytes) -> ChannelPlan:
        plan = self.to_accept.get(label)
        if plan is not None and channel_id & 3 == plan.kind << 1 | plan.opener:
            return self.to_accept.pop(label)
        kind = channel_id >> 1 & 1
        plan = ChannelPlan(
            number=MADE_UP + channel_id,
            opener=channel_id & 1,
            kind=kind,
            label=label,
            priority=0,
            ordered=True,
            reliability=c.RELIABLE,
            value=0,
            open_after=0.0,
            writing=(_SILENT, _SILENT),
            reading=(_GREEDY, _GREEDY),
            release_at_once=True,
            abandoned=(None, None),
        )
        for role in ROLES:
            self.flows[plan.number, role] = any_flow(plan, role)
        self.writers_left += 1
        return plan


class HostileSimulation(Simulation):
    """The same run with one end's packets changed; the other must bear it."""

    def _trusted(self) -> frozenset[int]:
        return frozenset(ROLES) - {self._hostility.role}

    def _make_flows(self) -> Flows:
        return {
            (channel.number, role): any_flow(channel, role)
            for channel in self.plan.channels
            for role in ROLES
        }

    def _make_side(self, role: int) -> Side:
        return WarySide(self.world, role, self.plan.sides[role], self.plan.channels, self.flows)

    @property
    def _hostility(self) -> Hostility:
        if self.schedule.hostility is None:
            raise ValueError("nobody is hostile in this schedule")
        return self.schedule.hostility

    def _connect(self) -> tuple[Node, Node]:
        role = self._hostility.role
        peer = self.plan.sides[1 - role].configuration
        self._tap = Wiretap(peer.connection_ids.size)
        tell = partial(self.witness.note, role)
        self._mutator = Mutator(self._tap, self._hostility.strikes, tell)
        nodes = super()._connect()
        nodes[role].tamper = self._mutator
        return nodes

    def _on_keys(self, role: int, keys: PacketKeys) -> None:
        super()._on_keys(role, keys)
        if role == self._hostility.role:
            self._tap.set_keys(keys)

    def _may_close(self) -> bool:
        self.health.step()
        self._check_memory()
        if any(side.closed is not None for side in self.sides):
            return True
        if self.world.now >= START + HOSTILE_TIME:
            return True
        return self._mutator.is_over and all(side.is_done for side in self.sides)

    def _close(self) -> None:
        if any(side.closed is not None for side in self.sides):
            return
        for side in self.sides:
            if side.connection is not None:
                side.connection.close(CLOSE_CODE, "enough", self.world.now)
                return

    def _check_memory(self) -> None:
        """What the core holds follows what was sent, never what was announced."""
        size, _ = core.live()
        channels = sum(
            side.data_path.channel_count
            for side in self.sides
            if side.connection is not None and not side.connection.is_closed
        )
        moved = self.plan.total_size + self._mutator.made_size
        limit = SPARE_SIZE + FACTOR * moved + CHANNEL_SIZE * channels
        if size > limit:
            raise Wrong(f"the core holds {size} bytes; {moved} were sent, on {channels} channels")

    def _check(self) -> None:
        honest = self.sides[1 - self._hostility.role]
        error = honest.closed
        if honest.connection is None or isinstance(error, HandshakeError):
            return
        if not isinstance(error, ConnectionClosed):
            raise Wrong(f"the honest end closed with {error!r}")
        if not (error.remote or error.code == CLOSE_CODE or error.code in TRANSPORT_CODES):
            raise Wrong(f"the honest end closed with {error}")


def any_flow(channel: ChannelPlan, role: int) -> Flow:
    """What may come on a channel if anything may."""
    name = f"channel {channel.number} from {role}"
    if channel.kind == c.KIND_STREAM:
        return AnyStream(name)
    return AnyMessages(name, ordered=False, reliable=False)
