"""Rates and times as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.notation.units import parse_duration, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [("1", 1), ("500k", 500_000), ("10M", 10**7), ("10m", 10**7), ("1G", 10**9), ("1.5M", 1_500_000)]
    + [("10Mi", 10 * 2**20), ("1KiB", 1024), ("100Mbit", 12_500_000), ("8bit", 1), ("10MB/s", 10**7)],
)
def test_a_rate_is_bytes_a_second_unless_it_says_bits(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "M", "-1M", "1T", "10 M", "1e3", "7bit", "1001G", "1.M", "10Mb/h", "\u0661M"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("30", 30), ("250ms", 0.25), ("5m", 300), ("1h30m", 5400), ("2d", 172800), ("1.5s", 1.5)],
)
def test_a_time_is_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-1s", "s", "1 s", "1y", "1s!", "99999d", "1s1", "1h1m1s1ms1d1h"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@given(st.text() | st.text(alphabet="0123456789.kmgibtshd/", max_size=20))
def test_only_a_value_error_leaves_the_parsers(text: str) -> None:
    for parse in (parse_rate, parse_duration):
        try:
            assert parse(text) > 0
        except ValueError:
            continue
