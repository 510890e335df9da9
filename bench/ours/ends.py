"""How the workers listen and connect: certificates, settings, and one result for the whole server.

Owns what every workload over fastmux has in common. Knows no workload.
"""

import argparse
import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path

import fastmux
from bench import worker
from bench.ours import wakeups
from bench.ours.controllers import controller_setting
from fastmux import constants as c
from fastmux import core, portmux
from fastmux.aio.client import Connector
from fastmux.aio.server import Listener
from fastmux.aio.settings import Settings
from fastmux.security.config import PlaintextConfig, TLSConfig

SUITE = ("TLS_AES_128_GCM_SHA256",)
SPARE_CHANNELS = 1024
MIN_WRITE_LIMIT = 65536

SPARE_PORTS = 8

Link = fastmux.Connection | portmux.PortConnection
Handler = Callable[[Link], Awaitable[None]]
Done = asyncio.Future[worker.Result]


def tls_of(options: argparse.Namespace) -> TLSConfig | PlaintextConfig:
    """Mutual TLS with AES-128-GCM, or nothing where `--plaintext` says so."""
    if options.plaintext:
        return fastmux.PLAINTEXT
    return _config(options.certificates, options.role)


@functools.cache
def _config(folder: Path, role: str) -> TLSConfig:
    """One for all connections, as a program has it, and as the other contenders have their context."""
    return fastmux.TLSConfig(folder / f"{role}.pem", folder / f"{role}.key", folder / "ca.pem", ciphers=SUITE)


def settings_of(options: argparse.Namespace) -> Settings:
    """The keyword settings of `listen` and `connect` for this run."""
    settings: Settings = {
        "max_datagram_size": options.datagram_size,
        "max_streams": options.idle + worker.count_of(options) + SPARE_CHANNELS,
        # One address makes all connections, as fast as it can: what a limit would leave is not the question.
        "max_handshake_rate": None,
        "max_handshake_rate_per_address": None,
    }
    streams = options.connections * worker.count_of(options)
    if streams > 1 and options.workload in ("bulk", "streams"):
        # Or what was taken for sending and is not sent would be more than is carried in the whole run.
        settings["write_limit"] = max(c.WRITE_LIMIT // streams, MIN_WRITE_LIMIT)
    if options.window is not None:
        settings["channel_window"] = settings["max_channel_window"] = options.window
        settings["connection_window"] = settings["max_connection_window"] = options.window
    settings.update(controller_setting(options.congestion))
    return settings


def connect(options: argparse.Namespace) -> Connector | portmux.PortConnector:
    """`connect` of either way, with this run's certificates and settings."""
    tls, settings = tls_of(options), settings_of(options)
    if not options.ports:
        return fastmux.connect(options.host, options.port, tls=tls, **settings)
    max_ports = max_ports_of(options, settings)
    return portmux.connect(options.host, options.port, tls=tls, max_ports=max_ports, **settings)


def max_ports_of(options: argparse.Namespace, settings: Settings) -> int:
    """The limit of channels by port, which takes the place of the limit of streams in `settings`."""
    settings.pop("max_streams")
    return int(options.idle) + worker.count_of(options) + SPARE_PORTS


def listen(
    options: argparse.Namespace, handle: Callable[[Link], Awaitable[object]]
) -> Listener | portmux.PortListener:
    """`listen` of either way, with this run's certificates and settings."""
    tls, settings = tls_of(options), settings_of(options)
    if not options.ports:
        return fastmux.listen(handle, options.host, options.port, tls=tls, **settings)
    max_ports = max_ports_of(options, settings)
    return portmux.listen(handle, options.host, options.port, tls=tls, max_ports=max_ports, **settings)


async def serve_until_done(options: argparse.Namespace, handler: Handler, done: Done) -> None:
    """Listen, say where, and say the result once `done` has it; an error of a handler ends the worker."""

    async def handle(conn: Link) -> None:
        try:
            await handler(conn)
        except Exception as error:
            if not done.done():
                done.set_exception(error)
            raise
        await conn.wait_closed()

    async with listen(options, handle) as server:
        worker.announce({"port": server.port})
        announce(await done)


def announce(result: worker.Result) -> None:
    """The result line, with the wake-ups of this process if they were counted."""
    worker.announce(wakeups.added_to(result))


def detail_of(conn: Link) -> dict[str, object]:
    """What the connection says about itself, for the result line."""
    stats = conn.stats
    return {
        "open_files": worker.open_files(),
        "core": core.IMPLEMENTATION,
        "socket_path": conn.get_extra_info("socket_path"),
        "packets_sent": stats.packets_sent,
        "packets_received": stats.packets_received,
        "packets_lost": stats.packets_lost,
        "mtu": stats.mtu,
        "congestion_window": stats.congestion_window,
    }
