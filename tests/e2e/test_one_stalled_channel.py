"""Channels that are never read hold no other channel up."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

import fastmux
from e2e.conversation import CHUNK_SIZE, MIB, FarEnd, payload, receive_all, send_pieces
from e2e.support import LoopFactory, run

pytestmark = pytest.mark.slow

CHANNELS = 100
STALLED_SIZE = 2 * MIB  # more than the windows and the write limit take
READ_IN_THE_END = 3  # of the stalled channels; the others are given up
MESSAGE_SIZE = MIB
DATA = payload(128 * 1024)
DIGEST = hashlib.sha256(DATA).digest()


async def send_and_check(conn: fastmux.Connection) -> None:
    """Send `DATA` on a stream of its own, and compare the digest that comes back."""
    stream = await conn.open_stream(label="digest")
    await send_pieces(stream, DATA)
    assert await receive_all(stream) == DIGEST
    await stream.aclose()


@pytest.mark.parametrize("stalled", [1, 50])
def test_the_other_channels_finish_while_some_are_never_read(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig, loop_factory: LoopFactory, stalled: int
) -> None:
    async def main() -> None:
        far_end = FarEnd()
        data = payload(STALLED_SIZE)
        async with (
            fastmux.listen(far_end.handle, "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
        ):
            sleepers = [await conn.open_stream(label="sleeper") for _ in range(stalled)]
            sending = [asyncio.create_task(send_pieces(stream, data)) for stream in sleepers]
            await asyncio.gather(*(send_and_check(conn) for _ in range(CHANNELS - stalled)))
            assert not any(task.done() for task in sending)
            for stream, task in zip(sleepers[READ_IN_THE_END:], sending[READ_IN_THE_END:], strict=True):
                stream.reset()
                with pytest.raises(fastmux.ClosedResourceError):
                    await task
            far_end.wake.set()
            for stream, task in zip(sleepers[:READ_IN_THE_END], sending[:READ_IN_THE_END], strict=True):
                await task
                assert await receive_all(stream) == hashlib.sha256(data).digest()

    run(main(), loop_factory, timeout=100)


def test_eight_channels_in_the_middle_of_a_large_message_all_finish(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig
) -> None:
    """Together they are far larger than the connection's window, so that all are under way at once."""

    async def main() -> None:
        far_end = FarEnd()
        window = CHUNK_SIZE
        async with (
            fastmux.listen(
                far_end.handle, "127.0.0.1", 0, tls=server_tls, connection_window=window
            ) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls, connection_window=window) as conn,
        ):
            channels = [await conn.open_message_channel(label="echo") for _ in range(8)]
            messages = [payload(MESSAGE_SIZE, seed=number) for number in range(8)]
            await asyncio.gather(
                *(channel.send(message) for channel, message in zip(channels, messages, strict=True))
            )
            for channel, message in zip(channels, messages, strict=True):
                assert await channel.receive() == message
                await channel.aclose()

    run(main(), timeout=100)
