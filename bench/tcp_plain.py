"""Bulk over plain TCP with blocking sockets: the ends of what is forwarded by a tunnel.

    python -m bench.tcp_plain server|client [--port N] …

They cost as little as Python ends can, so that the tunnel between them is what is measured. Owns this worker.
"""

import argparse
import itertools
import socket

from bench import payload, worker

BUFFER_SIZE = payload.PIECE_SIZE


def serve(options: argparse.Namespace) -> None:
    """The receiving side: one connection, every byte compared with the pattern."""
    with socket.create_server((options.host, options.port)) as listener:
        listener.settimeout(options.seconds + options.grace)
        worker.announce({"port": listener.getsockname()[1]})
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(options.seconds + options.grace)
            view = memoryview(bytearray(BUFFER_SIZE))
            verifier = payload.Verifier()
            meter = worker.Meter(options.seconds, options.warmup)
            while size := connection.recv_into(view):
                verifier.check(view[:size])
                meter.add(size)
            worker.announce(meter.result("server", {}))
            connection.sendall(b"done")


def send(options: argparse.Namespace) -> None:
    """The sending side."""
    with socket.create_connection((options.host, options.port), options.grace) as connection:
        connection.settimeout(options.seconds + options.grace)
        meter = worker.Meter(options.seconds, options.warmup, options.size)
        for piece in itertools.cycle(payload.PIECES):
            connection.sendall(piece)
            if not meter.add(len(piece)):
                break
        connection.shutdown(socket.SHUT_WR)
        if connection.recv(16) != b"done":  # the server has verified the last byte
            raise ConnectionError("the other end went away before it had everything")
        worker.announce(meter.result("client", {}))


def main() -> None:
    """Parse the options and run one side."""
    options = worker.parser("bulk over plain TCP").parse_args()
    if options.role == "server":
        serve(options)
    else:
        send(options)


if __name__ == "__main__":
    main()
