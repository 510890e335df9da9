"""Settings that cannot work are refused where they are made."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import pytest

from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds
from fastmux.protocol.parameters import decode_parameters, encode_parameters, parameters_of
from fastmux.protocol.setting_ranges import RANGES
from protocol.pairs import make_pair, transfer


def test_the_defaults_are_accepted() -> None:
    assert Configuration().max_datagram_size == 8952


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_datagram_size": 1199},
        {"max_datagram_size": 65508},
        {"channel_window": 1023},
        {"channel_window": 2**20, "connection_window": 2**19},
        {"channel_window": 2**60 + 1},
        {"max_channel_window": 2**60 + 1},
        {"connection_window": 2**60 + 1},
        {"max_connection_window": 2**60 + 1},
        {"budget": 2**62 - 1},
        {"max_message_size": 2**60 + 1},
        {"idle_timeout": 0.0},
        {"keep_alive": -1.0},
        {"handshake_timeout": 0.0},
        {"key_update_interval": 0},
        {"key_update_interval": 2**22 + 1},
        {"congestion": "vegas"},
        {"congestion": ""},
        {"retry": "sometimes"},
        {"max_handshake_rate": 0.0},
        {"max_handshake_rate_per_address": -1.0},
        {"busy_poll_time": -0.0001},
        {"busy_poll_time": 0.0011},
        {"reset_key": b"short"},
        {"budget": 2**19},
        {"max_channel_window": 65535},
        {"max_connection_window": 2**20 - 1},
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused_with_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Configuration(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"reset_key": "sixteen letters."}, {"observe": 1}, {"connection_ids": None}, {"connection_ids": 8}],
    ids=str,
)
def test_a_setting_of_the_wrong_type_is_refused_with_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(wrong))):
        Configuration(**wrong)


def test_every_setting_that_is_a_number_has_a_range_that_is_checked() -> None:
    numbers = {field.name for field in fields(Configuration) if isinstance(field.default, int | float)}
    assert set(RANGES) == numbers
    for name in RANGES:
        wrong: dict[str, Any] = {name: -1}
        with pytest.raises(ValueError, match=name):
            Configuration(**wrong)


def test_numbers_of_other_libraries_become_plain_ones() -> None:
    class Eight:
        def __index__(self) -> int:
            return 8

    numbers: dict[str, Any] = {"max_streams": Eight(), "idle_timeout": Fraction(5, 2)}
    settings = Configuration(**numbers)
    assert (settings.max_streams, settings.idle_timeout) == (8, 2.5)
    assert (type(settings.max_streams), type(settings.idle_timeout)) == (int, float)


def test_windows_may_begin_at_their_maximum() -> None:
    settings = Configuration(channel_window=1024, max_channel_window=1024, max_connection_window=2**20)
    assert settings.channel_window == settings.max_channel_window


def test_cubic_is_the_default_and_the_others_are_there_by_name() -> None:
    assert Configuration().congestion == "cubic"
    for name in ("cubic", "newreno", "bbr"):
        assert Configuration(congestion=name).congestion == name


def test_none_switches_a_time_limit_off() -> None:
    settings = Configuration(idle_timeout=None, keep_alive=None, handshake_timeout=None)
    assert settings.idle_timeout is None


@pytest.mark.parametrize("size", [3, 21])
def test_a_scheme_of_ids_with_a_size_that_cannot_be_is_refused(size: int) -> None:
    class Ids(RandomIds):
        """A scheme whose size was never checked."""

        def __post_init__(self) -> None: ...

    with pytest.raises(ValueError, match="size of connection ids"):
        Configuration(connection_ids=Ids(size))


def test_settings_do_not_change_once_made() -> None:
    with pytest.raises(AttributeError):
        setattr(Configuration(), "_".join(("idle", "timeout")), 1.0)


def test_the_key_of_resets_does_not_show() -> None:
    assert "secret" not in repr(Configuration(reset_key=b"secret" * 4))


def extremes(end: str) -> Configuration:
    """Every number of a connection at one end of its range, but those that make a transfer take for ever."""
    kept = {"max_datagram_size", "idle_timeout", "keep_alive", "handshake_timeout", "max_ack_delay"}
    kept |= {"initial_rtt", "key_update_interval", "busy_poll_time"}
    values: dict[str, Any] = {name: getattr(it, end) for name, it in RANGES.items() if name not in kept}
    return Configuration(**values)


def test_the_peer_takes_what_every_range_allows() -> None:
    """Guards against a server that starts, and whose parameters fail every client."""
    for end in ("lowest", "highest"):
        times = {name: getattr(RANGES[name], end) for name in ("idle_timeout", "max_ack_delay")}
        parameters = parameters_of(replace(extremes(end), **times))
        assert decode_parameters(encode_parameters(parameters)).max_ack_delay == times["max_ack_delay"]


def test_a_connection_works_with_the_largest_of_all_limits_and_nearly_the_smallest() -> None:
    """Sums of the largest must not overflow the 64 bits of a core."""
    small = replace(extremes("lowest"), max_streams=1, max_message_channels=1, max_half_open=2)
    small = replace(small, max_handshake_rate=None, max_handshake_rate_per_address=None)
    for settings in (extremes("highest"), small):
        pair = make_pair(configuration=settings).open()
        assert transfer(pair, bytes(100_000), timeout=60.0) == bytes(100_000)
