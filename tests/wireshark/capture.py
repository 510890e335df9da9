"""A conversation over real sockets as a capture file, and what tshark makes of such a file.

Owns: the relay in the middle, the form of the file (pcap, raw IPv4), the call of tshark. May not know: what
is in a datagram.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Unpack

import pytest

import fastmux
from e2e.recording_relay import RecordingRelay
from fastmux.aio.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
DISSECTOR = ROOT / "wireshark" / "fastmux.lua"
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 4433)
EXPERT: Final = "_ws.expert.message"  # where errors of a Lua script appear
Datagram = tuple[bool, bytes]  # whether it goes to the server, and its bytes
Endpoint = tuple[str, int]


class Tap(list[bytes]):
    """Takes the place of one direction's record, and keeps the order of both."""

    def __init__(self, order: list[Datagram], is_to_server: bool) -> None:
        super().__init__()
        self._order = order
        self._is_to_server = is_to_server

    def append(self, datagram: bytes) -> None:
        """Keep it here and in the order."""
        super().append(datagram)
        self._order.append((self._is_to_server, datagram))


def conversation(
    talk: Callable[[fastmux.Connection, fastmux.Connection], Awaitable[None]],
    *,
    client_tls: fastmux.TLSConfig | None = None,
    server_tls: fastmux.TLSConfig | None = None,
    **settings: Unpack[Settings],
) -> list[Datagram]:
    """Let `talk(client, server)` use both ends of a connection; give all its datagrams in order."""
    order: list[Datagram] = []

    async def main() -> None:
        accepted: asyncio.Future[fastmux.Connection] = asyncio.get_running_loop().create_future()

        async def handler(connection: fastmux.Connection) -> None:
            accepted.set_result(connection)
            await connection.wait_closed()

        tls = (client_tls or fastmux.PLAINTEXT, server_tls or fastmux.PLAINTEXT)
        async with fastmux.listen(handler, "127.0.0.1", 0, tls=tls[1]) as server:
            with RecordingRelay(server.port) as relay:
                relay.to_server, relay.to_client = Tap(order, True), Tap(order, False)
                connecting = fastmux.connect("127.0.0.1", relay.port, tls=tls[0], **settings)
                async with connecting as client:
                    await talk(client, await accepted)
                await (await accepted).wait_closed()

    asyncio.run(main())
    return order


def write_capture(path: Path, datagrams: list[Datagram]) -> Path:
    """Write a pcap file of raw IPv4 packets, a millisecond apart."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)]
    for number, (is_to_server, datagram) in enumerate(datagrams):
        source, target = (CLIENT, SERVER) if is_to_server else (SERVER, CLIENT)
        packet = _ipv4(source, target, datagram)
        parts.append(struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(packet), len(packet)))
        parts.append(packet)
    path.write_bytes(b"".join(parts))
    return path


def _ipv4(source: Endpoint, target: Endpoint, datagram: bytes) -> bytes:
    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(datagram), 0)  # 0: no checksum
    addresses = b"".join(bytes(map(int, host.split("."))) for host, _ in (source, target))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(datagram), 0, 0x4000, 64, 17, 0)
    total = sum(struct.unpack("!10H", head + addresses))
    checksum = ~(total + (total >> 16) + ((total & 0xFFFF) + (total >> 16) >> 16)) & 0xFFFF
    return head[:10] + struct.pack("!H", checksum) + addresses + udp + datagram


def dissected(capture: Path, fields: list[str], keylog: Path | None = None) -> list[list[str]]:
    """What tshark shows of each packet: its fields, of which several values are joined by commas."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    command = [tshark, "-n", "-X", f"lua_script:{DISSECTOR}", "-r", str(capture), "-T", "fields"]
    for field in (*fields, EXPERT):
        command += ["-e", field]
    if keylog is not None:
        command += ["-o", f"fastmux.keylog_file:{keylog}"]
    environment = {name: value for name, value in os.environ.items() if name != "SSLKEYLOGFILE"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Lua" not in done.stderr + done.stdout, done.stderr + done.stdout
    return [line.split("\t")[:-1] for line in done.stdout.splitlines()]
