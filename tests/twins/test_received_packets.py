"""Both duplicate filters and a set of numbers do the same."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from twins.twins import Twins

numbers = st.integers(0, 80)


class Machine(RuleBasedStateMachine):
    """The model is the set of numbers received, and a floor."""

    @initialize(limit=st.integers(1, 12))
    def start(self, limit: int) -> None:
        self.limit = limit
        self.twins = Twins(lambda core: core.ReceivedPackets(limit))
        self.model: set[int] = set()
        self.now = 0.0

    def oldest_range(self) -> int:
        """The stop of the lowest range above the floor."""
        at = min(self.model)
        while at in self.model:
            at += 1
        return at

    @rule(number=numbers, eliciting=st.booleans())
    def add(self, number: int, eliciting: bool) -> None:
        self.now += 1.0
        new = self.twins.value("add", number, self.now, eliciting)
        assert new == (number not in self.model and number >= getattr(self, "floor", 0))
        if new:
            self.model.add(number)
        if len(self.ranges()) > self.limit:
            self.floor = self.oldest_range()
            self.model = {n for n in self.model if n >= self.floor}

    def ranges(self) -> list[int]:
        """Where ranges of the model start."""
        return [n for n in self.model if n - 1 not in self.model]

    @rule(number=st.integers(-1, 81))
    def is_duplicate(self, number: int) -> None:
        kind, known = self.twins.call("is_duplicate", number)
        if kind == "value":
            assert known == (number in self.model or number < getattr(self, "floor", 0))

    @rule(count=st.integers(-1, 12))
    def ack_ranges(self, count: int) -> None:
        kind, found = self.twins.call("ack_ranges", count)
        if kind == "value":
            assert len(found) <= count
            assert {n for start, stop in found for n in range(start, stop)} <= self.model

    @rule(largest=st.integers(-1, 81))
    def on_ack_acknowledged(self, largest: int) -> None:
        self.twins.call("on_ack_acknowledged", largest)

    @invariant()
    def same(self) -> None:
        if hasattr(self, "twins"):
            assert self.twins.value("__len__") == len(self.ranges())
            self.twins.get("largest")
            self.twins.get("largest_at")


TestReceivedPackets = Machine.TestCase
