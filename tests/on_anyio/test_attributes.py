"""Which facts a stream has."""

from __future__ import annotations

import anyio
import pytest
from anyio.abc import SocketAttribute

from fastmux.anyio import FastmuxAttribute
from on_anyio.backends import Backend, pair


def test_both_kinds_of_channels_know_their_connection_and_no_raw_socket(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            for channel in (await ends.client.open_stream("a"), await ends.client.open_message_channel("a")):
                assert channel.extra(FastmuxAttribute.connection) is ends.client.inner
                assert channel.extra(FastmuxAttribute.label) == "a"
                assert channel.extra(FastmuxAttribute.peer) == ends.client.inner.peer
                with pytest.raises(anyio.TypedAttributeLookupError):
                    channel.extra(SocketAttribute.raw_socket)
                await channel.aclose()

    backend.run(main)
