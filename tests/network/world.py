"""The network itself: the clock, the datagrams on their way, and who is called when.

Owns: time and order. May not know: what the nodes do, what the links do to a datagram.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import NamedTuple, Protocol

from fastmux.protocol.configuration import Configuration
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address
from fastmux.protocol.handshake import Handshake
from network.conditions import Conditions
from network.link import Link
from network.node import Node
from network.trace import Trace

MAX_STEPS_AT_ONCE = 2000  # calls without the clock moving: more is a loop
MAX_IDLE_TIMEOUTS = 8  # in a row of one node that leave a deadline that has passed: more is a loop


class Watcher(Protocol):
    """Sees every datagram, when it is sent and when it arrives, and changes none. It may raise."""

    def sent(self, node: Node, source: Address, target: Address, data: bytes, now: float) -> None:
        """A node sent it, from one of its addresses."""
        ...

    def delivered(self, node: Node, source: Address, data: bytes, now: float) -> None:
        """It is about to reach a node."""
        ...


class Way(NamedTuple):
    """How a datagram goes: from where, to where."""

    source: Address
    target: Address


class Intruder(Protocol):
    """Sits on the path: decides what becomes of a datagram that a node has sent."""

    def pass_on(self, way: Way, data: bytes, now: float) -> float | None:
        """Give the seconds for which it is held back; None if it does not arrive at all."""
        ...


class Stuck(AssertionError):
    """What was waited for did not come about in (virtual) time."""


class Network:
    """Nodes, links and a clock that jumps to whatever is next.

    `drop(index, data)`, if set, loses a datagram by its number over all links. The clock starts at 100.0 s,
    so that nothing can rest on zero.
    """

    def __init__(self, seed: int = 0, conditions: Conditions | None = None) -> None:
        self.now = 100.0
        self.random = Random(seed)
        self._seed = seed
        self.trace = Trace()
        self.nodes: dict[Address, Node] = {}
        self._owners: dict[Address, Node] = {}  # of addresses that are no more, too
        self.drop: Callable[[int, bytes], bool] | None = None
        self.watcher: Watcher | None = None
        self.intruder: Intruder | None = None
        self.datagrams = 0
        self._idle_timeouts: dict[str, int] = {}  # by node: in a row
        self._conditions = conditions or Conditions()
        self._links: dict[tuple[Address, Address], Link] = {}
        self._arrivals: list[tuple[float, int, Address, Address, bytes]] = []
        self._count = 0
        self._steps = 0

    # --- building -----------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        configuration: Configuration | None = None,
        accept: Callable[[], Handshake] | None = None,
        address: Address | None = None,
    ) -> Node:
        """Add a node with an endpoint of its own."""
        address = address or (f"10.0.0.{len(self.nodes) + 1}", 4433)
        dice = Random(self.random.getrandbits(64))
        endpoint = Endpoint(configuration or Configuration(), random_bytes=dice.randbytes, accept=accept)
        node = Node(name, address, endpoint)
        self.nodes[address] = self._owners[address] = node
        return node

    def rebind(self, node: Node, address: Address | None = None, *, keeps_old: bool = False) -> Address:
        """Let a node's datagrams come from another address, as a NAT does that forgot its binding.

        By default from another port of the same host. What is on its way to the old address is lost, unless
        it `keeps_old`: then both lead to the node.
        """
        old = node.address
        new = address or (old[0], 5000 + len(self._links))
        self._open(node, new, old)
        node.addresses[0] = new
        if not keeps_old:
            del self.nodes[old]
        return new

    def add_local_path(self, node: Node, address: Address | None = None) -> int:
        """Give a node one more socket, at an address of its own; returns the local path."""
        new = address or (node.address[0], 5000 + len(self._links))
        self._open(node, new, node.address)
        node.addresses.append(new)
        return len(node.addresses) - 1

    def _open(self, node: Node, new: Address, old: Address) -> None:
        """A new address of a node: to and from it as to and from an old one."""
        for source, target in list(self._links):
            if old in (source, target):
                pair = (new if source == old else source, new if target == old else target)
                seed = f"{self._seed}{pair}"
                conditions = self._links[source, target].conditions
                self._links[pair] = Link(conditions, Random(seed), Random(f"more {seed}"))
        self.nodes[new] = self._owners[new] = node

    def link(self, source: Node, target: Node) -> Link:
        """The direction from one node to another."""
        return self._link(source.address, target.address)

    def links(self, source: Node, target: Node) -> list[Link]:
        """The same by all addresses that the two ever had."""
        ways = {
            (one, other)
            for one, owner in self._owners.items()
            if owner is source
            for other, whose in self._owners.items()
            if whose is target
        }
        return [link for way, link in self._links.items() if way in ways]

    def share_link(self, source: Node, target: Node, link: Link) -> None:
        """Let this direction be one that others use too: their datagrams wait in the same queue."""
        self._links[source.address, target.address] = link

    def set_conditions(self, conditions: Conditions) -> None:
        """Let all links, those to come too, have these conditions from now on."""
        self._conditions = conditions
        for link in self._links.values():
            link.conditions = conditions

    def _link(self, source: Address, target: Address) -> Link:
        if (source, target) not in self._links:
            # A link's dice do not depend on which link was used first.
            seed = f"{self._seed}{source}{target}"
            self._links[source, target] = Link(self._conditions, Random(seed), Random(f"more {seed}"))
        return self._links[source, target]

    # --- running ------------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool], timeout: float = 60.0) -> None:
        """Run until something holds. Raises `Stuck` if it does not within `timeout` virtual seconds."""
        stop_at = self.now + timeout
        self._drive_all()
        while not until():
            self._drive_all()  # `until` may have read or written
            at = self._next_at()
            if at is None or at > stop_at:
                raise Stuck(f"not within {timeout} s; next: {at}, now: {self.now}")
            self._step(at)

    def run_for(self, seconds: float) -> None:
        """Run for so many virtual seconds."""
        stop_at = self.now + seconds
        self._drive_all()
        while (at := self._next_at()) is not None and at <= stop_at:
            self._step(at)
        self.now = stop_at

    def inject(self, data: bytes, source: Address, target: Node) -> None:
        """Let a datagram that no node sent arrive now."""
        target.receive([data], source, self.now)
        self._drive(target)

    def put(self, data: bytes, way: Way, delay: float) -> None:
        """Let a datagram that no node sent arrive after `delay` seconds, if anybody is there."""
        self._count += 1
        heapq.heappush(self._arrivals, (self.now + delay, self._count, way.source, way.target, data))

    def _next_at(self) -> float | None:
        times = [node.endpoint.deadline() for node in self.nodes.values()]
        if self._arrivals:
            times.append(self._arrivals[0][0])
        at = min((at for at in times if at is not None), default=None)
        return None if at is None else max(at, self.now)

    def _step(self, at: float) -> None:
        self._steps = self._steps + 1 if at == self.now else 0
        if self._steps > MAX_STEPS_AT_ONCE:
            raise Stuck(f"the clock stands still at {at}")
        self.now = at
        if self._arrivals and self._arrivals[0][0] <= at:
            self._deliver()
            return
        for node in self.nodes.values():
            deadline = node.endpoint.deadline()
            if deadline is not None and deadline <= at:
                node.endpoint.handle_timeout(at)
                self._drive(node)
                self._check_moving(node, at)

    def _check_moving(self, node: Node, at: float) -> None:
        """What was due must be over: a deadline that does not move is a loop."""
        deadline = node.endpoint.deadline()
        if deadline is None or deadline > at:
            self._idle_timeouts[node.name] = 0
            return
        self._idle_timeouts[node.name] = self._idle_timeouts.get(node.name, 0) + 1
        if self._idle_timeouts[node.name] > MAX_IDLE_TIMEOUTS:
            raise Stuck(f"{node.name} has a deadline that does not move: {deadline} at {at}")

    def _deliver(self) -> None:
        """Deliver what arrives first, with what makes one train with it."""
        at, _, source, target, data = heapq.heappop(self._arrivals)
        train = [data]
        while self._arrivals and len(train) < 64 and len(train[-1]) == len(data):
            next_at, _, next_source, next_target, next_data = self._arrivals[0]
            if (next_at, next_source, next_target) != (at, source, target):
                break
            if len(next_data) > len(data) or (len(train) + 1) * len(data) > 65507:
                break
            heapq.heappop(self._arrivals)
            train.append(next_data)
        node = self.nodes.get(target)
        if node is not None:
            via = node.addresses.index(target) if target in node.addresses else 0
            if self.watcher is not None:
                for data in train:
                    self.watcher.delivered(node, source, data, self.now)
            node.receive(train, source, self.now, via)
            self._drive(node)

    def _drive_all(self) -> None:
        for node in list(self.nodes.values()):
            self._drive(node)

    def _drive(self, node: Node) -> None:
        def send(data: bytes, target: Address, via: int) -> None:
            self._send(node, data, target, node.addresses[via])

        node.drive(self.now, send, lambda event: self.trace.event(node.name, event, self.now))

    def _send(self, node: Node, data: bytes, target: Address, source: Address) -> None:
        if node.tamper is None:
            self._carry(node, data, target, source)
            return
        for changed in node.tamper(data):
            self._carry(node, changed, target, source)

    def _carry(self, node: Node, data: bytes, target: Address, source: Address) -> None:
        index = self.datagrams
        self.datagrams += 1
        name = self.nodes[target].name if target in self.nodes else str(target)
        self.trace.datagram(node.name, name, data, self.now)
        if self.watcher is not None:
            self.watcher.sent(node, source, target, data, self.now)
        arrivals = self._link(source, target).carry(data, self.now)
        if self.drop is not None and self.drop(index, data):
            return
        held = 0.0 if self.intruder is None else self.intruder.pass_on(Way(source, target), data, self.now)
        if held is None:
            return
        for at, arrived in arrivals:
            self._count += 1
            heapq.heappush(self._arrivals, (at + held, self._count, source, target, arrived))
