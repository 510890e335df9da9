"""fastmux's errors as trio's."""

from __future__ import annotations

import pytest
import trio

from fastmux.exceptions import (
    BrokenResourceError,
    BusyResourceError,
    ChannelReset,
    ClosedResourceError,
    ConnectionClosed,
    MessageTooBig,
)
from fastmux.trio.errors import is_end, of_channel, of_connection


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClosedResourceError("closed"), trio.ClosedResourceError),
        (BusyResourceError("busy"), trio.BusyResourceError),
        (BrokenResourceError("stopped"), trio.BrokenResourceError),
        (ChannelReset(5), trio.BrokenResourceError),
        (ConnectionClosed(8, "away"), trio.BrokenResourceError),
        (MessageTooBig("large"), MessageTooBig),
    ],
)
def test_a_channel_raises_trios_errors_with_the_cause(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, of_channel():
        raise error
    assert caught.value is error or caught.value.__cause__ is error
    assert str(caught.value) == str(error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClosedResourceError("closed"), trio.ClosedResourceError),
        (BusyResourceError("busy"), trio.BusyResourceError),
        (ConnectionClosed(8, "away"), ConnectionClosed),
    ],
)
def test_a_connection_keeps_its_own_end(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind), of_connection():
        raise error


def test_an_end_is_told_from_a_fault_in_groups_too() -> None:
    ends = [trio.BrokenResourceError(), ConnectionClosed(8), trio.ClosedResourceError()]
    assert all(is_end(error) for error in ends)
    assert is_end(ExceptionGroup("", [ExceptionGroup("", ends), ends[0]]))
    assert not is_end(KeyError())
    assert not is_end(ExceptionGroup("", [*ends, KeyError()]))
