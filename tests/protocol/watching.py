"""An observer that keeps what it is told."""

from __future__ import annotations

from typing import Any

from fastmux.protocol.events import Event
from fastmux.protocol.observer import Metrics, Subject, Train
from fastmux.protocol.parameters import Parameters
from fastmux.records import AckSummary, LongHeader


class Watcher:
    """`told` are the calls in their order: name, time, arguments."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.told: list[tuple[str, float, tuple[Any, ...]]] = []

    def names(self) -> list[str]:
        """The names of all calls."""
        return [name for name, _, _ in self.told]

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each call of this name."""
        return [arguments for each, _, arguments in self.told if each == name]

    def started(self, now: float) -> None:
        self.told.append(("started", now, ()))

    def handshake_received(self, header: LongHeader, size: int, now: float) -> None:
        self.told.append(("handshake_received", now, (header, size)))

    def handshake_sent(self, header: LongHeader, size: int, now: float) -> None:
        self.told.append(("handshake_sent", now, (header, size)))

    def keyed(self, suite: int, local: Parameters, remote: Parameters, now: float) -> None:
        self.told.append(("keyed", now, (suite, local, remote)))

    def train_sent(self, train: Train, bytes_in_flight: int, now: float) -> None:
        self.told.append(("train_sent", now, (train, bytes_in_flight)))

    def train_received(self, train: Train, now: float) -> None:
        self.told.append(("train_received", now, (train,)))

    def batch(self, metrics: Metrics, summary: AckSummary | None, now: float) -> None:
        self.told.append(("batch", now, (metrics, summary)))

    def event(self, event: Event, now: float) -> None:
        self.told.append(("event", now, (event,)))
