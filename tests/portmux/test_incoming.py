"""Channels that wait for `accept` over ports: in order, bounded, and gone with ports that broke."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from fastmux.portmux.incoming import Incoming
from fastmux.portmux.link import PortLink


class Link:
    """As much of a link as waits."""

    is_waiting = False
    closed_error: ConnectionError | None = None


class End:
    """A connection that may be closing."""

    is_closing = False

    def check_usable(self) -> None:
        if self.is_closing:
            raise ClosedResourceError("closed")


def offered(incoming: Incoming) -> Link:
    link = Link()
    incoming.offer(cast(PortLink, link))
    return link


@pytest.mark.parametrize(
    ("error", "waiting", "is_kept"),
    [
        (ConnectionClosed(0), 1, True),  # its peer sent something and closed: it can be read
        (ConnectionClosed(0), 4, False),  # but only so many of them
        (ConnectionClosed(7), 1, False),
        (ConnectionResetError(), 1, False),
    ],
)
def test_a_link_that_is_gone_is_kept_only_if_its_peer_closed_it_in_good_order(
    error: ConnectionError, waiting: int, is_kept: bool
) -> None:
    async def main() -> None:
        incoming = Incoming(asyncio.get_running_loop(), End(), max_waiting=3)
        links = [offered(incoming) for _ in range(waiting)]
        links[0].closed_error = error
        incoming.on_link_gone(cast(PortLink, links[0]))
        assert len(incoming) == waiting - (not is_kept)

    asyncio.run(main())


def test_a_close_of_this_end_ends_the_waiting() -> None:
    async def main() -> None:
        end = End()
        incoming = Incoming(asyncio.get_running_loop(), end, max_waiting=3)
        waiting = asyncio.create_task(incoming.accept())
        await asyncio.sleep(0)
        end.is_closing = True
        incoming.wake()
        with pytest.raises(ClosedResourceError):
            await waiting
        assert offered(incoming).is_waiting
        incoming.discard()
        assert len(incoming) == 0

    asyncio.run(main())
