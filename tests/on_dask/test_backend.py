"""What Dask's registry asks of a scheme."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import distributed.comm.registry
import pytest

from fastmux.dask import FastmuxBackend
from fastmux.dask.connector import FastmuxConnector
from on_dask.support import comm

_registry: Any = distributed.comm.registry


def test_the_scheme_is_found_by_its_entry_point() -> None:
    (found,) = entry_points(group="distributed.comm.backends", name="fastmux")
    assert found.load() is FastmuxBackend
    assert isinstance(_registry.get_backend("fastmux"), FastmuxBackend)
    assert isinstance(FastmuxBackend().get_connector(), FastmuxConnector)


@pytest.mark.parametrize(
    ("address", "host", "port"), [("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:443", "::1", 443)]
)
def test_an_address_is_host_and_port(address: str, host: str, port: int) -> None:
    assert FastmuxBackend().get_address_host(address) == host
    assert FastmuxBackend().get_address_host_port(address) == (host, port)


def test_a_name_is_resolved() -> None:
    assert comm.resolve_address("fastmux://localhost:1234") == "fastmux://127.0.0.1:1234"


def test_the_local_address_for_a_place_is_one_from_which_it_is_reached() -> None:
    assert comm.get_local_address_for("fastmux://127.0.0.1:8786") == "fastmux://127.0.0.1"
    assert FastmuxBackend().get_local_address_for("[::1]:8786") == "[::1]"
