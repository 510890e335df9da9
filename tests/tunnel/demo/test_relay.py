"""The hostile relay: real sockets, since they are its subject."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def relay(server: socket.socket, loss: float) -> Iterator[tuple[str, int]]:
    """A relay in front of `server`; gives its address."""
    arguments = [str(server.getsockname()[1]), str(loss), "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "fastmux.tunnel.demo.relay", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        yield ("127.0.0.1", json.loads(process.stdout.readline())["port"])
        process.stdin.close()
        assert process.wait(10) == 0


def bound() -> socket.socket:
    """A UDP socket on loopback that waits ten seconds at the most."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(10)
    return sock


def test_datagrams_pass_both_ways_and_some_are_doubled() -> None:
    with bound() as server, bound() as client, relay(server, 0.0) as address:
        for number in range(300):
            client.sendto(number.to_bytes(2, "big"), address)
            server.recvfrom(100)  # each is waited for, so that none overtakes
        client.sendto(b"last", address)
        extra = 0
        while True:
            data, back = server.recvfrom(100)
            if data == b"last":
                break
            extra += 1
        server.sendto(b"answer", back)
        assert client.recvfrom(100)[0] == b"answer"
        assert extra > 0


def test_at_full_loss_nothing_passes() -> None:
    with bound() as server, bound() as client, relay(server, 1.0) as address:
        client.sendto(b"lost", address)
        server.settimeout(0.3)
        try:
            data = server.recvfrom(100)[0]
        except TimeoutError:
            data = b""
        assert data == b""
