"""Settings that cannot work are refused where they are made."""

from __future__ import annotations

from typing import Any

import pytest

from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds


def test_the_defaults_are_accepted() -> None:
    assert Configuration().max_datagram_size == 8952


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_datagram_size": 1199},
        {"max_datagram_size": 65508},
        {"channel_window": 1023},
        {"channel_window": 2**20, "connection_window": 2**19},
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
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused_with_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Configuration(**wrong)


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
