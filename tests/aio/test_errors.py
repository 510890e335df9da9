"""One stored error is raised to many."""

from __future__ import annotations

import pytest

from fastmux.aio.errors import renewed
from fastmux.exceptions import AuthenticationError, ConnectionClosed


def test_a_renewed_error_says_the_same_and_is_another_object() -> None:
    error = ConnectionClosed(7, "done", remote=True)
    again = renewed(error)
    assert again is not error
    assert isinstance(again, ConnectionClosed)
    assert (again.code, again.reason, again.remote) == (7, "done", True)
    assert type(renewed(AuthenticationError("who?"))) is AuthenticationError


def test_raising_it_leaves_no_traceback_on_the_stored_one() -> None:
    error = ConnectionClosed(1, "gone")
    for _ in range(3):
        with pytest.raises(ConnectionClosed):
            raise renewed(error)
    assert error.__traceback__ is None
