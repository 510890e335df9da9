"""One side of one workload over ENet (pyenet313): reliable packets over UDP, without any security.

    python -m bench.peers.enet server|client --workload W --certificates DIR [--port N] …

It is here as what a C library without encryption does from Python; `--certificates` and `--loop` have no
effect, for ENet has no security and the binding only blocks. Chosen: reliable packets, no checksum and no
compression (UDP has a checksum, the bytes do not compress), no bandwidth limit, so ENet's own limit of
64 KiB in flight a peer is what holds. The binding does not let a program choose the datagram size: it is
ENet's 1,392 bytes. Only IPv4. `service` handles one event and the socket, `check_events` the events that are
there already, so a batch of echoes leaves together.

Nothing in ENet holds a sender back, so the receiver returns one packet for every CREDIT_SIZE bytes, and the
sender keeps WINDOW bytes under way at most. A packet of nothing ends its channel.

`streams` and `echoes` run on as many channels of one peer, 255 at most. `churn` is not here: ENet's channels
are neither opened nor closed. `handshakes` is not here: without authentication it would be another thing.

Owns this peer's workers. Knows no other peer.
"""

import argparse
import importlib
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from bench import payload, worker
from bench.peers import common

CREDIT_SIZE = 64 * 1024
WINDOW = 512 * 1024
MAX_CHANNELS = 255
BULK_SIZE = 64 * 1024
SERVICE_MILLISECONDS = 10
CREDIT = b"+"
END = b""
DETAIL = {"cipher": None, "api": "blocking", "authenticated": "nobody"}

_enet = importlib.import_module("enet")


def _send(peer: Any, channel: int, data: bytes) -> None:
    if peer.send(channel, _enet.Packet(data, _enet.PACKET_FLAG_RELIABLE)) != 0:
        raise ConnectionError("ENet takes no packet")


def _events(host: Any) -> Iterator[Any]:
    """Wait a little for the socket; every event that is there then."""
    event = host.service(SERVICE_MILLISECONDS)
    while event is not None and event.type != _enet.EVENT_TYPE_NONE:
        if event.type == _enet.EVENT_TYPE_DISCONNECT:
            raise ConnectionError("the peer went away")
        yield event
        event = host.check_events()


def _address(options: argparse.Namespace) -> Any:
    return _enet.Address(options.host.encode(), options.port)


def _serve(options: argparse.Namespace) -> None:
    host = _enet.Host(_address(options), 1, MAX_CHANNELS)
    worker.announce({"port": host.address.port})
    server = _SERVERS[options.workload](options)
    result: worker.Result | None = None
    while result is None:
        for event in _events(host):
            if event.type == _enet.EVENT_TYPE_RECEIVE:
                result = server.take(event.peer, event.channelID, event.packet.data) or result
    worker.announce(result)
    deadline = time.monotonic() + common.ANSWER_SECONDS
    while time.monotonic() < deadline:
        if host.service(SERVICE_MILLISECONDS).type == _enet.EVENT_TYPE_DISCONNECT:
            break


class _Receiver(ABC):
    """Verifies what comes and returns credit for it; over when every channel has ended."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._left = worker.count_of(options)
        self._uncredited = 0

    def take(self, peer: Any, channel: int, data: bytes) -> worker.Result | None:
        """Take a packet; the result once it is due."""
        if not data:
            self._left -= 1
            _send(peer, channel, END)
            return None if self._left else self.result()
        self.verify(channel, data)
        self._uncredited += len(data)
        while self._uncredited >= CREDIT_SIZE:
            self._uncredited -= CREDIT_SIZE
            _send(peer, channel, CREDIT)
        return None

    @abstractmethod
    def verify(self, channel: int, data: bytes) -> None:
        """Compare it with what was sent, and count it."""

    @abstractmethod
    def result(self) -> worker.Result:
        """The result line."""


class _Bulk(_Receiver):
    """Verifies each channel's bytes by themselves."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self._verifiers: dict[int, payload.Verifier] = {}
        self._meter: worker.Meter | None = None

    def verify(self, channel: int, data: bytes) -> None:
        if self._meter is None:
            self._meter = worker.Meter(self._options.seconds, self._options.warmup)
        self._verifiers.setdefault(channel, payload.Verifier()).check(data)
        self._meter.add(len(data))

    def result(self) -> worker.Result:
        assert self._meter is not None
        return self._meter.result("server", DETAIL)


class _Messages(_Receiver):
    """Verifies one message after the other."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self._check = common.MessageCheck(common.SIZES[options.workload])
        self._operations: worker.Operations | None = None

    def verify(self, channel: int, data: bytes) -> None:
        if self._operations is None:
            self._operations = worker.Operations(self._options.seconds, self._options.warmup)
        self._check.check((data,))
        self._operations.add()

    def result(self) -> worker.Result:
        assert self._operations is not None
        return self._operations.result("server", DETAIL)


class _Echo:
    """Sends back what comes; over when every channel has ended."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._left = worker.count_of(options)
        self._operations = worker.Operations(options.seconds, options.warmup)

    def take(self, peer: Any, channel: int, data: bytes) -> worker.Result | None:
        """Take a packet; the result once it is due."""
        _send(peer, channel, data)
        if data:
            self._operations.add()
            return None
        self._left -= 1
        return None if self._left else self._operations.result("server", DETAIL)


class _Client:
    """A connected client. Invariant: `_under_way` is what was sent and not yet credited, WINDOW at most."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.count = worker.count_of(options)
        self._host = _enet.Host(None, 1, MAX_CHANNELS)
        self._under_way = 0
        self._ended = 0
        self._peer = self._host.connect(_address(options), self.count)
        connected = False
        while not connected:
            connected = any(event.type == _enet.EVENT_TYPE_CONNECT for event in _events(self._host))

    def send(self, channel: int, data: bytes) -> None:
        """Send, and first wait where too much is under way."""
        while self._under_way + len(data) > WINDOW:
            for _, answer in self.receive():
                self._take_credit(answer)
        self._under_way += len(data)
        self.send_now(channel, data)

    def send_now(self, channel: int, data: bytes) -> None:
        """Send without credit: what is answered one by one."""
        _send(self._peer, channel, data)

    def receive(self) -> Iterator[tuple[int, bytes]]:
        """What is there or comes soon: channel and packet."""
        for event in _events(self._host):
            if event.type == _enet.EVENT_TYPE_RECEIVE:
                yield event.channelID, event.packet.data

    def finish(self) -> None:
        """End every channel; over when the server has verified everything and ended them too."""
        for channel in range(self.count):
            self.send_now(channel, END)
        while self._ended < self.count:
            for _, answer in self.receive():
                self._take_credit(answer)

    def close(self) -> None:
        """Take leave."""
        self._peer.disconnect()
        deadline = time.monotonic() + common.ANSWER_SECONDS
        while time.monotonic() < deadline:
            if self._host.service(SERVICE_MILLISECONDS).type == _enet.EVENT_TYPE_DISCONNECT:
                break

    def _take_credit(self, answer: bytes) -> None:
        if answer == CREDIT:
            self._under_way -= CREDIT_SIZE
        elif answer == END:
            self._ended += 1
        else:
            raise ValueError("the server has nothing to say here")


def _send_bulk(options: argparse.Namespace) -> None:
    client = _Client(options)
    meter = worker.Meter(options.seconds, options.warmup, options.size)
    going = True
    for piece in itertools.cycle(payload.pieces(BULK_SIZE)):
        for channel in range(client.count):
            client.send(channel, piece)
            going = meter.add(len(piece))
        if not going:
            break
    client.finish()
    worker.announce(meter.result("client", DETAIL))
    client.close()


def _send_messages(options: argparse.Namespace) -> None:
    client = _Client(options)
    operations = worker.Operations(options.seconds, options.warmup)
    for piece in itertools.cycle(payload.cut(common.SIZES[options.workload])):
        client.send(0, piece)
        if not operations.add():
            break
    client.finish()
    worker.announce(operations.result("client", DETAIL))
    client.close()


def _exchange_echoes(options: argparse.Namespace) -> None:
    client = _Client(options)
    pieces = payload.cut(common.SIZES[options.workload])
    operations = worker.Operations(options.seconds, options.warmup)
    exchanges = {number: common.Exchange(pieces, number) for number in range(client.count)}
    for channel, exchange in exchanges.items():
        client.send_now(channel, exchange.next())
    while exchanges:
        for channel, data in client.receive():
            exchange = exchanges[channel]
            if not exchange.take(data):
                raise ValueError("an echo is shorter than what was sent")
            if operations.add(1, exchange.latency):
                client.send_now(channel, exchange.next())
            else:
                del exchanges[channel]
    result = operations.result("client", DETAIL)
    client.finish()
    worker.announce(result)
    client.close()


_SERVERS: dict[str, Callable[[argparse.Namespace], _Receiver | _Echo]] = {
    "bulk": _Bulk,
    "streams": _Bulk,
    "pingpong": _Echo,
    "echoes": _Echo,
    "messages": _Messages,
    "small-messages": _Messages,
}
_CLIENTS = {
    "bulk": _send_bulk,
    "streams": _send_bulk,
    "pingpong": _exchange_echoes,
    "echoes": _exchange_echoes,
    "messages": _send_messages,
    "small-messages": _send_messages,
}


def main() -> None:
    """Parse the options and run one side."""
    parser = worker.parser("one side of one workload over ENet")
    options = parser.parse_args()
    if options.workload not in _CLIENTS:
        parser.error(f"ENet has no {options.workload}")
    if worker.count_of(options) > MAX_CHANNELS:
        parser.error(f"ENet has no more than {MAX_CHANNELS} channels")
    common.run_blocking(_serve if options.role == "server" else _CLIENTS[options.workload], options)


if __name__ == "__main__":
    main()
