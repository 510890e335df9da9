"""After a thousand connections opened and closed nothing is left behind on either side."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from programs.gateway import Gateway
from programs.processes import Running, free_port, wait_until
from programs.web import Web

CONNECTIONS = 1000
WARM_UP = 300
MADE_LATE = 2  # descriptors that a program makes when it first needs them
GROWTH = 6 * 2**20  # bytes: what an allocator keeps of a thousand connections, not what they hold


def descriptors(running: Running) -> int:
    return len(os.listdir(f"/proc/{running.pid}/fd"))


def settled(both: tuple[Running, Running], wanted: list[int]) -> bool:
    return all(descriptors(each) <= most for each, most in zip(both, wanted, strict=True))


def resident(running: Running) -> int:
    return int(Path(f"/proc/{running.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def fetch(port: int, is_rude: bool) -> None:
    """One request; a rude client resets the connection in the middle of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        if is_rude:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.recv(1)
            return
        while sock.recv(65536):
            pass


def fetch_many(port: int, count: int) -> None:
    with ThreadPoolExecutor(16) as pool:
        for _ in pool.map(lambda number: fetch(port, number % 10 == 0), range(count)):
            pass


def test_a_thousand_connections_leave_no_descriptor_and_no_memory(gateway: Gateway) -> None:
    server = gateway.serve()
    with Web(lambda _: (200, "text/plain", bytes(20_000))) as web:
        port = free_port()
        client = gateway.tunnel("-L", f"{port}:127.0.0.1:{web.port}")
        both = (server, client)
        at_rest = [descriptors(each) + MADE_LATE for each in both]
        fetch_many(port, WARM_UP)
        wait_until(lambda: settled(both, at_rest), "the descriptors of a warm tunnel")
        before = [descriptors(each) for each in both]
        memory = [resident(each) for each in both]
        fetch_many(port, CONNECTIONS)
        wait_until(lambda: settled(both, before), "the descriptors are back")
        grown = [resident(each) - old for each, old in zip(both, memory, strict=True)]
        assert max(grown) < GROWTH, f"server and client grew by {grown} bytes"
