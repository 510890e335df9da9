"""Token buckets, one for all or one for each network."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.protocol.rates import PrefixRates, TokenBucket, prefix_of


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("client", "client", True),
        ("no:address", "no:other", False),
    ],
)
def test_an_ipv4_address_or_a_64_of_ipv6_is_one_network(one: str, other: str, is_same: bool) -> None:
    assert (prefix_of((one, 1)) == prefix_of((other, 2))) is is_same


def test_a_site_of_ipv6_is_one_larger_network() -> None:
    here, there = ("2001:db8:1:1::1", 1), ("2001:db8:1:ff::1", 1)
    assert prefix_of(here, c.SHARED_PREFIX_BITS) == prefix_of(there, c.SHARED_PREFIX_BITS)
    assert prefix_of(here, c.SHARED_PREFIX_BITS) != prefix_of(("2001:db8:2::1", 1), c.SHARED_PREFIX_BITS)
    assert prefix_of(("192.0.2.1", 1), c.SHARED_PREFIX_BITS) == "192.0.2.1"
    rates = PrefixRates(1.0, 1.0, bits=c.SHARED_PREFIX_BITS)
    assert rates.take(here, 0.0)
    assert not rates.has(there, 0.0)
    assert not rates.take(there, 0.0)


def test_a_reserve_is_left_to_others() -> None:
    bucket = TokenBucket(5.0, 1.0, 0.0)
    assert bucket.has(0.0, 4.0)
    assert bucket.take(0.0)
    assert not bucket.has(0.0, 4.0)
    assert bucket.has(0.0)
    assert bucket.has(1.0, 4.0)


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(5.0, 10.0, 0.0)
    assert [bucket.take(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert not bucket.take(0.05)
    assert bucket.take(0.11)
    assert not bucket.take(0.11)
    assert sum(bucket.take(100.0) for _ in range(100)) == 5


def test_to_ask_takes_nothing() -> None:
    bucket = TokenBucket(1.0, 1.0, 0.0)
    assert bucket.has(0.0)
    assert bucket.has(0.0)
    assert bucket.take(0.0)
    assert not bucket.has(0.5)


def test_a_clock_that_goes_back_fills_no_bucket() -> None:
    bucket = TokenBucket(1.0, 1.0, 10.0)
    assert bucket.take(10.0)
    assert not bucket.take(5.0)
    assert not bucket.take(5.5)
    assert not bucket.take(10.5)  # five seconds that were counted before
    assert bucket.take(11.0)


def test_each_network_has_a_bucket_of_its_own() -> None:
    rates = PrefixRates(2.0, 1.0)
    assert [rates.take(("192.0.2.1", port), 0.0) for port in range(3)] == [True, True, False]
    assert rates.take(("192.0.2.2", 1), 0.0)
    assert not rates.has(("192.0.2.1", 9), 0.0)
    assert rates.has(("192.0.2.3", 9), 0.0)
    assert len(rates) == 2


def test_ever_new_networks_do_not_fill_the_memory_and_push_out_the_quietest() -> None:
    rates = PrefixRates(1.0, 0.001)
    busy = ("192.0.2.1", 1)
    rates.take(busy, 0.0)
    for number in range(3 * c.MAX_RATED_PREFIXES):
        rates.take((f"10.0.{number >> 8}.{number & 255}", 1), 0.0)
        if not number % 1000:
            assert not rates.take(busy, 0.0)
    assert len(rates) == c.MAX_RATED_PREFIXES
    assert rates.has(("10.0.0.1", 1), 0.0)  # it was forgotten
