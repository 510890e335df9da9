"""Whole connections that send as much as they may over one bottleneck, and what comes of it.

The way to the servers has a rate and a queue, the way back neither. Handshakes are over before it narrows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastmux import constants as c
from fastmux.constants import MAX_PLPMTU
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.congestion.base import CongestionController
from fastmux.protocol.congestion.bbr import Bbr
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import Event
from network import Conditions, Link, Network, Node
from protocol.scripted import ScriptedHandshake

SAMPLING = 0.01  # seconds between looks at the queue
CHUNK = 1 << 20
COALESCING = 0.001  # what a card and GRO do, and what makes the runs short


class Flow:
    """One client that writes to one server, which reads all there is. Sizes are payload bytes."""

    def __init__(self, network: Network, number: int, congestion: str, is_tuned: bool) -> None:
        configuration = Configuration(congestion=congestion, max_datagram_size=MAX_PLPMTU)
        if not is_tuned:  # credit is not what is measured
            configuration = replace(configuration, channel_window=4 << 20, connection_window=8 << 20)
        self.server = network.add(f"server{number}", configuration, accept=lambda: ScriptedHandshake(False))
        self.client = network.add(f"client{number}", configuration)
        self.connection = self.client.endpoint.connect(
            self.server.address, ScriptedHandshake(True), network.now
        )
        self.received = 0
        self._is_bulk = True  # writes whenever there is room
        self._channel_id = -1
        self._network = network
        self.server.application = self._read
        self.client.application = self._write_more

    def is_open(self) -> bool:
        return self.connection.has_opened and bool(self.server.accepted)

    @property
    def controller(self) -> CongestionController:
        return self.connection._data.traffic.congestion

    def start(self) -> None:
        self._channel_id = self.connection.data_path.open(c.KIND_STREAM)
        if self._is_bulk:
            self.write(CHUNK)

    def pause(self) -> None:
        """Write no more than `write` is told to."""
        self._is_bulk = False

    def resume(self) -> None:
        """Write whenever there is room, again."""
        self._is_bulk = True
        self.write(CHUNK)

    def write(self, size: int) -> None:
        self.connection.data_path.write(self._channel_id, bytes(size))
        self.connection.touch()

    def _write_more(self, connection: Connection, event: Event) -> None:
        if self._is_bulk and self._channel_id >= 0:
            while connection.data_path.unsent_size(self._channel_id) < CHUNK:
                self.write(CHUNK)

    def _read(self, connection: Connection, event: Event) -> None:
        try:
            while piece := connection.data_path.read(self._channel_id, CHUNK):
                self.received += len(piece)
        except KeyError:  # its OPEN is still on its way
            return
        connection.touch()


def bandwidth_of(flow: Flow) -> float:
    """What BBR believes that the path carries, bytes a second."""
    assert isinstance(flow.controller, Bbr)
    return flow.controller.bandwidth


class Bottleneck:
    """`rate` is bytes a second, `rtt` seconds without a queue, `queue` in BDPs.

    Windows are large from the start unless `is_tuned`: then they are the default ones.
    """

    def __init__(
        self,
        *congestion: str,
        rate: float,
        rtt: float,
        queue: float,
        loss: float = 0.0,
        seed: int = 1,
        is_tuned: bool = False,
    ) -> None:
        self.rate, self.rtt = rate, rtt
        self.network = Network(seed, Conditions(delay=rtt / 2))
        self.flows = [Flow(self.network, number, name, is_tuned) for number, name in enumerate(congestion)]
        self.queue_delays: list[float] = []
        self.network.run(lambda: all(flow.is_open() for flow in self.flows))
        self.link: Link = self._link(self.flows[0])
        for flow in self.flows[1:]:
            self.network.share_link(flow.client, flow.server, self.link)
        self.link.conditions = Conditions(
            delay=rtt / 2,
            rate=rate,
            queue_size=int(queue * rate * rtt),
            loss=loss,
            coalescing=COALESCING,
        )

    def _link(self, flow: Flow) -> Link:
        client: Node = flow.client
        return self.network.link(client, flow.server)

    def change(self, **conditions: Any) -> None:
        """Let the bottleneck be otherwise from now on."""
        self.link.conditions = replace(self.link.conditions, **conditions)

    def run_for(self, seconds: float) -> list[float]:
        """Run; give each flow's share of the link, of what was received in the time."""
        before = [flow.received for flow in self.flows]
        self.queue_delays.clear()
        stop_at = self.network.now + seconds
        while self.network.now < stop_at - SAMPLING / 2:
            self.network.run_for(SAMPLING)
            self.queue_delays.append(self.link.queue_delay(self.network.now))
        whole = self.rate * seconds
        return [(flow.received - received) / whole for flow, received in zip(self.flows, before, strict=True)]

    @property
    def mean_queue_delay(self) -> float:
        """Seconds, over the last `run_for`."""
        return sum(self.queue_delays) / len(self.queue_delays)
