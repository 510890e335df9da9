"""A hostile link on loopback: a UDP relay that drops, reorders and duplicates datagrams.

Owns: the faults, seeded. Says its port in one line of JSON and ends when its standard input ends. May not
know: what the datagrams mean.
"""

from __future__ import annotations

import heapq
import json
import random
import selectors
import socket
import sys
import time
from typing import Final

DUPLICATE_RATE: Final = 0.01
REORDER_RATE: Final = 0.02
MAX_REORDER_DELAY: Final = 0.003  # seconds a reordered datagram is held back
BUFFER_SIZE: Final = 4 * 2**20
MAX_HELD: Final = 4096  # datagrams held back; more go at once


class Relay:
    """Carries datagrams between one client and the server, and harms some of them."""

    def __init__(self, server_port: int, loss: float, seed: int) -> None:
        self._rng = random.Random(seed)
        self._loss = loss
        self._server = ("127.0.0.1", server_port)
        self._client: tuple[str, int] | None = None
        self._front = self._socket()
        self._back = self._socket()
        self._held: list[tuple[float, int, socket.socket, bytes]] = []
        self._count = 0

    @staticmethod
    def _socket() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_SIZE)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        return sock

    @property
    def port(self) -> int:
        """Where the client sends to."""
        return int(self._front.getsockname()[1])

    def run(self) -> None:
        """Carry until standard input ends."""
        with selectors.DefaultSelector() as selector:
            for source in (self._front, self._back, sys.stdin):
                selector.register(source, selectors.EVENT_READ)
            while True:
                timeout = max(0.0, self._held[0][0] - time.monotonic()) if self._held else None
                for key, _ in selector.select(timeout):
                    if key.fileobj is sys.stdin:
                        return
                    self._read(self._front if key.fileobj is self._front else self._back)
                self._release()

    def _read(self, source: socket.socket) -> None:
        for _ in range(64):
            try:
                data, address = source.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if source is self._front:
                self._client = address
            self._pass_on(self._back if source is self._front else self._front, data)

    def _pass_on(self, out: socket.socket, data: bytes) -> None:
        roll = self._rng.random
        if roll() < self._loss:
            return
        if roll() < REORDER_RATE and len(self._held) < MAX_HELD:
            self._count += 1
            due = time.monotonic() + roll() * MAX_REORDER_DELAY
            heapq.heappush(self._held, (due, self._count, out, data))
        else:
            self._send(out, data)
        if roll() < DUPLICATE_RATE:
            self._send(out, data)

    def _release(self) -> None:
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            _, _, out, data = heapq.heappop(self._held)
            self._send(out, data)

    def _send(self, out: socket.socket, data: bytes) -> None:
        address = self._server if out is self._back else self._client
        if address is None:
            return
        try:
            out.sendto(data, address)
        except (BlockingIOError, ConnectionRefusedError):
            return  # a full buffer or a far end that has gone: one more lost datagram


def main() -> None:
    """`python -m fastmux.tunnel.demo.relay SERVER-PORT LOSS SEED`."""
    relay = Relay(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({"port": relay.port}), flush=True)
    relay.run()


if __name__ == "__main__":
    main()
