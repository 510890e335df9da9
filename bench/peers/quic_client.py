"""What a client does in every workload over QUIC.

Owns the sending and asking sides. Knows a library only through `Library` and `Link`.
"""

import argparse
import asyncio
import itertools
import time
from contextlib import AsyncExitStack
from functools import partial

from bench import payload, worker
from bench.peers import common
from bench.peers.quic_link import Library, Link, refuse

MIN_PIECE_SIZE = 16384


async def _send_streams(options: argparse.Namespace, library: Library) -> None:
    """Bulk over `--count` streams; over when the server has ended each of them too."""
    count = worker.count_of(options)
    size = max(payload.PIECE_SIZE // (4 * count), MIN_PIECE_SIZE)
    async with library.connect(options) as link:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ended: set[int] = set()

        pieces = payload.pieces(size)

        def receive(stream_id: int, data: bytes, end: bool) -> None:
            refuse(stream_id, data, end)
            if end:
                ended.add(stream_id)
            if len(ended) == count:
                answered.set_result(None)

        async def send(meter: worker.Meter) -> None:
            stream_id = link.open(pieces[0])
            going = meter.add(len(pieces[0]))
            following = itertools.islice(itertools.cycle(pieces), 1, None)
            while going:
                piece = next(following)
                await link.write(stream_id, piece)
                going = meter.add(len(piece))
            await link.write(stream_id, b"", True)

        link.received = receive
        meter = worker.Meter(options.seconds, options.warmup, options.size)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(send(meter))
        await link.outcome(answered)
        worker.announce(meter.result("client", library.detail(link)))


async def _send_messages(options: argparse.Namespace, library: Library) -> None:
    """Messages on one stream; over when the server has ended it too."""
    async with library.connect(options) as link:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def receive(stream_id: int, data: bytes, end: bool) -> None:
            refuse(stream_id, data, end)
            if end:
                answered.set_result(None)

        link.received = receive
        operations = worker.Operations(options.seconds, options.warmup)
        stream_id: int | None = None
        for batch in common.batches(common.SIZES[options.workload]):
            data = common.frame(batch)
            if stream_id is None:
                stream_id = link.open(data)
            else:
                await link.write(stream_id, data)
            if not operations.add(len(batch)):
                await link.write(stream_id, b"", True)
                break
        await link.outcome(answered)
        worker.announce(operations.result("client", library.detail(link)))


class _Echoes:
    """The client of the round trips: every answer starts the next, on its stream or on a new one (churn)."""

    def __init__(self, link: Link, options: argparse.Namespace) -> None:
        self.operations = worker.Operations(options.seconds, options.warmup)
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._link = link
        self._churn = options.workload == "churn"
        self._pieces = payload.cut(common.SIZES[options.workload])
        self._exchanges: dict[int, common.Exchange] = {}
        self._left = 0
        link.received = self._receive

    def start(self, count: int) -> None:
        """Begin `count` exchanges; `over` is done when each has had its last answer."""
        self._left = count
        for number in range(count):
            self._open(common.Exchange(self._pieces, number))
        self._link.flush()

    def _open(self, exchange: common.Exchange) -> None:
        self._link.when_open(partial(self._begin, exchange, exchange.next()))

    def _begin(self, exchange: common.Exchange, piece: bytes) -> None:
        self._exchanges[self._link.open(piece, self._churn)] = exchange

    def _receive(self, stream_id: int, data: bytes, end: bool) -> None:
        exchange = self._exchanges[stream_id]
        whole = exchange.take(data)
        if end:
            if not whole:
                raise ValueError("a stream ended before its echo")
            del self._exchanges[stream_id]
            if self._churn and self.operations.add(1, exchange.latency):
                self._open(exchange)
            else:
                self._finish()
        elif whole and not self._churn:
            going = self.operations.add(1, exchange.latency)
            self._link.send(stream_id, exchange.next() if going else b"", not going)

    def _finish(self) -> None:
        self._left -= 1
        if not self._left:
            self.over.set_result(None)


async def _exchange_echoes(options: argparse.Namespace, library: Library) -> None:
    """`--count` round trips at a time, on as many streams, or each on a new stream (churn)."""
    async with library.connect(options) as link:
        echoes = _Echoes(link, options)
        echoes.start(worker.count_of(options))
        await link.outcome(echoes.over)
        result = echoes.operations.result("client", library.detail(link))
        await _say_goodbye(link)
        worker.announce(result)


async def _shake_hands(options: argparse.Namespace, library: Library) -> None:
    """Connections one after another; what a library does to close one goes on beside the next."""
    operations = worker.Operations(options.seconds, options.warmup)
    async with asyncio.TaskGroup() as closing:
        going = True
        while going:
            stack = AsyncExitStack()
            started_at = time.perf_counter()
            await stack.enter_async_context(library.connect(options))
            latency = time.perf_counter() - started_at
            closing.create_task(stack.aclose())
            going = operations.add(1, latency)
        async with library.connect(options) as link:
            result = operations.result("client", library.detail(link))
            await _say_goodbye(link)
    worker.announce(result)


async def _say_goodbye(link: Link) -> None:
    """A stream of nothing; over when the server has answered it."""
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(stream_id: int, data: bytes, end: bool) -> None:
        refuse(stream_id, data, end)
        answered.set_result(None)

    link.received = receive
    link.when_open(partial(link.open, b"", True))
    link.flush()
    await link.outcome(answered)


CLIENTS = {
    "bulk": _send_streams,
    "streams": _send_streams,
    "pingpong": _exchange_echoes,
    "echoes": _exchange_echoes,
    "churn": _exchange_echoes,
    "messages": _send_messages,
    "small-messages": _send_messages,
    "handshakes": _shake_hands,
}
