"""Sets of ranges."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ranges = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))
operations = st.lists(st.tuples(st.sampled_from(["add", "remove"]), ranges), max_size=30)


def test_ranges_that_touch_become_one(core: Any) -> None:
    found = core.RangeSet([(0, 5), (10, 15)])
    found.add(5, 10)
    assert list(found) == [(0, 15)]
    assert (len(found), found.covered) == (1, 15)


def test_adding_over_several_ranges_swallows_them(core: Any) -> None:
    found = core.RangeSet([(0, 2), (4, 6), (8, 10), (20, 22)])
    found.add(1, 9)
    assert list(found) == [(0, 10), (20, 22)]


def test_removing_from_the_middle_splits_a_range(core: Any) -> None:
    found = core.RangeSet([(0, 10)])
    found.remove(3, 6)
    assert list(found) == [(0, 3), (6, 10)]


def test_missing_lists_the_gaps(core: Any) -> None:
    found = core.RangeSet([(2, 4), (6, 8)])
    assert found.missing(0, 10) == [(0, 2), (4, 6), (8, 10)]
    assert found.missing(2, 4) == []
    assert found.missing(3, 7) == [(4, 6)]


def test_popping_takes_from_the_front_range_only(core: Any) -> None:
    found = core.RangeSet([(0, 5), (10, 12)])
    assert [found.pop_first(3), found.pop_first(9), found.pop_first(9)] == [(0, 3), (3, 5), (10, 12)]
    with pytest.raises(IndexError):
        found.pop_first(1)


def test_equality_is_of_contents(core: Any) -> None:
    assert core.RangeSet([(0, 1), (1, 2)]) == core.RangeSet([(0, 2)])
    assert core.RangeSet([(0, 1)]) != core.RangeSet()
    assert core.RangeSet() != []
    with pytest.raises(TypeError):
        hash(core.RangeSet())


def test_it_shows_its_ranges(core: Any) -> None:
    assert repr(core.RangeSet([(0, 2), (4, 5)])) == "RangeSet([(0, 2), (4, 5)])"


def test_the_largest_integers_fit(core: Any) -> None:
    found = core.RangeSet([(2**62 - 1, 2**62)])
    assert 2**62 - 1 in found
    assert 2**62 not in found
    assert found.covered == 1


@pytest.mark.parametrize(("start", "stop"), [(3, 3), (4, 3)])
def test_an_empty_range_is_a_value_error(core: Any, start: int, stop: int) -> None:
    found = core.RangeSet()
    for call in (found.add, found.remove, found.missing):
        with pytest.raises(ValueError):
            call(start, stop)
    assert list(found) == []


def test_an_error_while_adding_ranges_leaves_the_set_as_it_was(core: Any) -> None:
    found = core.RangeSet([(0, 5)])
    for bad in [(-1, 5), (0, 2**62 + 1)]:
        with pytest.raises(OverflowError):
            found.add(*bad)
    with pytest.raises(ValueError):
        found.pop_first(0)
    assert list(found) == [(0, 5)]


@pytest.mark.parametrize("value", ["a", 1.5, None])
def test_what_is_no_integer_is_not_in_the_set(core: Any, value: object) -> None:
    assert value not in core.RangeSet([(0, 10)])


@given(done=operations)
def test_it_behaves_like_a_set_of_integers(core: Any, done: list[tuple[str, tuple[int, int]]]) -> None:
    found, model = core.RangeSet(), set[int]()
    for name, (start, stop) in done:
        getattr(found, name)(start, stop)
        model = model | {*range(start, stop)} if name == "add" else model - {*range(start, stop)}
        assert {n for first, last in found for n in range(first, last)} == model
        assert found.covered == len(model)
        assert all(left[1] < right[0] for left, right in zip(found, list(found)[1:], strict=False))


def test_adding_at_the_end_costs_the_same_with_many_ranges(core: Any) -> None:
    found = core.RangeSet((n * 2, n * 2 + 1) for n in range(20_000))
    assert len(found) == 20_000
    found.add(0, 40_000)
    assert list(found) == [(0, 40_000)]


def test_iteration_sees_the_set_as_it_was(core: Any) -> None:
    found = core.RangeSet([(0, 1), (5, 6)])
    seen = []
    for item in found:
        seen.append(item)
        found.clear()
    assert seen == [(0, 1), (5, 6)]
    assert len(found) == 0


@pytest.mark.parametrize("seed", range(4))
def test_many_ranges_that_come_and_go_anywhere_are_those_of_a_set(core: Any, seed: int) -> None:
    random = Random(seed)
    ranges, model = core.RangeSet(), set[int]()
    for _ in range(1500):
        start = random.randrange(2000)
        stop = start + random.choice((1, 1, 1, 5, 40))
        choice = random.randrange(8)
        if choice < 5:
            ranges.add(start, stop)
            model.update(range(start, stop))
        elif choice < 7:
            ranges.remove(start, stop)
            model.difference_update(range(start, stop))
        elif model:
            first = min(model)
            start, stop = ranges.pop_first(3)
            assert start == first
            model.difference_update(range(start, stop))
        assert ranges.covered == len(model)
    held = [number for start, stop in ranges for number in range(start, stop)]
    assert held == sorted(model)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ranges))


class Four:
    """The number 4 in all but name."""

    def __index__(self) -> int:
        return 4


def test_any_integer_may_be_looked_for(core: Any) -> None:
    found = core.RangeSet([(2, 5)])
    assert Four() in found
    assert True not in found
    assert [value in found for value in (4, 5, -1, 2**70, 4.0, "4", None)] == [True] + [False] * 6
