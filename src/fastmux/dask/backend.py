"""The scheme `fastmux://` as Dask's registry wants it.

Owns: what a scheme must tell about its addresses. May not know: how comms work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from distributed import utils
from distributed.comm.addressing import parse_host_port, unparse_host_port
from distributed.comm.registry import Backend

from fastmux.dask.comm import FastmuxComm
from fastmux.dask.connector import FastmuxConnector
from fastmux.dask.listener import FastmuxListener

_utils: Any = utils  # without types


class FastmuxBackend(Backend):
    """The backend of the entry point `distributed.comm.backends`. Addresses are "HOST:PORT"."""

    def get_connector(self) -> FastmuxConnector:
        """What opens comms."""
        return FastmuxConnector()

    def get_listener(
        self,
        loc: str,
        handle_comm: Callable[[FastmuxComm], Any],
        deserialize: bool,
        **connection_args: Any,
    ) -> FastmuxListener:
        """What takes comms at an address, not started yet."""
        return FastmuxListener(loc, handle_comm, deserialize, **connection_args)

    def get_address_host(self, loc: str) -> str:
        """The host of an address."""
        return str(parse_host_port(loc)[0])

    def get_address_host_port(self, loc: str) -> tuple[str, int]:
        """Host and port of an address."""
        host, port = parse_host_port(loc)
        return str(host), int(port)

    def resolve_address(self, loc: str) -> str:
        """The address with its host as a number."""
        host, port = parse_host_port(loc)
        return str(unparse_host_port(_utils.ensure_ip(host), port))

    def get_local_address_for(self, loc: str) -> str:
        """The local address from which `loc` is reached."""
        host = _utils.ensure_ip(parse_host_port(loc)[0])
        return str(unparse_host_port(_utils.get_ip(host), None))
