"""The tunnel outlives a new address, a server that dies, and a signal to drain."""

from __future__ import annotations

import hashlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from programs.gateway import Gateway
from programs.lossy_relay import LossyRelay
from programs.processes import free_port, program, run, wait_until
from programs.web import Web

SIZE = 64 * 2**20
BACK_WITHIN = 5.0


@contextmanager
def slow_source(chunks: int = 64) -> Iterator[tuple[int, str, threading.Event]]:
    """A TCP server that sends SIZE bytes and holds the second half back until it is told to go on."""
    piece = bytes(range(256)) * (SIZE // chunks // 256)
    digest = hashlib.sha256(piece * chunks).hexdigest()
    go_on = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock, suppress(ConnectionError):  # the reader may be gone, and the test sees why
                for number in range(chunks):
                    if number == chunks // 2:
                        go_on.wait(30)
                    sock.sendall(piece)

        thread = threading.Thread(target=serve, name="source")
        thread.start()
        yield int(listener.getsockname()[1]), digest, go_on
        go_on.set()
        thread.join()


def read_all(sock: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = sock.recv(2**20)
        if not data:
            break
        found += data
    return bytes(found)


def test_a_transfer_goes_on_from_a_new_port_and_then_from_a_new_address(gateway: Gateway) -> None:
    gateway.serve()
    with slow_source() as (source, digest, go_on), LossyRelay(gateway.port) as relay:
        port = free_port()
        tunnel = gateway.tunnel("-L", f"{port}:127.0.0.1:{source}", port=relay.port)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            found = read_all(sock, SIZE // 4)
            relay.move()
            found += read_all(sock, SIZE // 2 - len(found))
            relay.move("127.0.0.2")
            go_on.set()
            found += read_all(sock, SIZE)
        assert hashlib.sha256(found).hexdigest() == digest
        assert "reconnect" not in tunnel.output().lower()


def test_a_client_is_back_within_seconds_after_the_server_was_killed(gateway: Gateway) -> None:
    server = gateway.serve()
    with Web(lambda _: (200, "text/plain", b"here")) as web:
        port = free_port()
        gateway.tunnel("-L", f"{port}:127.0.0.1:{web.port}")
        address = f"http://127.0.0.1:{port}/"
        assert run(program("curl"), "-sS", "--noproxy", "*", address).stdout == b"here"
        server.kill()
        gateway.serve()
        began = time.monotonic()
        # The listener was never closed: a connection made at once waits for the tunnel.
        found = run(program("curl"), "-sS", "--noproxy", "*", "--max-time", "20", address, check=False)
        if found.stdout != b"here":  # the client may not know yet that its server died
            wait_until(
                lambda: run(program("curl"), "-sS", "--noproxy", "*", address, check=False).stdout == b"here",
                "the page through the new server",
            )
        assert time.monotonic() - began < BACK_WITHIN


def test_a_server_that_drains_lets_what_is_open_finish(gateway: Gateway) -> None:
    server = gateway.serve("--drain-timeout", "30s")
    with slow_source() as (source, digest, go_on):
        port = free_port()
        gateway.tunnel("-L", f"{port}:127.0.0.1:{source}")
        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            found = read_all(sock, SIZE // 4)
            server.signal(signal.SIGTERM)
            go_on.set()
            found += read_all(sock, SIZE)
        assert hashlib.sha256(found).hexdigest() == digest
    assert server.wait() == 0


def test_a_revoked_client_loses_its_channels_at_reload(gateway: Gateway, tmp_path: Path) -> None:
    configuration = tmp_path / "server.toml"

    def write(rules: str) -> None:
        configuration.write_text(f'[[allow]]\nidentity = "{rules}"\nrules = ["127.0.0.1:*"]\n')

    write("client")
    server = gateway.serve("--config", configuration, rules=())
    with slow_source() as (source, _, go_on):
        port = free_port()
        gateway.tunnel("-L", f"{port}:127.0.0.1:{source}")
        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            read_all(sock, SIZE // 4)
            write("somebody-else")
            server.signal(signal.SIGHUP)
            try:
                rest = read_all(sock, SIZE)
            except ConnectionResetError:
                rest = b""
            assert len(rest) < SIZE // 2
        go_on.set()
