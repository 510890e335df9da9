"""The typed settings are those of the configuration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fastmux.aio.settings import Settings, client_configuration, server_configuration
from fastmux.protocol.configuration import Configuration


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

