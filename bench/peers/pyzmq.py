"""One side of one workload over pyzmq: ZeroMQ over TCP with CURVE on both sides, blocking sockets.

    python -m bench.peers.pyzmq server|client --workload W --certificates DIR [--port N] …

Chosen from its documentation: CURVE is ZeroMQ's own security, with an authenticator that knows the client's
key, so both ends prove who they are (the cipher is XSalsa20 and Poly1305; ZeroMQ has no AES). Its keys are
derived from the run's throwaway private keys. Blocking sockets are faster than `zmq.asyncio`, so `--loop`
has no effect here. A DEALER on each side is the pattern that lets both talk at any time over one connection.
The high-water marks hold WINDOW bytes instead of 1,000 messages, so `send` holds the sender back. Large
messages go without a copy (`copy=False`), small ones are faster with. A message of nothing ends a workload.

Echoes are as many as `--count` in flight on the one connection, answered in order: that is the fastest that
a connection without channels can do. `streams` and `churn` are not here: a connection has no streams. A
ZeroMQ socket does not tell when it is connected: a handshake is a new socket and one message there and back.

Owns this peer's workers. Knows no other peer.
"""

import argparse
import hashlib
import importlib
import itertools
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import payload, worker
from bench.peers import common

WINDOW = 16 * 1024 * 1024
MIN_COPY_FREE_SIZE = 64 * 1024
END = b""
HELLO = b"hello"
DETAIL = {"cipher": "CURVE", "api": "blocking", "authenticated": "both"}

_zmq = importlib.import_module("zmq")
_z85 = importlib.import_module("zmq.utils.z85")
_thread = importlib.import_module("zmq.auth.thread")


class _ClientKey:
    """What the authenticator asks for every client's public key (Z85)."""

    def __init__(self, public: bytes) -> None:
        self._public = public

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a client with this key may come in."""
        return key == self._public


def _keys(options: argparse.Namespace, role: str) -> tuple[bytes, bytes]:
    """Public and secret key of the role, Z85; both ends can derive both."""
    secret = _z85.encode(hashlib.sha256((options.certificates / f"{role}.key").read_bytes()).digest())
    return _zmq.curve_public(secret), secret


def _message_size(options: argparse.Namespace) -> int:
    return common.SIZES.get(options.workload, payload.PIECE_SIZE)


def _configure(sock: Any, options: argparse.Namespace, role: str) -> Any:
    sock.curve_publickey, sock.curve_secretkey = _keys(options, role)
    sock.ipv6 = ":" in options.host
    sock.set_hwm(max(1, WINDOW // _message_size(options)))
    return sock


def _endpoint(options: argparse.Namespace, port: str) -> str:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"tcp://{host}:{port}"


@contextmanager
def _listen(options: argparse.Namespace, kind: Any) -> Iterator[Any]:
    """A bound server socket that lets our client in; its port is announced."""
    context = _zmq.Context()
    authenticator = _thread.ThreadAuthenticator(context)
    authenticator.start()
    try:
        provider = _ClientKey(_keys(options, "client")[0])
        authenticator.configure_curve_callback("*", provider)
        with _configure(context.socket(kind), options, "server") as sock:
            sock.curve_server = True
            sock.bind(_endpoint(options, str(options.port or "*")))
            worker.announce({"port": int(sock.last_endpoint.decode().rpartition(":")[2])})
            yield sock
            sock.close(linger=int(common.ANSWER_SECONDS * 1000))
    finally:
        authenticator.stop()
    context.term()


@contextmanager
def _connect(context: Any, options: argparse.Namespace) -> Iterator[Any]:
    """A client socket; ZeroMQ connects it in the background."""
    with _configure(context.socket(_zmq.DEALER), options, "client") as sock:
        sock.curve_serverkey = _keys(options, "server")[0]
        sock.linger = 0
        sock.connect(_endpoint(options, str(options.port)))
        yield sock


def _serve_bulk(options: argparse.Namespace) -> None:
    with _listen(options, _zmq.DEALER) as sock:
        verifier = payload.Verifier()
        meter: worker.Meter | None = None
        while len(data := sock.recv(copy=False).buffer):
            if meter is None:
                meter = worker.Meter(options.seconds, options.warmup)
            verifier.check(data)
            meter.add(len(data))
        assert meter is not None
        worker.announce(meter.result("server", DETAIL))
        sock.send(END)


def _serve_messages(options: argparse.Namespace) -> None:
    with _listen(options, _zmq.DEALER) as sock:
        check = common.MessageCheck(common.SIZES[options.workload])
        operations: worker.Operations | None = None
        while message := sock.recv():
            if operations is None:
                operations = worker.Operations(options.seconds, options.warmup)
            check.check((message,))
            operations.add()
        assert operations is not None
        worker.announce(operations.result("server", DETAIL))
        sock.send(END)


def _serve_echoes(options: argparse.Namespace) -> None:
    with _listen(options, _zmq.DEALER) as sock:
        operations = worker.Operations(options.seconds, options.warmup)
        while message := sock.recv():
            sock.send(message)
            operations.add()
        worker.announce(operations.result("server", DETAIL))
        sock.send(END)


def _serve_handshakes(options: argparse.Namespace) -> None:
    with _listen(options, _zmq.ROUTER) as sock:
        operations = worker.Operations(options.seconds, options.warmup)
        while True:
            identity, message = sock.recv_multipart()
            if message == END:
                break
            sock.send_multipart((identity, message))
            operations.add()
        worker.announce(operations.result("server", DETAIL))
        sock.send_multipart((identity, END))


def _finish(sock: Any) -> None:
    """Say END; over when the server has verified everything and said so too."""
    sock.send(END)
    if sock.recv() != END:
        raise ValueError("the server has nothing to say here")


def _send_bulk(options: argparse.Namespace) -> None:
    with _zmq.Context() as context, _connect(context, options) as sock:
        meter = worker.Meter(options.seconds, options.warmup, options.size)
        for piece in itertools.cycle(payload.PIECES):
            sock.send(piece, copy=len(piece) < MIN_COPY_FREE_SIZE)
            if not meter.add(len(piece)):
                break
        _finish(sock)
        worker.announce(meter.result("client", DETAIL))


def _send_messages(options: argparse.Namespace) -> None:
    with _zmq.Context() as context, _connect(context, options) as sock:
        operations = worker.Operations(options.seconds, options.warmup)
        for piece in itertools.cycle(payload.cut(common.SIZES[options.workload])):
            sock.send(piece)
            if not operations.add():
                break
        _finish(sock)
        worker.announce(operations.result("client", DETAIL))


def _exchange_echoes(options: argparse.Namespace) -> None:
    pieces = payload.cut(common.SIZES[options.workload])
    with _zmq.Context() as context, _connect(context, options) as sock:
        operations = worker.Operations(options.seconds, options.warmup)
        waiting = deque(common.Exchange(pieces, number) for number in range(worker.count_of(options)))
        for exchange in waiting:
            sock.send(exchange.next())
        while waiting:
            exchange = waiting.popleft()
            if not exchange.take(sock.recv()):
                raise ValueError("an echo is shorter than what was sent")
            if operations.add(1, exchange.latency):
                waiting.append(exchange)
                sock.send(exchange.next())
        result = operations.result("client", DETAIL)
        _finish(sock)
        worker.announce(result)


def _shake_hands(options: argparse.Namespace) -> None:
    with _zmq.Context() as context:
        operations = worker.Operations(options.seconds, options.warmup)
        going = True
        while going:
            started_at = time.perf_counter()
            with _connect(context, options) as sock:
                sock.send(HELLO)
                if sock.recv() != HELLO:
                    raise ValueError("an echo is not what was sent")
                latency = time.perf_counter() - started_at
            going = operations.add(1, latency)
        with _connect(context, options) as sock:
            result = operations.result("client", DETAIL)
            _finish(sock)
    worker.announce(result)


_WORKLOADS = {
    "bulk": (_serve_bulk, _send_bulk),
    "pingpong": (_serve_echoes, _exchange_echoes),
    "echoes": (_serve_echoes, _exchange_echoes),
    "messages": (_serve_messages, _send_messages),
    "small-messages": (_serve_messages, _send_messages),
    "handshakes": (_serve_handshakes, _shake_hands),
}


def main() -> None:
    """Parse the options and run one side."""
    parser = worker.parser("one side of one workload over pyzmq")
    options = parser.parse_args()
    if options.workload not in _WORKLOADS:
        parser.error(f"pyzmq has no {options.workload}")
    server, client = _WORKLOADS[options.workload]
    common.run_blocking(server if options.role == "server" else client, options)


if __name__ == "__main__":
    main()
