"""What observers are given."""

from __future__ import annotations

from fastmux import constants as c
from fastmux.protocol.observer import Observer, Subject, Train
from protocol.watching import Watcher


def test_what_tests_watch_with_is_an_observer() -> None:
    observer: Observer = Watcher(Subject(True, c.VERSION_1, ("10.0.0.1", 1), b"local-id", b"first-id"))
    observer.started(1.0)
    observer.train_sent(Train(first=3, last=5, packets=3, size=3600), 3600, 2.0)
    assert isinstance(observer, Watcher)
    assert observer.names() == ["started", "train_sent"]
