"""Two transports that write, pause and close at random over a lossy link: all arrives, ends come once."""

from __future__ import annotations

import asyncio
import random
from typing import cast

import pytest

from aio.link import Link
from aio.pair import pair
from aio.recording_protocol import Recording
from aio.virtual_loop import virtual
from fastmux.aio.stream_transport import StreamTransport


class Wayward(Recording):
    """Writes `total` bytes in pieces of any size while it may, pauses reading at times, then half-closes."""

    def __init__(self, seed: int, total: int) -> None:
        super().__init__(keeps_open=True)
        self.random = random.Random(seed)
        self.expected = self.random.randbytes(total)
        self.written = 0
        self.is_paused = False

    def pause_writing(self) -> None:
        assert not self.is_paused
        self.is_paused = True
        super().pause_writing()

    def resume_writing(self) -> None:
        assert self.is_paused
        self.is_paused = False
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.random.random() < 0.2:
            self.transport.pause_reading()
            loop = asyncio.get_running_loop()
            loop.call_later(self.random.uniform(0, 0.3), self.transport.resume_reading)

    async def write_all(self) -> None:
        while self.written < len(self.expected):
            while self.is_paused:
                self.changed.clear()
                await self.changed.wait()
            size = self.random.choice((1, 100, 5000, 60_000))
            piece = self.expected[self.written : self.written + size]
            kinds = (bytes, bytearray, memoryview)
            self.transport.write(cast(bytes, self.random.choice(kinds)(piece)))
            self.written += len(piece)
            if self.random.random() < 0.1:
                self.transport.set_write_buffer_limits(self.random.choice((0, 1000, 100_000)))
            if self.random.random() < 0.3:
                await asyncio.sleep(self.random.uniform(0, 0.05))
        self.transport.write_eof()
        await self.at_end.wait()
        self.transport.close()
        await self.lost.wait()


@pytest.mark.parametrize("seed", range(20))
def test_two_wayward_ends_lose_nothing(seed: int) -> None:
    @virtual
    async def main() -> None:
        link = Link(loss=0.05, seed=seed)
        async with pair(link=link, write_limit=20_000, channel_window=8192, max_channel_window=65536) as ends:
            mine, theirs = await ends.stream()
            near, far = Wayward(seed, 150_000), Wayward(seed + 1000, 100_000)
            for stream, protocol in ((mine, near), (theirs, far)):
                StreamTransport(stream, protocol).start()
            await asyncio.gather(near.write_all(), far.write_all())
            assert near.data == far.expected
            assert far.data == near.expected
            for protocol in (near, far):
                assert protocol.error is None
                assert protocol.calls.count("connection_lost") == 1
                assert protocol.calls.count("eof_received") == 1
            await asyncio.sleep(1)
            assert ends.client.stats.channel_count == ends.server.stats.channel_count == 0

    main()
