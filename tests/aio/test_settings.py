"""The typed settings are those of the configuration."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fastmux import PLAINTEXT, connect, listen, portmux
from fastmux.aio.settings import (
    OF_CONNECT,
    OF_LISTEN,
    Settings,
    client_configuration,
    server_configuration,
)
from fastmux.protocol.configuration import Configuration


async def nothing(_connection: object) -> None: ...


def test_settings_have_the_names_of_the_configuration() -> None:
    assert set(Settings.__annotations__) == {field.name for field in dataclasses.fields(Configuration)}


def test_none_of_them_is_required() -> None:
    assert Settings.__required_keys__ == frozenset()


def test_what_a_user_says_is_kept_and_what_he_does_not_say_is_set(tmp_path: Path) -> None:
    assert client_configuration({}, None).handshake_timeout is None  # open_timeout limits it
    assert client_configuration({"handshake_timeout": 3}, None).handshake_timeout == 3
    assert server_configuration({}, None).handshake_timeout == Configuration().handshake_timeout
    for configure in (client_configuration, server_configuration):
        assert configure({}, tmp_path).observe is not None
        assert configure({"observe": None}, tmp_path).observe is None
        with pytest.raises(ValueError, match="congestion"):
            configure({"congestion": "none"}, None)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("keepalive", "keep_alive"), ("max_stream", "max_streams"), ("close_timout", "close_timeout")],
)
def test_a_name_that_is_no_setting_is_refused_with_the_nearest_that_is(wrong: str, nearest: str) -> None:
    calls: list[Callable[..., object]] = [
        partial(listen, nothing, "127.0.0.1", 0),
        partial(portmux.listen, nothing, "127.0.0.1", 0),
    ]
    if nearest != "close_timeout":
        calls += [partial(call, "127.0.0.1", 1) for call in (connect, portmux.connect)]
    for call in calls:
        with pytest.raises(TypeError, match=f"no setting '{wrong}': did you mean '{nearest}'"):
            call(tls=PLAINTEXT, **{wrong: 1})


def test_a_name_like_no_other_is_referred_to_the_page() -> None:
    settings: dict[str, Any] = {"xyzzy": 1}
    with pytest.raises(TypeError, match="no setting 'xyzzy': docs/reference/settings.md"):
        connect("127.0.0.1", 1, tls=PLAINTEXT, **settings)


def test_the_hints_know_the_arguments_of_connect_and_listen() -> None:
    for function, names in ((connect, OF_CONNECT), (listen, OF_LISTEN)):
        parameters = inspect.signature(function).parameters.values()
        assert set(names) == {it.name for it in parameters if it.kind is it.KEYWORD_ONLY}
