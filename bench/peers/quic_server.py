"""What a server does in every workload over QUIC.

Owns the receiving and answering sides. Knows a library only through `Library` and `Link`.
"""

import argparse
import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from bench import payload, worker
from bench.peers import common
from bench.peers.quic_link import Library, Link
from bench.worker import Result


class _Server(ABC):
    """What a server does with what comes; `done` gets the result or the failure."""

    def __init__(self, options: argparse.Namespace, library: Library) -> None:
        self._options = options
        self._library = library
        self.done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.last: Link | None = None

    def accept(self, link: Link) -> None:
        """Take a connection."""
        self.last = link
        link.received = lambda stream_id, data, end: self.receive(link, stream_id, data, end)
        link.lost.add_done_callback(self._check)

    @abstractmethod
    def receive(self, link: Link, stream_id: int, data: bytes, end: bool) -> None:
        """Take a piece of a stream."""

    def detail(self, link: Link) -> dict[str, object]:
        """What the link says about itself."""
        return self._library.detail(link)

    def _check(self, lost: "asyncio.Future[None]") -> None:
        error = lost.exception()
        if error is not None and not self.done.done():
            self.done.set_exception(error)


class _BulkServer(_Server):
    """Verifies every stream by itself; the result is due when `--count` of them have ended."""

    def __init__(self, options: argparse.Namespace, library: Library) -> None:
        super().__init__(options, library)
        self._verifiers: dict[int, payload.Verifier] = {}
        self._ended = 0
        self._meter: worker.Meter | None = None

    def receive(self, link: Link, stream_id: int, data: bytes, end: bool) -> None:
        if self._meter is None:
            self._meter = worker.Meter(self._options.seconds, self._options.warmup)
        verifier = self._verifiers.get(stream_id)
        if verifier is None:
            verifier = self._verifiers[stream_id] = payload.Verifier()
        common.verify(verifier, data)
        self._meter.add(len(data))
        if end:
            link.send(stream_id, b"", True)
            self._ended += 1
            if self._ended == worker.count_of(self._options):
                self.done.set_result(self._meter.result("server", self.detail(link)))


class _MessageServer(_Server):
    """Cuts one stream into messages and verifies them."""

    def __init__(self, options: argparse.Namespace, library: Library) -> None:
        super().__init__(options, library)
        self._deframer = common.Deframer()
        self._check_messages = common.MessageCheck(common.SIZES[options.workload])
        self._operations: worker.Operations | None = None

    def receive(self, link: Link, stream_id: int, data: bytes, end: bool) -> None:
        if self._operations is None:
            self._operations = worker.Operations(self._options.seconds, self._options.warmup)
        messages = self._deframer.feed(data)
        if messages:
            self._check_messages.check(messages)
            self._operations.add(len(messages))
        if end:
            if not self._deframer.empty:
                raise ValueError("the stream ended within a message")
            link.send(stream_id, b"", True)
            self.done.set_result(self._operations.result("server", self.detail(link)))


class _EchoServer(_Server):
    """Sends back what comes, with the end where it has one; a stream of nothing is the client's goodbye."""

    def __init__(self, options: argparse.Namespace, library: Library) -> None:
        super().__init__(options, library)
        self._size = common.SIZES[options.workload]
        self._total_size = 0
        self._begun: set[int] = set()
        self._operations = worker.Operations(options.seconds, options.warmup)

    def receive(self, link: Link, stream_id: int, data: bytes, end: bool) -> None:
        if not data and end and stream_id not in self._begun:
            self.done.set_result(self._operations.result("server", self.detail(link)))
            link.send(stream_id, b"", True)
            return
        link.send(stream_id, bytes(data), end)
        before = self._total_size // self._size
        self._total_size += len(data)
        self._operations.add(self._total_size // self._size - before)
        if end:
            self._begun.discard(stream_id)
        else:
            self._begun.add(stream_id)


class _HandshakeServer(_Server):
    """Counts a handshake when the next is complete; the last connection only says goodbye."""

    def __init__(self, options: argparse.Namespace, library: Library) -> None:
        super().__init__(options, library)
        self._connections = 0
        self._operations = worker.Operations(options.seconds, options.warmup)

    def accept(self, link: Link) -> None:
        super().accept(link)
        link.connected = self._count

    def receive(self, link: Link, stream_id: int, data: bytes, end: bool) -> None:
        self.done.set_result(self._operations.result("server", self.detail(link)))
        link.send(stream_id, b"", True)

    def _count(self) -> None:
        self._connections += 1
        if self._connections > 1:
            self._operations.add()


async def serve(options: argparse.Namespace, library: Library) -> None:
    """The server of any workload."""
    app = _SERVERS[options.workload](options, library)
    server, port = await library.serve(options, app.accept)
    try:
        worker.announce({"port": port})
        worker.announce(await app.done)
        if app.last is not None:
            await asyncio.wait((app.last.lost,), timeout=common.ANSWER_SECONDS)
    finally:
        server.close()


_SERVERS: dict[str, Callable[[argparse.Namespace, Library], _Server]] = {
    "bulk": _BulkServer,
    "streams": _BulkServer,
    "pingpong": _EchoServer,
    "echoes": _EchoServer,
    "churn": _EchoServer,
    "messages": _MessageServer,
    "small-messages": _MessageServer,
    "handshakes": _HandshakeServer,
}
