"""Both reassemblers and a dict of units do the same."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from twins.twins import Twins, octets


class Machine(RuleBasedStateMachine):
    """The model is the set of units that came of a message of known bytes."""

    @initialize(size=st.one_of(st.integers(0, 600), st.integers(0, 30_000)))
    def start(self, size: int) -> None:
        self.message = octets(size)
        self.count = max(1, -(-size // 128))
        self.twins = Twins(lambda core: core.Reassembler(self.count))
        self.came: set[int] = set()
        self.is_taken = False

    @rule(index=st.integers(0, 240), units=st.integers(1, 60))
    def add(self, index: int, units: int) -> None:
        if self.is_taken:
            return
        index %= self.count
        run = self.message[index * 128 : (index + units) * 128]
        new = {*range(index, min(self.count, index + units))}
        assert self.twins.value("add", index, run) == bool(new - self.came)
        self.came |= new

    @rule(index=st.integers(-1, 300), size=st.integers(0, 700))
    def add_anything(self, index: int, size: int) -> None:
        """Only what both refuse: what they take must come from the message."""
        if index < 0 or index >= self.count or (size % 128 and index + size // 128 + 1 < self.count):
            assert self.twins.call("add", index, bytes(size))[0] != "value"

    @rule()
    def take(self) -> None:
        if self.is_taken:
            return
        kind, message = self.twins.call("take")
        self.is_taken = kind == "value"
        assert self.is_taken == (len(self.came) == self.count)
        assert not self.is_taken or message == self.message

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "twins"):
            return
        if not self.is_taken:
            assert self.twins.get("is_complete") == (len(self.came) == self.count)
            runs = [unit for unit in self.came if unit - 1 not in self.came]
            assert self.twins.get("span_count") == len(runs)
            blocks = {unit // 32 for unit in self.came}
            sizes = [128 * min(32, self.count - 32 * block) for block in blocks]
            # the one unit of an empty message holds nothing
            assert self.twins.get("held_size") == (sum(sizes) if self.message else 0)
        else:
            assert self.twins.get("held_size") == 0


TestReassemblers = Machine.TestCase
