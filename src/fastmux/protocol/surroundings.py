"""What a connection is given at birth: its ids, and what its endpoint does for it.

Owns: these two records. May not know: what either side makes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from fastmux.protocol.configuration import Configuration
from fastmux.protocol.local_ids import IdTable
from fastmux.protocol.retry import NO_RETRY, Retry

if TYPE_CHECKING:
    from fastmux.protocol.connection import Connection


class Ids(NamedTuple):
    """Connection ids: the one that this end chose, the peer's, and the client's first destination id.

    `retry` is what a server sent to this client before, and got back.
    """

    local: bytes
    remote: bytes
    first: bytes
    retry: Retry = NO_RETRY


class Surroundings(NamedTuple):
    """`touch`: drive me; `rearm`: my deadline may have moved; `ids` leads packets to the connection."""

    configuration: Configuration
    random_bytes: Callable[[int], bytes]
    touch: Callable[[Connection], None]
    rearm: Callable[[Connection], None]
    ids: IdTable
