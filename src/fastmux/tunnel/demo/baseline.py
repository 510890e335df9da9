"""What the demo is measured beside: the same file over asyncio TCP and TLS 1.3, mutual, with the same
certificates.

Owns: that comparison, and which certificates each end takes. May not know: fastmux's wire.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from pathlib import Path

from fastmux.security.config import PLAINTEXT, PlaintextConfig, TLSConfig
from fastmux.tunnel.demo.workload import CHUNK_SIZE, read_chunks


def tls_config(directory: Path, role: str, plaintext: bool) -> TLSConfig | PlaintextConfig:
    """The certificates of `role` ("server" or "client") in `directory`, or PLAINTEXT."""
    if plaintext:
        return PLAINTEXT
    return TLSConfig(directory / f"{role}.pem", directory / f"{role}.key", directory / "ca.pem")


def _context(directory: Path, role: str) -> ssl.SSLContext:
    purpose = ssl.PROTOCOL_TLS_SERVER if role == "server" else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(purpose)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(directory / f"{role}.pem", directory / f"{role}.key")
    context.load_verify_locations(directory / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def listen(directory: Path) -> asyncio.Server:
    """A TCP and TLS server on loopback that answers what it read up to EOF with its SHA-256."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        digest = hashlib.sha256()
        remaining = int.from_bytes(await reader.readexactly(8), "big")
        while remaining:
            chunk = await reader.read(min(CHUNK_SIZE, remaining))
            if not chunk:
                break
            remaining -= len(chunk)
            digest.update(chunk)
        writer.write(digest.digest())
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0, ssl=_context(directory, "server"))


async def send_file(path: Path, port: int, directory: Path) -> tuple[float, str]:
    """Send the file; returns the seconds until the far end's hash was here, and that hash."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=_context(directory, "client"), server_hostname="localhost"
    )
    started = time.perf_counter()
    writer.write(path.stat().st_size.to_bytes(8, "big"))
    for chunk in read_chunks(path):
        writer.write(chunk)
        await writer.drain()
    digest = await reader.readexactly(32)
    elapsed = time.perf_counter() - started
    writer.close()
    return elapsed, digest.hex()
