"""Who provides what channels need provides all of it."""

from __future__ import annotations

import pytest

from fastmux.aio.channel_host import ChannelHost
from fastmux.aio.channel_table import ChannelTable
from fastmux.portmux.link import PortLink


@pytest.mark.parametrize("provider", [ChannelTable, PortLink])
def test_a_provider_has_every_name_of_the_interface(provider: type) -> None:
    names = {name for name in vars(ChannelHost) if not name.startswith("_")}
    assert {"data_path", "schedule", "closed_error"} <= names
    slots = {slot for each in provider.__mro__ for slot in getattr(each, "__slots__", ())}
    assert names - slots - set(dir(provider)) - set(getattr(provider, "__annotations__", ())) == set()
