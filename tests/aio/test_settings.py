"""The typed settings are those of the configuration."""

from __future__ import annotations

import dataclasses

from fastmux.aio.settings import Settings
from fastmux.protocol.configuration import Configuration


def test_settings_have_the_names_of_the_configuration() -> None:
    assert set(Settings.__annotations__) == {field.name for field in dataclasses.fields(Configuration)}


def test_none_of_them_is_required() -> None:
    assert Settings.__required_keys__ == frozenset()
