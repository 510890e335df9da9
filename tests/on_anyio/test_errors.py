"""fastmux's errors as anyio's."""

from __future__ import annotations

import anyio
import pytest

from fastmux.anyio.errors import is_end, of_channel, of_connection
from fastmux.exceptions import (
    BrokenResourceError,
    BusyResourceError,
    ChannelReset,
    ClosedResourceError,
    ConnectionClosed,
    EndOfStream,
    MessageTooBig,
)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndOfStream(), anyio.EndOfStream),
        (ClosedResourceError("closed"), anyio.ClosedResourceError),
        (BusyResourceError("busy"), anyio.BusyResourceError),
        (BrokenResourceError("stopped"), anyio.BrokenResourceError),
        (ChannelReset(5), anyio.BrokenResourceError),
        (ConnectionClosed(8, "away"), anyio.BrokenResourceError),
        (MessageTooBig("large"), MessageTooBig),
    ],
)
def test_a_channel_raises_anyios_errors_with_the_cause(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, of_channel():
        raise error
    assert caught.value is error or caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClosedResourceError("closed"), anyio.ClosedResourceError),
        (BusyResourceError("busy"), anyio.BusyResourceError),
        (ConnectionClosed(8, "away"), ConnectionClosed),
    ],
)
def test_a_connection_keeps_its_own_end(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind), of_connection():
        raise error


def test_an_end_is_told_from_a_fault_in_groups_too() -> None:
    ends = [anyio.BrokenResourceError(), ConnectionClosed(8), anyio.ClosedResourceError()]
    assert is_end(ExceptionGroup("", [ExceptionGroup("", ends), ends[0]]))
    assert not is_end(ExceptionGroup("", [*ends, KeyError()]))
