"""What a server is on whichever loop: its sockets, who may knock there, and what was counted.

Owns: the drivers, and sums that never fall. May not know: tasks; how a server ends.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from fastmux.aio.client import HandshakeMaker
from fastmux.aio.driver import Driver
from fastmux.aio.refusal_log import RefusalLog
from fastmux.aio.transport import TrainTransport
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection as ProtocolConnection
from fastmux.protocol.events import Address
from fastmux.protocol.handshake import Handshake
from fastmux.protocol.statistics import ConnectionStatistics
from fastmux.protocol.totals import Totals


class Counted(Protocol):
    """A connection as its server counts it."""

    @property
    def stats(self) -> ConnectionStatistics:
        """Figures of now, or of the end."""
        ...


C = TypeVar("C", bound=Counted)


class Listening(ABC, Generic[C]):
    """Listening sockets.

    Invariant: `_ended` has the counts of the connections that are no longer among `connections`.
    """

    _make_driver: ClassVar[Callable[..., Driver]] = Driver

    def __init__(self, tls: HandshakeMaker, configuration: Configuration, clock: Callable[[], float]) -> None:
        self._tls = tls
        self._configuration = configuration
        self._refusals = RefusalLog(clock)
        self._drivers: list[Driver] = []
        self._ended = Totals()
        self._lock = threading.Lock()  # `totals` may be asked for in another thread, as Prometheus does

    @property
    @abstractmethod
    def connections(self) -> tuple[C, ...]:
        """The connections whose handler, or graceful close, has not ended."""

    @abstractmethod
    def _on_accepted(self, driver: Driver, accepted: ProtocolConnection) -> None:
        """A peer is verified."""

    def serve(self, transport: TrainTransport, **options: Any) -> Driver:
        """Accept connections over one more transport; `options` go to the `Driver`."""
        driver: Driver = type(self)._make_driver(
            transport,
            self._configuration,
            accept=self._create_handshake,
            on_accepted=lambda connection: self._on_accepted(driver, connection),
            on_refused=self._refusals.add,
            **options,
        )
        self._drivers.append(driver)
        return driver

    def _create_handshake(self) -> Handshake:
        return self._tls.create_handshake(False, None)

    @property
    def port(self) -> int:
        """The UDP port that the (first) socket is bound to."""
        return self._drivers[0].transport.sockname[1]

    @property
    def sockets(self) -> tuple[Address, ...]:
        """The local address of each socket; none after the close."""
        return tuple(driver.transport.sockname for driver in self._drivers if not driver.is_closed)

    def counters(self) -> dict[str, int]:
        """What became of datagrams and knocks at all sockets, since the start."""
        total: dict[str, int] = {}
        for driver in self._drivers:
            for source in (driver.endpoint.counters(), driver.transport.counters()):
                for name, count in source.items():
                    total[name] = total.get(name, 0) + count
        return total

    def totals(self) -> dict[str, int]:
        """The counts of `ConnectionStatistics`, summed over all connections since the start.

        "connections" is how many there were. No sum ever falls. May be called in any thread.
        """
        with self._lock:
            return self._ended.with_open(connection.stats for connection in self.connections)
