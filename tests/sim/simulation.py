"""One seed, from the first datagram to the last byte freed.

Owns: the course of a run and its verdict. May not know: how anything is drawn, what is delivered when.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed, HandshakeError
from fastmux.protocol.handshake import Handshake, PacketKeys
from network import Node, Stuck
from network.attacker import Attack, Attacker
from protocol.scripted import ScriptedHandshake
from sim.clockwork import Clockwork
from sim.faults import Faults
from sim.health import Health
from sim.model import Flow, MessageFlow, StreamFlow, Wrong
from sim.moves import carry_out
from sim.plan import ChannelPlan, Ending
from sim.real import tls_handshake
from sim.schedule import Schedule
from sim.side import Flows, Side
from sim.swarm import START
from sim.wiretap import Listened
from sim.witness import Witness

FAULTY_TIME: Final = 60.0  # seconds of faults; then the path is calm and everything has to finish
CALM_TIME: Final = 900.0
CLOSE_CODE: Final = 77
TOLERANCE: Final = 1e-6  # seconds
ROLES: Final = (c.ROLE_CLIENT, c.ROLE_SERVER)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `digest` is the hash of all datagrams and events, `told` that of the events alone;
    `seconds` are virtual, `packets` those that the witness opened, `closes` how each end's connection ended.

    `key_updates` are those that both ends saw, the larger count; `migrations` those of both.
    """

    digest: str
    told: str
    seconds: float
    datagrams: int
    packets: int
    size: int
    key_updates: int
    migrations: int
    closes: tuple[str, ...]


class Simulation:
    """The two ends of one schedule. Run it once."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.plan = schedule.plan
        self.world = Clockwork(schedule.seed)
        client, server = (side.configuration for side in self.plan.sides)
        self.witness = Witness((client, server), self._trusted())
        self.flows = self._make_flows()
        self.sides = [self._make_side(role) for role in ROLES]
        for role in ROLES:
            self.sides[role].datagrams_in = self.sides[1 - role].datagrams_out
        self.health = Health(self.world, self.sides, self.witness)
        self._moves = schedule.moves
        self._attacker: Attacker | None = None
        self._begun: set[Attack] = set()
        self._is_calm = False
        self._was_cut = False  # by a timeout of an end
        self._close_is_due = False

    def run(self) -> Outcome:
        """Run to the end. Raises whatever is wrong: `Wrong`, `Stuck`, or what the code under test raised."""
        world = self.world
        nodes = self._connect()
        try:
            world.run(self._may_close, FAULTY_TIME + CALM_TIME)
            self._close()
            self._calm()  # the rest is about the close alone
            world.run(self._is_over, CALM_TIME)
        except Stuck as stuck:
            raise Stuck(f"{stuck}; {self._describe()}") from None
        self._check()
        self.health.scan()
        for node in nodes:
            if node.endpoint.deadline() is not None:
                raise Wrong(f"{node.name} has a deadline and no connection")
        for side in self.sides:
            side.discard()
        self.health.check_closed()
        return self._outcome()

    def _outcome(self) -> Outcome:
        world, sides = self.world, [side for side in self.sides if side.connection is not None]
        return Outcome(
            digest=world.trace.digest(),
            told=world.trace.told(),
            seconds=world.now - START,
            datagrams=world.trace.datagrams,
            packets=self.witness.packets,
            size=self.plan.total_size,
            key_updates=max((side.key_updates for side in sides), default=0),
            migrations=sum(side.migrations for side in sides),
            closes=tuple(str(side.closed) for side in self.sides),
        )

    # --- what other kinds of runs make otherwise ----------------------------------------------------

    def _trusted(self) -> frozenset[int]:
        """The roles that must keep the rules."""
        return frozenset(ROLES)

    def _make_flows(self) -> Flows:
        is_lossless = self.schedule.is_lossless
        return {
            (channel.number, role): make_flow(channel, role, is_lossless=is_lossless)
            for channel in self.plan.channels
            for role in ROLES
        }

    def _make_side(self, role: int) -> Side:
        return Side(self.world, role, self.plan.sides[role], self.plan.channels, self.flows)

    # --- the course ---------------------------------------------------------------------------------

    def _connect(self) -> tuple[Node, Node]:
        world = self.world
        client_plan, server_plan = self.plan.sides
        client = world.add("client", client_plan.configuration)
        server = world.add("server", server_plan.configuration, accept=lambda: self._handshake(c.ROLE_SERVER))
        self._nodes = (client, server)
        self.witness.name((client.name, server.name))
        world.watcher = self.witness
        self._apply(self.schedule.faults)
        world.call_after(FAULTY_TIME, self._calm)
        for side, node in zip(self.sides, self._nodes, strict=True):
            node.application = side.on_event
            side.on_open = self._on_open
        if self.schedule.attacks:
            self._attacker = world.intruder = Attacker(world, server.address)
        self._schedule_attacks(is_late=False)
        handshake = self._handshake(c.ROLE_CLIENT)
        self.sides[c.ROLE_CLIENT].connection = client.endpoint.connect(server.address, handshake, world.now)
        return client, server

    def _handshake(self, role: int) -> Handshake:
        is_client = role == c.ROLE_CLIENT
        handshake = (
            tls_handshake(is_client)
            if self.schedule.uses_tls
            else ScriptedHandshake(is_client, self.plan.script)
        )
        return Listened(handshake, partial(self._on_keys, role))

    def _on_keys(self, role: int, keys: PacketKeys) -> None:
        self.witness.senders[role].tap.set_keys(keys)

    def _on_open(self) -> None:
        if self.sides[c.ROLE_CLIENT].is_open:
            self._schedule_attacks(is_late=True)
        self._schedule_moves()
        if self.plan.ending is Ending.ABRUPT and all(side.is_open for side in self.sides):
            self.world.call_after(self.plan.close_after, self._close_abruptly)

    def _schedule_moves(self) -> None:
        """As soon as the client's end is open."""
        connection = self.sides[c.ROLE_CLIENT].connection
        if connection is None or not self.sides[c.ROLE_CLIENT].is_open:
            return
        moves, self._moves = self._moves, ()
        for number, move in enumerate(moves):
            act = partial(carry_out, move, number, self.world, self._nodes[0], connection)
            self.world.call_after(move.after, act)

    def _schedule_attacks(self, *, is_late: bool) -> None:
        attacker = self._attacker
        if attacker is not None:
            for attack in self.schedule.attacks:
                if attack.is_late == is_late and attack not in self._begun:
                    self._begun.add(attack)
                    self.world.call_after(attack.after, partial(self._attack, attacker, attack))

    def _attack(self, attacker: Attacker, attack: Attack) -> None:
        if not self._is_calm:
            attacker.act(attack)

    def _calm(self) -> None:
        """The second phase: no faults, nobody interferes."""
        self._is_calm = True
        self.world.intruder = None
        self._apply(self.schedule.faults.calm())

    def _apply(self, faults: Faults) -> None:
        client, server = self._nodes
        for source, target, conditions in (
            (client, server, faults.to_server),
            (server, client, faults.to_client),
        ):
            self.world.link(source, target).conditions = conditions
            for link in self.world.links(source, target):
                link.conditions = conditions

    def _close_abruptly(self) -> None:
        self._close_is_due = True

    def _may_close(self) -> bool:
        """True when the moment for the planned close has come. Raises `Wrong` for any other close."""
        self.health.step()
        if any(side.closed is not None for side in self.sides):
            for side in self.sides:
                self._check_early_close(side)
            return True
        if self.plan.ending is Ending.ABRUPT:
            return self._close_is_due
        if self.plan.ending is Ending.EARLY:
            side = self.sides[self.plan.closer]
            return side.is_open and not side.writers_left
        is_done = all(side.is_done and not side.data_path.channel_count for side in self.sides)
        if is_done and any(side.data_path.held_size for side in self.sides):
            raise Wrong("bytes are held, and no channel is left")
        return is_done

    def _check_early_close(self, side: Side) -> None:
        """A close that nobody planned: only silence may bring it about, and only where that is possible."""
        error = side.closed
        if error is None:
            return
        if isinstance(error, HandshakeError) and self.witness.reach.were_tokens_late:
            self._was_cut = True  # a client takes one Retry only
            return
        if self.witness.was_list_changed and "does not speak version" in str(error):
            self._was_cut = True  # nothing protects the version of a first packet and the list that answers
            return
        if not self.schedule.may_fall_silent:
            raise Wrong(f"end {side.role} was closed in the middle: {error}; {self._describe()}")
        self._was_cut = True
        waited = self.world.now - self.witness.senders[side.role].heard_at
        if isinstance(error, HandshakeError):
            timeout = side.configuration.handshake_timeout
            waited = self.world.now - START
            is_due = not side.is_open and timeout is not None and waited >= timeout - TOLERANCE
        else:
            timeout = side.configuration.idle_timeout
            is_silent = getattr(error, "code", None) == c.IDLE_TIMEOUT
            is_due = is_silent and timeout is not None and waited >= timeout - TOLERANCE
        if not is_due:
            raise Wrong(f"end {side.role} gave up after {waited} s: {error}; {self._describe()}")

    def _close(self) -> None:
        sides = self.sides if self.plan.ending is Ending.BOTH else [self.sides[self.plan.closer]]
        if self._was_cut:
            return
        for side in sides:
            if side.connection is None:
                raise Wrong("no connection to close")
            if self.plan.ending is Ending.ABRUPT:
                side.connection.close(CLOSE_CODE, "abrupt", self.world.now)
            else:
                side.connection.shutdown(CLOSE_CODE, "done", self.world.now)

    def _is_over(self) -> bool:
        self.health.step()
        return not any(node.endpoint.connections for node in self._nodes)

    # --- the verdict --------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._was_cut:
            return  # nothing is promised but what was checked all the time
        for side in self.sides:
            self._check_close(side)
        client, server = self.sides
        if abs(client.key_updates - server.key_updates) > 1:
            raise Wrong(f"the ends updated keys {client.key_updates} and {server.key_updates} times")
        is_promised = self.plan.ending in (Ending.QUIET, Ending.BOTH)
        for (_, role), flow in self.flows.items():
            if is_promised or (self.plan.ending is Ending.EARLY and role == self.plan.closer):
                flow.check()
        if self.plan.ending is Ending.QUIET and self.schedule.is_lossless:
            self.sides[self.plan.closer].datagrams_out.check()  # the other end's may wait yet

    def _check_close(self, side: Side) -> None:
        error = side.closed
        if not isinstance(error, ConnectionClosed):
            raise Wrong(f"end {side.role} closed with {error!r}")
        is_closer = side.role == self.plan.closer or self.plan.ending is Ending.BOTH
        is_own = error.code == CLOSE_CODE and (is_closer or error.remote)
        # who has not heard the close is left with silence, or hears that nobody knows it any more
        is_missed = error.code in (c.IDLE_TIMEOUT, c.CONNECTION_UNKNOWN) and not is_closer
        if not (is_own or is_missed):
            raise Wrong(f"end {side.role} closed with {error}")

    def _describe(self) -> str:
        lines = [f"ending {self.plan.ending.name}, closer {self.plan.closer}"]
        for side in self.sides:
            lines.append(
                f"end {side.role}: open {side.is_open}, closed {side.closed}, channels {sorted(side.users)}, "
                f"to open {len(side.to_open)}, to accept {len(side.to_accept)}, pings {side.pings_left}, "
                f"writers {side.writers_left}"
            )
        lines += [f"{flow.name}: {flow}" for flow in self.flows.values()]
        return "\n  ".join(lines)


def make_flow(channel: ChannelPlan, role: int, *, is_lossless: bool) -> Flow:
    """What the end with this role sends on the channel."""
    name = f"channel {channel.number} from {role}"
    if channel.kind == c.KIND_STREAM:
        return StreamFlow(name)
    is_kept = is_lossless and channel.reliability != c.LIFETIME
    return MessageFlow(name, ordered=channel.ordered, reliable=channel.reliability == c.RELIABLE or is_kept)
