"""The keyword settings that `connect` and `listen` take by name.

Owns: their types, as type checkers see them, and what is set where a user says nothing. May not know: what
they mean (`Configuration` does).
"""

from __future__ import annotations

import os
from typing import Final, TypedDict

from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import ConnectionIds
from fastmux.protocol.observer import ObserverFactory
from fastmux.qlog.tracing import observer_factory

# What the callers take by name beside settings: a mistyped one arrives among these.
OF_CONNECT: Final = ("tls", "open_timeout", "local_address", "backoff", "qlog")
OF_LISTEN: Final = ("tls", "reuse_port", "worker", "close_timeout", "qlog")


class Settings(TypedDict, total=False):
    """The fields of `fastmux.protocol.configuration.Configuration`, all optional; a test compares."""

    idle_timeout: float | None
    keep_alive: float | None
    handshake_timeout: float | None
    connection_ids: ConnectionIds
    max_datagram_size: int
    max_streams: int
    max_message_channels: int
    channel_window: int
    max_channel_window: int
    connection_window: int
    max_connection_window: int
    budget: int
    write_limit: int
    max_message_size: int
    max_datagram_frame_size: int
    max_ack_delay: float
    initial_rtt: float
    max_connections: int
    max_half_open: int
    max_half_open_per_address: int
    key_update_interval: int
    congestion: str
    retry: str
    max_handshake_rate: float | None
    max_handshake_rate_per_address: float | None
    busy_poll_time: float
    reset_key: bytes | None
    observe: ObserverFactory | None


def client_configuration(settings: Settings, qlog: str | os.PathLike[str] | None) -> Configuration:
    """What `connect` was given; `qlog` is a directory for records.

    Raises ValueError for what cannot work, TypeError for what is no setting or of the wrong type.
    """
    check_names(settings, OF_CONNECT)
    settings.setdefault("handshake_timeout", None)  # open_timeout is the limit
    settings.setdefault("observe", observer_factory(qlog))
    return Configuration(**settings)


def server_configuration(settings: Settings, qlog: str | os.PathLike[str] | None) -> Configuration:
    """What `listen` was given. Raises as `client_configuration`."""
    check_names(settings, OF_LISTEN)
    settings.setdefault("observe", observer_factory(qlog))
    return Configuration(**settings)


def check_names(settings: Settings, arguments: tuple[str, ...]) -> None:
    """Raise TypeError for a name that is no setting, with the nearest one, or nearest of the `arguments`."""
    for name in settings.keys() - Settings.__annotations__.keys():
        import difflib  # where it is of use only

        near = difflib.get_close_matches(name, (*Settings.__annotations__, *arguments), 1)
        hint = f"did you mean {near[0]!r}?" if near else "docs/reference/settings.md has all of them"
        raise TypeError(f"there is no setting {name!r}: {hint}")
