"""The path MTU of real sockets: loopback, and network namespaces whose links are 9,000 bytes wide or less.

The namespaces need Linux, `ip` and the right to make them; elsewhere the tests say why they are skipped.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastmux
from e2e.support import linux_only, run
from fastmux import Connection, EndOfStream, Stream
from fastmux.constants import DEFAULT_MAX_DATAGRAM_SIZE

PEER = Path(__file__).with_name("mtu_peer.py")
DATA = bytes(range(256)) * 40_000
_numbers = itertools.count()


async def transfer(host: str, size: int | None) -> tuple[Connection, int]:
    """Send DATA over a connection on this host; the sender's end, closed, and the bytes that came."""

    async def handle(connection: Connection) -> None:
        stream = await connection.accept()
        assert isinstance(stream, Stream)
        received = bytearray()
        try:
            while True:
                received += await stream.receive(1 << 20)
        except EndOfStream:
            await stream.send(str(len(received) if received == DATA else -1).encode())
            await stream.send_eof()
        await connection.wait_closed()

    largest = DEFAULT_MAX_DATAGRAM_SIZE if size is None else size
    async with (
        fastmux.listen(handle, host, 0, tls=fastmux.PLAINTEXT) as server,
        fastmux.connect(host, server.port, tls=fastmux.PLAINTEXT, max_datagram_size=largest) as connection,
    ):
        stream = await connection.open_stream()
        await stream.send(DATA)
        await stream.send_eof()
        return connection, int(await stream.receive())


@linux_only
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(("size", "found"), [(None, 8952), (1452, 1452), (8900, 8900), (65507, 65507)])
def test_loopback_carries_the_largest_datagram_that_is_allowed(
    host: str, size: int | None, found: int
) -> None:
    async def main() -> tuple[int, int, str]:
        try:
            connection, received = await transfer(host, size)
        except OSError as error:
            if host == "::1" and not isinstance(error, ConnectionError):
                pytest.skip(f"no IPv6 here: {error}")
            raise
        return connection.stats.mtu, received, str(connection.get_extra_info("socket_path"))

    mtu, received, _ = run(main())
    assert received == len(DATA)
    if host == "::1" and size == 65507:  # larger than the device takes with IPv6 headers: it is bisected
        assert 16336 <= mtu <= 65536 - 48
    else:
        assert mtu == found


# --- namespaces -----------------------------------------------------------------------------------------


def ip(*arguments: str) -> None:
    """Run `ip`; RuntimeError with what it said if it fails."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Wires:
    """Two ends with a router between them, each a network namespace; the links are `mtu` bytes wide."""

    def __init__(self, mtu: int) -> None:
        tag = f"fmx{os.getpid()}x{next(_numbers)}"
        self.near, self.middle, self.far = (f"{tag}{name}" for name in ("a", "r", "b"))
        self._made: list[str] = []
        try:
            for name in (self.near, self.middle, self.far):
                ip("netns", "add", name)
                self._made.append(name)
                ip("-n", name, "link", "set", "lo", "up")
            for name, inner, net in ((self.near, "ra", "10.77.1"), (self.far, "rb", "10.77.2")):
                ip(
                    "-n",
                    name,
                    "link",
                    "add",
                    "eth",
                    "type",
                    "veth",
                    "peer",
                    "name",
                    inner,
                    "netns",
                    self.middle,
                )
                for place, device, address in ((name, "eth", f"{net}.1"), (self.middle, inner, f"{net}.2")):
                    ip("-n", place, "addr", "add", f"{address}/24", "dev", device)
                    ip("-n", place, "link", "set", device, "mtu", str(mtu), "up")
                ip("-n", name, "route", "add", "default", "via", f"{net}.2")
            forward = ["ip", "netns", "exec", self.middle, "sysctl", "-qw", "net.ipv4.ip_forward=1"]
            subprocess.run(forward, check=True, capture_output=True, timeout=20)
        except BaseException:
            self.remove()
            raise

    def shrink(self, mtu: int) -> None:
        """From now on the router carries less towards the far end, and tells nobody who would listen."""
        ip("-n", self.middle, "link", "set", "rb", "mtu", str(mtu))

    def run(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """A peer in a namespace."""
        command = ["ip", "netns", "exec", name, sys.executable, str(PEER), *arguments]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )

    def remove(self) -> None:
        """Take them down again."""
        while self._made:
            ip("netns", "del", self._made.pop())


@pytest.fixture
def wires(request: pytest.FixtureRequest) -> Iterator[Wires]:
    """Wires of the width asked for."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        pytest.skip("network namespaces need Linux and `ip`")
    try:
        made = Wires(request.param)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no network namespaces here: {error}")
    yield made
    made.remove()


class Talk:
    """A client and a server in their namespaces."""

    def __init__(self, wires: Wires) -> None:
        self._server = wires.run(wires.far, "server", "10.77.2.1")
        port = str(self._read(self._server)["port"])
        self._client = wires.run(wires.near, "client", "10.77.2.1", port)

    def _read(self, process: subprocess.Popen[str]) -> dict[str, int]:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the peer ended"
        return {name: int(value) for name, value in json.loads(line).items()}

    def wait_for(self, mtu: int) -> None:
        """Until the client sends datagrams of this size."""
        assert self._client.stdin is not None
        self._client.stdin.write(f"{mtu}\n")
        self._client.stdin.flush()
        assert self._read(self._client)["mtu"] == mtu

    def finish(self) -> dict[str, int]:
        """End the stream; what the client knows then."""
        assert self._client.stdin is not None
        self._client.stdin.close()
        result = self._read(self._client)
        assert self._client.wait(20) == 0
        assert self._server.wait(20) == 0
        return result

    def kill(self) -> None:
        """End both, whatever they do."""
        for process in (self._client, self._server):
            process.kill()
            process.wait(20)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None and not pipe.closed:
                    pipe.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("wires", "found"), [(9000, 8952), (1500, 1452), (8000, 7915)], indirect=["wires"])
def test_the_width_of_a_link_is_found(wires: Wires, found: int) -> None:
    talk = Talk(wires)
    try:
        talk.wait_for(found)
        result = talk.finish()
        assert result["received"] == result["sent"] > 0
    finally:
        talk.kill()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("wires", [9000], indirect=True)
def test_a_link_that_shrinks_under_a_transfer_is_survived(wires: Wires) -> None:
    talk = Talk(wires)
    try:
        talk.wait_for(8952)
        wires.shrink(1500)
        talk.wait_for(1200)
        result = talk.finish()
        assert result["received"] == result["sent"] > 0
    finally:
        talk.kill()
