"""The stage of a scenario: a network with a server and its clients, over one bottleneck each way.

Owns: who stands there, the two directions, changes at set times, what every scenario must keep (rules G1, G2,
G6 of the fault table). May not know: what is carried, and how long that may take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import Address, Event
from fastmux.protocol.handshake import Handshake
from network import Conditions, Node
from network.bursts import Pattern
from network.rough import RoughLink
from protocol.scripted import SMALL, Script, ScriptedHandshake
from sim.clockwork import Clockwork

ETHERNET = ((0.0, 1472),)  # the UDP payload of 1,500 bytes
MEGABIT = 125_000  # bytes a second
PACKET = 1500
DELAY = 0.015
RTT = 2 * DELAY
DEFAULT = Conditions(delay=DELAY, rate=10 * MEGABIT, queue_size=25 * PACKET, mtu=ETHERNET)
IDLE_SECONDS = 20.0
MAX_WAKES = 5  # a second, of an idle connection (G6)
CLOSE_TIMEOUT = 60.0
START = 100.0  # where the network's clock starts: dark times are said by it


def dark(*periods: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Dark periods, said in seconds after the beginning."""
    return tuple((START + start, START + stop) for start, stop in periods)


class Broken(AssertionError):
    """A scenario broke a rule that holds for every one."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One direction: its conditions, and patterns made from dice, for they remember."""

    conditions: Conditions = DEFAULT
    losses: Callable[[Random], Pattern] | None = None
    flips: Callable[[Random], Pattern] | None = None
    replays: float = 0.0
    block: int = 0

    def make(self, random: Random) -> RoughLink:
        """A link of this kind."""
        conditions = self.conditions
        return RoughLink(
            conditions,
            random,
            losses=None if self.losses is None else self.losses(random),
            flips=None if self.flips is None else self.flips(random),
            replays=self.replays,
            block=self.block,
            gap=0.0 if conditions.rate is None else PACKET / conditions.rate,
        )


DEFAULT_WAY = Way()


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a stage is made of. `handshake(is_client)` makes an end's handshake, by default a scripted one."""

    up: Way = DEFAULT_WAY
    down: Way = DEFAULT_WAY
    seed: int = 1
    configuration: Configuration = field(default_factory=Configuration)
    client_configuration: Configuration | None = None
    script: Script = SMALL
    handshake: Callable[[bool], Handshake] | None = None
    server_address: Address = ("10.0.0.1", 4433)
    client_address: Address = ("10.0.0.2", 4433)

    def both(self, **changes: Any) -> Setting:
        """The same with other conditions in both directions."""
        up = replace(self.up, conditions=replace(self.up.conditions, **changes))
        down = replace(self.down, conditions=replace(self.down.conditions, **changes))
        return replace(self, up=up, down=down)


class Stage:
    """A server and one client, connecting since `began_at`; more clients share the bottleneck."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.network = Clockwork(setting.seed)
        self.network.set_conditions(replace(DEFAULT, rate=None))
        self.began_at = self.network.now
        assert self.began_at == START
        dice = Random(f"{setting.seed} links")
        self.up = setting.up.make(dice)
        self.down = setting.down.make(dice)
        self.server = self.network.add(
            "server",
            setting.configuration,
            accept=lambda: self._handshake(False),
            address=setting.server_address,
        )
        self.client = self.add_client(setting.client_address)
        self.hearers: dict[Node, list[Callable[[Connection, Event], None]]] = {}
        self.connection = self.connect()

    def _handshake(self, is_client: bool) -> Handshake:
        if self.setting.handshake is not None:
            return self.setting.handshake(is_client)
        return ScriptedHandshake(is_client, self.setting.script)

    def add_client(self, address: Address) -> Node:
        """Another client behind the same bottleneck."""
        configuration = self.setting.client_configuration or self.setting.configuration
        node = self.network.add(f"client {address}", configuration, address=address)
        self._join(node)
        return node

    def _join(self, node: Node) -> None:
        """Let a client's present address use the bottleneck."""
        self.network.share_link(node, self.server, self.up)
        self.network.share_link(self.server, node, self.down)

    def connect(self, node: Node | None = None) -> Connection:
        """Begin to connect."""
        endpoint = (node or self.client).endpoint
        return endpoint.connect(self.server.address, self._handshake(True), self.network.now)

    @property
    def accepted(self) -> Connection:
        """The server's end of the first connection."""
        return self.server.accepted[0]

    @property
    def elapsed(self) -> float:
        """Seconds since the first packet."""
        return self.network.now - self.began_at

    def is_open(self) -> bool:
        """True once both ends have opened."""
        return self.connection.has_opened and bool(self.server.accepted)

    def is_decided(self) -> bool:
        """True once the client has opened or failed."""
        return self.connection.has_opened or self.connection.is_closed

    def open(self, timeout: float = 60.0) -> Stage:
        """Run until both ends are open."""
        self.network.run(self.is_open, timeout)
        return self

    # --- changes at set times --------------------------------------------------------------------------

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` so many seconds after the beginning."""
        self.network.call_after(self.began_at + seconds - self.network.now, action)

    def change(self, **conditions: Any) -> None:
        """Let both directions be otherwise from now on."""
        for link in (self.up, self.down):
            link.conditions = replace(link.conditions, **conditions)

    def rebind(self, address: Address | None = None) -> None:
        """The client's NAT forgets it: another port, or another address; the bottleneck stays the same."""
        self.network.rebind(self.client, address)
        self._join(self.client)

    def cut_off(self, address: Address) -> None:
        """Nothing passes between this address of the client's and the server any more."""
        nowhere = RoughLink(replace(DEFAULT, loss=1.0), Random(0))
        self._set_links(address, nowhere, nowhere)

    def _set_links(self, address: Address, up: RoughLink, down: RoughLink) -> None:
        links = self.network._links
        links[address, self.server.address] = up
        links[self.server.address, address] = down

    def add_path(self, address: Address) -> int:
        """One more socket of the client's; its local path."""
        via = self.network.add_local_path(self.client, address)
        self._set_links(address, self.up, self.down)
        return via

    # --- what happens at the ends ------------------------------------------------------------------------

    def hear(self, node: Node, hearer: Callable[[Connection, Event], None]) -> None:
        """Call `hearer(connection, event)` for every event at a node."""
        hearers = self.hearers.setdefault(node, [])
        hearers.append(hearer)

        def application(connection: Connection, event: Event) -> None:
            for each in list(hearers):
                each(connection, event)

        node.application = application

    # --- what every scenario must keep ---------------------------------------------------------------------

    def check_open(self) -> None:
        """Neither end has closed. Raises `Broken`."""
        for node, connection in ((self.client, self.connection), (self.server, self.accepted)):
            if connection.is_closed:
                raise Broken(f"the {node.name} closed: {node.closed(connection)}")

    def check_rest(self) -> None:
        """G6: an idle connection wakes up rarely. Raises `Broken`."""
        before = self.network.datagrams
        self.network.run_for(IDLE_SECONDS)
        sent = self.network.datagrams - before
        if sent > MAX_WAKES * IDLE_SECONDS:
            raise Broken(f"{sent} datagrams in {IDLE_SECONDS} idle seconds")
        self.check_open()

    def check_end(self) -> None:
        """G2: after a close in good weather both ends forget the connection. Raises `Broken`."""
        self.change(loss=0.0, damage=0.0, dark=(), reordering=0.0, duplication=0.0)
        for link in (self.up, self.down):
            link.losses = link.flips = None
        if not self.connection.is_closed:
            self.connection.close(0, "", self.network.now)
        endpoints = (self.client.endpoint, self.server.endpoint)
        self.network.run(lambda: not any(end.connections for end in endpoints), CLOSE_TIMEOUT)
