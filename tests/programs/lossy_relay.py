"""A UDP relay between one client and one server, in a thread: loss, delay, and a far address that changes.

Owns: the link. May not know: what the datagrams mean.
"""

from __future__ import annotations

import contextlib
import heapq
import random
import selectors
import socket
import threading
import time

BUFFER_SIZE = 4 * 2**20


class LossyRelay:
    """Carries datagrams to the server at `port` of 127.0.0.1. A context manager.

    `loss` is the share of datagrams that vanish, each way; `delay` seconds one way. `move(host)` changes the
    address from which the server hears the client: answers to the former ones are lost, as behind a NAT that
    forgot them.
    """

    def __init__(self, server_port: int, *, loss: float = 0.0, delay: float = 0.0, seed: int = 1) -> None:
        self._server = ("127.0.0.1", server_port)
        self._loss = loss
        self._delay = delay
        self._random = random.Random(seed)
        self._client: tuple[str, int] | None = None
        self._front = _bound("127.0.0.1")
        self._back = _bound("127.0.0.1")
        self._wake, self._woken = socket.socketpair()
        self._held: list[tuple[float, int, bool, bytes]] = []
        self._count = 0
        self._is_over = False
        self._next_back: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="lossy relay")
        self.port = int(self._front.getsockname()[1])

    def __enter__(self) -> LossyRelay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._wake.send(b"x")
        self._thread.join()
        for sock in (self._front, self._back, self._wake, self._woken):
            sock.close()

    def move(self, host: str = "127.0.0.1") -> None:
        """From now on the client comes from another port, of `host`."""
        self._next_back = _bound(host)
        self._wake.send(b"x")

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for sock in (self._front, self._back, self._woken):
                selector.register(sock, selectors.EVENT_READ)
            while not self._is_over:
                timeout = max(0.0, self._held[0][0] - time.monotonic()) if self._held else None
                for key, _ in selector.select(timeout):
                    if key.fileobj is self._woken:
                        self._woken.recv(64)
                        self._change(selector)
                    else:
                        self._read(is_from_client=key.fileobj is self._front)
                self._release()

    def _change(self, selector: selectors.BaseSelector) -> None:
        after, self._next_back = self._next_back, None
        if after is not None:
            selector.unregister(self._back)
            self._back.close()
            self._back = after
            selector.register(after, selectors.EVENT_READ)

    def _read(self, is_from_client: bool) -> None:
        source = self._front if is_from_client else self._back
        for _ in range(64):
            try:
                data, address = source.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if is_from_client:
                self._client = address
            if self._random.random() >= self._loss:
                self._count += 1
                entry = (time.monotonic() + self._delay, self._count, is_from_client, data)
                heapq.heappush(self._held, entry)

    def _release(self) -> None:
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            _, _, is_from_client, data = heapq.heappop(self._held)
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):  # one more that is lost
                if is_from_client:
                    self._back.sendto(data, self._server)
                elif self._client is not None:
                    self._front.sendto(data, self._client)


def _bound(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_SIZE)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock
