"""Servers that the tests reach through the tunnel: HTTP and UDP, in threads of the test.

Owns: what they answer. May not know: the tunnel.
"""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable
from typing import Any

Answer = tuple[int, str, bytes]


class Web:
    """An HTTP/1.1 server on loopback; `pages` gives status, content type and body. A context manager.

    `requests` are the heads that came: method, path and headers, lower-case names.
    """

    def __init__(self, pages: Callable[[str], Answer]) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(*pages(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self._answer(200, "application/octet-stream", body)

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append((self.command, self.path, headers))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing: `requests` has it."""

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128  # beyond the usual 5 a connection waits a second for its next try

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="web")
        self.port = self._server.server_port

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class UdpEcho:
    """Answers each datagram with `answer` of it, until the end. A context manager."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, name="udp echo")
        self.port = int(self._socket.getsockname()[1])
        self.received = 0

    def __enter__(self) -> UdpEcho:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            data, address = self._socket.recvfrom(65536)
            if not data:
                return
            self.received += 1
            self._socket.sendto(self._answer(data), address)


def dns_answer(query: bytes) -> bytes:
    """The answer to a DNS query for one name: 192.0.2.1 (RFC 1035 §4; RFC 5737 keeps that for examples)."""
    end = query.index(b"\0", 12) + 5
    header = query[:2] + b"\x81\x80" + b"\0\1\0\1\0\0\0\0"
    return header + query[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes((192, 0, 2, 1))
