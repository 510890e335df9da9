"""One seed, from the first datagram to the last byte freed.

Owns: the course of a run and its verdict. May not know: how anything is drawn, what is delivered when.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ConnectionClosed
from network import Node, Stuck
from protocol.scripted import ScriptedHandshake
from sim.clockwork import Clockwork
from sim.faults import Faults, draw_faults
from sim.model import Flow, MessageFlow, StreamFlow, Wrong
from sim.moves import Move, carry_out, draw_moves
from sim.plan import LARGE_SIZE, ChannelPlan, Ending, Plan, draw_plan
from sim.side import Flows, Side

FAULTY_TIME: Final = 60.0  # seconds of faults; then the path is calm and everything has to finish
CALM_TIME: Final = 900.0
CLOSE_CODE: Final = 77
IS_PURE: Final = core.IMPLEMENTATION == "python"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `digest` is the hash of all datagrams and events; `seconds` are virtual.

    `key_updates` are those that both ends saw, the larger count; `migrations` those of both.
    """

    digest: str
    seconds: float
    datagrams: int
    size: int
    key_updates: int
    migrations: int


class Simulation:
    """The two ends of one seed. Run it once."""

    def __init__(self, seed: int) -> None:
        random = Random(f"fastmux {seed}")
        self.world = Clockwork(seed)
        self.plan: Plan = draw_plan(random, seed, LARGE_SIZE // 10 if IS_PURE else LARGE_SIZE)
        min_rate = max(30_000.0, self.plan.total_size / 20)
        self.faults: Faults = draw_faults(random, self.world.now, min_rate, self.plan.mtu)
        self.moves: tuple[Move, ...] = () if self.faults.is_gentle else draw_moves(Random(f"moves {seed}"))
        self.flows: Flows = {
            (channel.number, role): _flow(channel, role, is_lossless=self.faults.is_gentle)
            for channel in self.plan.channels
            for role in (c.ROLE_CLIENT, c.ROLE_SERVER)
        }
        self.sides = [self._side(role) for role in (c.ROLE_CLIENT, c.ROLE_SERVER)]
        for role in (c.ROLE_CLIENT, c.ROLE_SERVER):
            self.sides[role].datagrams_in = self.sides[1 - role].datagrams_out
        self._close_is_due = False

    def run(self) -> Outcome:
        """Run to the end. Raises whatever is wrong: `Wrong`, `Stuck`, or what the code under test raised."""
        world = self.world
        client, server = self._connect()
        try:
            world.run(self._may_close, FAULTY_TIME + CALM_TIME)
            self._close()
            self._apply(self.faults.calm())  # the rest is about the close alone
            world.run(self._is_over, CALM_TIME)
        except Stuck as stuck:
            raise Stuck(f"{stuck}; {self._describe()}") from None
        self._check()
        for node in (client, server):
            if node.endpoint.deadline() is not None:
                raise Wrong(f"{node.name} has a deadline and no connection")
        for side in self.sides:
            side.discard()
        return Outcome(
            digest=world.trace.digest(),
            seconds=world.now - 100.0,
            datagrams=world.trace.datagrams,
            size=self.plan.total_size,
            key_updates=max(side.key_updates for side in self.sides),
            migrations=sum(side.migrations for side in self.sides),
        )

    # --- the course ---------------------------------------------------------------------------------

    def _connect(self) -> tuple[Node, Node]:
        world, script = self.world, self.plan.script
        client_plan, server_plan = self.plan.sides
        client = world.add("client", client_plan.configuration)
        server = world.add(
            "server", server_plan.configuration, accept=lambda: ScriptedHandshake(False, script)
        )
        self._nodes = (client, server)
        self._apply(self.faults)
        world.call_after(FAULTY_TIME, lambda: self._apply(self.faults.calm()))
        for side, node in zip(self.sides, self._nodes, strict=True):
            node.application = side.on_event
            side.on_open = self._on_open
        client.endpoint.connect(server.address, ScriptedHandshake(True, script), world.now)
        return client, server

    def _on_open(self) -> None:
        self._schedule_moves()
        if self.plan.ending is Ending.ABRUPT and all(side.is_open for side in self.sides):
            self.world.call_after(self.plan.close_after, self._close_abruptly)

    def _schedule_moves(self) -> None:
        """As soon as the client's end is open."""
        connection = self.sides[c.ROLE_CLIENT].connection
        if connection is None or not self.sides[c.ROLE_CLIENT].is_open:
            return
        moves, self.moves = self.moves, ()
        for number, move in enumerate(moves):
            act = partial(carry_out, move, number, self.world, self._nodes[0], connection)
            self.world.call_after(move.after, act)

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
        for side in self.sides:
            if side.closed is not None:
                raise Wrong(f"end {side.role} was closed in the middle: {side.closed}; {self._describe()}")
        if self.plan.ending is Ending.ABRUPT:
            return self._close_is_due
        if self.plan.ending is Ending.EARLY:
            side = self.sides[self.plan.closer]
            return side.is_open and not side.writers_left
        is_done = all(side.is_done and not side.data_path.channel_count for side in self.sides)
        if is_done and any(side.data_path.held_size for side in self.sides):
            raise Wrong("bytes are held, and no channel is left")
        return is_done

    def _close(self) -> None:
        sides = self.sides if self.plan.ending is Ending.BOTH else [self.sides[self.plan.closer]]
        for side in sides:
            if side.connection is None:
                raise Wrong("no connection to close")
            if self.plan.ending is Ending.ABRUPT:
                side.connection.close(CLOSE_CODE, "abrupt", self.world.now)
            else:
                side.connection.shutdown(CLOSE_CODE, "done", self.world.now)

    def _is_over(self) -> bool:
        return not any(node.endpoint.connections for node in self._nodes)

    # --- the verdict --------------------------------------------------------------------------------

    def _check(self) -> None:
        for side in self.sides:
            self._check_close(side)
        client, server = self.sides
        if abs(client.key_updates - server.key_updates) > 1:
            raise Wrong(f"the ends updated keys {client.key_updates} and {server.key_updates} times")
        is_promised = self.plan.ending in (Ending.QUIET, Ending.BOTH)
        for (_, role), flow in self.flows.items():
            if is_promised or (self.plan.ending is Ending.EARLY and role == self.plan.closer):
                flow.check()
        if self.plan.ending is Ending.QUIET and self.faults.is_gentle:
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

    def _side(self, role: int) -> Side:
        return Side(self.world, role, self.plan.sides[role], self.plan.channels, self.flows)


def _flow(channel: ChannelPlan, role: int, *, is_lossless: bool) -> Flow:
    name = f"channel {channel.number} from {role}"
    if channel.kind == c.KIND_STREAM:
        return StreamFlow(name)
    is_kept = is_lossless and channel.reliability != c.LIFETIME
    return MessageFlow(name, ordered=channel.ordered, reliable=channel.reliability == c.RELIABLE or is_kept)


def run_seed(seed: int) -> Outcome:
    """Run one seed. Raises what is wrong with it; afterwards nothing of it is left."""
    simulation = Simulation(seed)
    outcome = simulation.run()
    del simulation
    if core.live() != (0, 0):
        gc.collect()
    if core.live() != (0, 0):
        raise Wrong(f"left over: {core.live()} (bytes, objects)")
    return outcome
