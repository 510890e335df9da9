"""Where the two workers of a run are: on loopback, in two network namespaces, or at the ends of a link.

Owns what a place must offer, and loopback. Knows no contender.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Place(Protocol):
    """Where a server and a client run, and how the client reaches the server."""

    @property
    def host(self) -> str:
        """The address that the server listens on, and, but for `route`, the client connects to."""
        ...

    def at_server(self, command: Sequence[str]) -> list[str]:
        """The command as it is run at the server's end."""
        ...

    def at_client(self, command: Sequence[str]) -> list[str]:
        """The command as it is run at the client's end."""
        ...

    def route(self, port: int) -> AbstractContextManager[int]:
        """While it is entered the client reaches the server's `port` at the port that it gives."""
        ...


class PlaceUnavailable(Exception):
    """This machine cannot make such a place; the text says why."""


class Loopback:
    """127.0.0.1, and nothing between."""

    host = "127.0.0.1"

    def at_server(self, command: Sequence[str]) -> list[str]:
        """As it is."""
        return list(command)

    def at_client(self, command: Sequence[str]) -> list[str]:
        """As it is."""
        return list(command)

    def route(self, port: int) -> AbstractContextManager[int]:
        """The port itself."""
        return nullcontext(port)
