"""Both range sets and a set of integers do the same."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twins.twins import Twins

integers = st.integers(-1, 120)


class Machine(RuleBasedStateMachine):
    """The model is a set of integers."""

    def __init__(self) -> None:
        super().__init__()
        self.twins = Twins(lambda core: core.RangeSet())
        self.model: set[int] = set()

    @rule(start=integers, stop=integers)
    def add(self, start: int, stop: int) -> None:
        if self.twins.call("add", start, stop)[0] == "value":
            self.model |= {*range(start, stop)}

    @rule(start=integers, stop=integers)
    def remove(self, start: int, stop: int) -> None:
        if self.twins.call("remove", start, stop)[0] == "value":
            self.model -= {*range(start, stop)}

    @rule(start=integers, stop=integers)
    def missing(self, start: int, stop: int) -> None:
        kind, gaps = self.twins.call("missing", start, stop)
        if kind == "value":
            assert {n for a, b in gaps for n in range(a, b)} == {*range(start, stop)} - self.model

    @rule(size=st.integers(-1, 30))
    def pop_first(self, size: int) -> None:
        kind, popped = self.twins.call("pop_first", size)
        if kind == "value":
            assert popped[0] == min(self.model)
            self.model -= {*range(*popped)}

    @rule(value=st.one_of(integers, st.sampled_from(["a", None, 1.0, 2**70])))
    def contains(self, value: object) -> None:
        assert self.twins.value("__contains__", value) == (value in self.model and isinstance(value, int))

    @rule()
    def clear(self) -> None:
        self.twins.value("clear")
        self.model.clear()

    @invariant()
    def same(self) -> None:
        compiled, pure = (list(item) for item in self.twins.objects)
        assert compiled == pure
        assert {n for start, stop in pure for n in range(start, stop)} == self.model
        assert self.twins.get("covered") == len(self.model)
        assert self.twins.value("__len__") == len(pure)
        assert self.twins.value("__repr__") == f"RangeSet({pure})"


TestRangeSets = Machine.TestCase
