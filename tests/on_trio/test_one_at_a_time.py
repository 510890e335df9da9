"""A block for one task at a time."""

from __future__ import annotations

import pytest
import trio

from fastmux.trio.one_at_a_time import OneAtATime


def test_a_second_task_is_turned_away_until_the_first_has_left() -> None:
    sending = OneAtATime("sending")
    with sending, pytest.raises(trio.BusyResourceError, match="already sending"), sending:
        pass
    with pytest.raises(KeyError), sending:
        raise KeyError
    with sending:
        pass
