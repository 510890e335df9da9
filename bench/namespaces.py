"""Two network namespaces joined by a veth pair, and netem on it where the kernel has that.

Owns the namespaces: makes them, and takes them away again. Linux and root only; `PlaceUnavailable` says what
is missing. Knows no contender.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self

from bench.linkshape import HEADERS_SIZE, LinkShape
from bench.places import PlaceUnavailable

SERVER_ADDRESS = "10.77.0.1"
CLIENT_ADDRESS = "10.77.0.2"
MTU = 1500
COMMAND_SECONDS = 10
SERVER_DEVICE, CLIENT_DEVICE = "veth-server", "veth-client"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    if done.returncode:
        raise PlaceUnavailable(f"`{' '.join(command)}`: {done.stderr.strip()}")


class Namespaces:
    """A place: the server in one namespace, the client in another, a veth pair with an MTU of 1,500 between.

    Enter it to make the namespaces. With a `shape` both ends get netem of it.
    """

    host = SERVER_ADDRESS

    def __init__(self, shape: LinkShape | None = None) -> None:
        self._shape = shape
        stem = f"fastmux-{os.getpid()}-{id(self):x}"
        self._server, self._client = f"{stem}-s", f"{stem}-c"
        self._made: list[str] = []

    def __enter__(self) -> Self:
        if sys.platform != "linux" or shutil.which("ip") is None:
            raise PlaceUnavailable("network namespaces need Linux and iproute2")
        if os.geteuid() != 0:
            raise PlaceUnavailable("network namespaces need root")
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._remove()

    def at_server(self, command: Sequence[str]) -> list[str]:
        """In the server's namespace."""
        return ["ip", "netns", "exec", self._server, *command]

    def at_client(self, command: Sequence[str]) -> list[str]:
        """In the client's namespace."""
        return ["ip", "netns", "exec", self._client, *command]

    def route(self, port: int) -> AbstractContextManager[int]:
        """The port itself."""
        return nullcontext(port)

    def _make(self) -> None:
        for name in (self._server, self._client):
            _run("ip", "netns", "add", name)
            self._made.append(name)
        veth = ("type", "veth", "peer", "name", CLIENT_DEVICE, "netns", self._client)
        _run("ip", "-n", self._server, "link", "add", "name", SERVER_DEVICE, *veth)
        ends = (
            (self._server, SERVER_DEVICE, SERVER_ADDRESS),
            (self._client, CLIENT_DEVICE, CLIENT_ADDRESS),
        )
        for namespace, device, address in ends:
            _run("ip", "-n", namespace, "address", "add", f"{address}/30", "dev", device)
            _run("ip", "-n", namespace, "link", "set", "dev", device, "mtu", str(MTU), "up")
            _run("ip", "-n", namespace, "link", "set", "dev", "lo", "up")
            if self._shape is not None:
                # netem takes or loses a whole train as one packet: let the kernel cut it before.
                _run("ip", "-n", namespace, "link", "set", "dev", device, "gso_max_segs", "1")
                _run("tc", "-n", namespace, *netem_arguments(device, self._shape))

    def _remove(self) -> None:
        while self._made:
            _run("ip", "netns", "delete", self._made.pop())


def netem_arguments(device: str, shape: LinkShape) -> list[str]:
    """What `tc` is given for one end of the link; netem's limit counts packets, those under way too."""
    packet_size = MTU
    under_way = shape.rate / 8 * shape.delay
    limit = max(1, round((shape.queue_size + under_way) / packet_size))
    rate = ["rate", f"{shape.rate:.0f}bit"] if shape.rate else []
    loss = ["loss", "random", f"{shape.loss * 100:g}%"] if shape.loss else []
    delay = ["delay", f"{shape.delay * 1e6:.0f}us"]
    return ["qdisc", "add", "dev", device, "root", "netem", "limit", str(limit), *delay, *loss, *rate]


def netem_missing() -> str | None:
    """Why this machine cannot make a link with netem; None if it can."""
    try:
        with Namespaces(LinkShape(rate=1e8, delay=0.01, loss=0.01, queue_size=HEADERS_SIZE * 1000)):
            return None
    except PlaceUnavailable as error:
        return str(error)
