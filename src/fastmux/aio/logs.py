"""Lines of the log that are about one connection.

Owns: how a line names its connection. May not know: what is logged.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:  # logging's adapter is generic for type checkers only
    _Adapter: TypeAlias = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

CONNECTION_LOGGER: Final = "fastmux.connection"


class ConnectionLog(_Adapter):
    """Puts `[id]` before each message, and `connection_id` among the fields of the record.

    The id is the first one that the client made up: the same in the logs of both ends.
    """

    def __init__(self, connection_id: str, logger: logging.Logger | None = None) -> None:
        """For lines of `logger`, that of connections if none is given."""
        self._id = connection_id
        super().__init__(logger or logging.getLogger(CONNECTION_LOGGER), {})

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """Add the id; the caller's own fields stay."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), "connection_id": self._id}
        return f"[{self._id}] {msg}", kwargs
