"""Events and trains: values that compare, and trains that one system call can carry."""

from __future__ import annotations

import pytest

from fastmux.constants import MAX_TRAIN_SEGMENTS, MAX_TRAIN_SIZE
from fastmux.protocol.events import ChannelsAvailable, ChannelsReady, Transmit, max_train_size


def test_events_with_the_same_content_are_equal() -> None:
    assert ChannelsReady([(4, 1)]) == ChannelsReady([(4, 1)])
    assert ChannelsAvailable() == ChannelsAvailable()


def test_a_transmit_has_more_unless_it_says_otherwise() -> None:
    assert Transmit(100, 100, ("127.0.0.1", 1)).has_more


@pytest.mark.parametrize("segment_size", [512, 1023, 1024, 1200, 1452, 8952, 65507])
def test_a_train_is_whole_datagrams_within_what_one_call_takes(segment_size: int) -> None:
    size = max_train_size(segment_size)
    assert size % segment_size == 0
    assert segment_size <= size <= min(MAX_TRAIN_SIZE, MAX_TRAIN_SEGMENTS * segment_size)
    one_more = size + segment_size
    assert one_more > MAX_TRAIN_SIZE or one_more > MAX_TRAIN_SEGMENTS * segment_size
