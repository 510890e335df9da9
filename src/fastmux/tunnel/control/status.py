"""What a status holds: plain fields that JSON takes, of one process or of several together.

Owns: their names and bounds. May not know: how they are shown, sockets.

    {"role": "serve" | "tunnel", "pid", "version", "uptime", "state", …,
     "connections": [{"identity", "peer", "age", "rtt", "min_rtt", "congestion_window", "mtu",
                      "packets_sent", "packets_received", "packets_lost", "bytes_sent", "bytes_received"}],
     "channels": [{"id", "identity", "kind", "target", "direction", "age", "received", "sent"}],
     "channels_left_out": 0,
     "identities": [{"identity", "opened", "failed", "received", "sent"}]}

Times are in seconds, sizes in bytes; ages are up to now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from fastmux.tunnel.constants import MAX_STATUS_CHANNELS, MAX_STATUS_CONNECTIONS

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection
    from fastmux.tunnel.forwarding.counters import ChannelRegistry

Fields: TypeAlias = dict[str, Any]

_CONNECTION_STATISTICS = (
    *("rtt", "min_rtt", "congestion_window", "mtu", "packets_sent", "packets_received", "packets_lost"),
    *("bytes_sent", "bytes_received"),
)


def connection_fields(identity: str, connection: Connection, age: float) -> Fields:
    """One connection."""
    statistics = connection.stats
    figures = {name: getattr(statistics, name) for name in _CONNECTION_STATISTICS}
    return {
        "identity": identity,
        "peer": address_text(connection.get_extra_info("peername")),
        "age": age,
    } | figures


def address_text(address: object) -> str:
    """`127.0.0.1:4433` or `[::1]:4433` of a socket address."""
    if not isinstance(address, tuple) or len(address) < 2:
        return ""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def channel_fields(registry: ChannelRegistry) -> Fields:
    """The channels of a process one by one, and the totals by identity."""
    now = registry.clock()
    records = registry.records()
    shown = [
        {
            "id": record.id,
            "identity": record.identity,
            "kind": record.kind,
            "target": record.target,
            "direction": record.direction,
            "age": now - record.opened_at,
            "received": record.received_size,
            "sent": record.sent_size,
        }
        for record in records[:MAX_STATUS_CHANNELS]
    ]
    identities = [
        {
            "identity": identity,
            "opened": totals.opened,
            "failed": totals.failed,
            "received": totals.received_size,
            "sent": totals.sent_size,
        }
        for identity, totals in registry.totals().items()
    ]
    return {"channels": shown, "channels_left_out": len(records) - len(shown), "identities": identities}


def limited(connections: Iterable[Fields]) -> Fields:
    """The connections of a process, as many as a status may hold."""
    every = list(connections)
    shown = every[:MAX_STATUS_CONNECTIONS]
    return {"connections": shown, "connections_left_out": len(every) - len(shown)}


def merged(parent: Fields, workers: Sequence[Fields]) -> Fields:
    """The status of a group of workers, as that of its parent with all that the workers have."""
    identities: dict[str, Fields] = {}
    for worker in workers:
        for each in worker["identities"]:
            whole = identities.setdefault(each["identity"], {"identity": each["identity"]})
            for name in ("opened", "failed", "received", "sent"):
                whole[name] = whole.get(name, 0) + each[name]
    connections = [
        {**each, "worker": index} for index, worker in enumerate(workers) for each in worker["connections"]
    ]
    channels = [
        {**each, "worker": index} for index, worker in enumerate(workers) for each in worker["channels"]
    ]
    left_out = {
        name: sum(worker[name] for worker in workers)
        for name in ("channels_left_out", "connections_left_out")
    }
    left_out["channels_left_out"] += len(channels[MAX_STATUS_CHANNELS:])
    left_out["connections_left_out"] += len(connections[MAX_STATUS_CONNECTIONS:])
    return {
        **parent,
        "connections": connections[:MAX_STATUS_CONNECTIONS],
        "channels": channels[:MAX_STATUS_CHANNELS],
        "identities": list(identities.values()),
        **left_out,
    }
