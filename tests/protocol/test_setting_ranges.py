"""A number outside its range is refused with the name of the setting, what it may be, and in which unit."""

from __future__ import annotations

import math

import pytest

from fastmux.protocol.setting_ranges import RANGES, Range


@pytest.mark.parametrize("name", RANGES)
def test_both_ends_of_a_range_are_taken_and_nothing_beyond(name: str) -> None:
    allowed = RANGES[name]
    for value in (allowed.lowest, allowed.highest):
        assert allowed.checked(name, value) == value
    beyond = (math.nextafter(allowed.lowest, -math.inf), math.nextafter(allowed.highest, math.inf))
    if isinstance(allowed.highest, int):
        beyond = (allowed.lowest - 1, allowed.highest + 1)
    for value in beyond:
        with pytest.raises(ValueError, match=f"{name} must be .* to "):
            allowed.checked(name, value)


@pytest.mark.parametrize("name", RANGES)
def test_what_is_no_finite_number_is_refused(name: str) -> None:
    wrong: tuple[object, ...] = (math.nan, math.inf, -math.inf, "25", b"25", [], 1j)
    for value in wrong:
        with pytest.raises((ValueError, TypeError), match=name):
            RANGES[name].checked(name, value)


def test_none_is_for_settings_that_may_be_switched_off() -> None:
    assert RANGES["idle_timeout"].checked("idle_timeout", None) is None
    with pytest.raises(TypeError, match="max_streams must be an integer, 0 to 2\\^60, not None"):
        RANGES["max_streams"].checked("max_streams", None)


def test_an_integer_is_no_float_however_whole() -> None:
    with pytest.raises(TypeError, match="budget must be an integer"):
        RANGES["budget"].checked("budget", 1e7)


def test_who_thinks_in_milliseconds_is_told_the_unit() -> None:
    with pytest.raises(ValueError, match="max_ack_delay must be 0 to 16.383 seconds, not 25"):
        RANGES["max_ack_delay"].checked("max_ack_delay", 25)


def test_a_range_reads_as_people_write_it() -> None:
    assert str(Range(1, 65507, "bytes")) == "1 to 65,507 bytes"
    assert str(Range(0.001, 1e9, "seconds", takes_none=True)) == "0.001 to 1,000,000,000 seconds or None"
    assert str(Range(0, 1 << 56)) == "0 to 2^56"
