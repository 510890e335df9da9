"""On trio too a child of fork cannot use its parent's connections."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed
from forking import in_child, needs_fork
from on_trio.pair import on_trio, pair

pytestmark = needs_fork


@on_trio
async def test_in_a_child_a_connection_says_that_it_stays_with_the_parent() -> None:
    async with pair() as ends:
        stream, theirs = await ends.stream()

        def check() -> None:
            for end in (ends.client, ends.server):
                with pytest.raises(ConnectionClosed, match="forked off") as caught:
                    end.send_datagram(b"data")
                assert caught.value.code == c.FORKED

        in_child(check)
        await stream.send_all(b"still here")
        assert await theirs.receive_some() == b"still here"
