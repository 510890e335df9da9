"""Ping-pong over a bare UDP socket on the same loop: what the loop and the kernel cost without any protocol.

    python -m bench.raw_udp server|client --workload pingpong [--port N] [--loop uvloop] …

`loop.add_reader` with `recvfrom` and `sendto`, the least that an asyncio program can do. No encryption, no
retransmission: loopback loses nothing. Owns this worker. An empty datagram is the end.
"""

import argparse
import asyncio
import socket
import time

from bench import payload, worker

BUFFER_SIZE = 2048
Done = asyncio.Future[worker.Result]


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


async def serve(options: argparse.Namespace) -> None:
    """Send every datagram back until an empty one comes."""
    loop = asyncio.get_running_loop()
    done: Done = loop.create_future()
    operations = worker.Operations(options.seconds, options.warmup)
    with _socket() as udp:
        udp.bind((options.host, options.port))

        def on_readable() -> None:
            data, address = udp.recvfrom(BUFFER_SIZE)
            udp.sendto(data, address)
            if data:
                operations.add()
            elif not done.done():
                done.set_result(operations.result("server", {}))

        loop.add_reader(udp.fileno(), on_readable)
        worker.announce({"port": udp.getsockname()[1]})
        worker.announce(await done)
        loop.remove_reader(udp.fileno())


async def pingpong(options: argparse.Namespace) -> None:
    """A datagram there, the same back, and again."""
    loop = asyncio.get_running_loop()
    done: Done = loop.create_future()
    pieces = payload.cut(worker.PINGPONG_SIZE)
    operations = worker.Operations(options.seconds, options.warmup)
    number, started_at = 0, time.perf_counter()
    with _socket() as udp:
        udp.connect((options.host, options.port))

        def on_readable() -> None:
            nonlocal number, started_at
            data = udp.recv(BUFFER_SIZE)
            if done.done():
                return
            if data != pieces[number % len(pieces)]:
                done.set_exception(ValueError("the echo is not what was sent"))
            elif operations.add(1, time.perf_counter() - started_at):
                number += 1
                started_at = time.perf_counter()
                udp.send(pieces[number % len(pieces)])
            else:
                done.set_result(operations.result("client", {}))

        loop.add_reader(udp.fileno(), on_readable)
        udp.send(pieces[0])
        result = await done
        udp.send(b"")
        loop.remove_reader(udp.fileno())
    worker.announce(result)


def main() -> None:
    """Parse the options and run one side."""
    options = worker.parser("ping-pong over raw UDP").parse_args()
    worker.run(serve(options) if options.role == "server" else pingpong(options), options)


if __name__ == "__main__":
    main()
