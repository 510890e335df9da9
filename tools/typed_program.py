"""A small program that uses the public names with types, for `mypy --strict` beside an installed package.

Owns: one use of each public kind of object. May not know: anything but public names; it is checked, not run.
"""

from __future__ import annotations

import fastmux


async def use(conn: fastmux.Connection) -> float:
    """One of everything on a connection."""
    stream: fastmux.Stream = await conn.open_stream(label="upload", priority=32)
    await stream.send(b"data")
    data: bytes = await stream.receive()
    channel: fastmux.MessageChannel = await conn.open_message_channel(lifetime=0.2)
    await channel.send_many([data])
    taken: bool = conn.send_datagram(memoryview(data))
    rtt: float = conn.stats.rtt
    return rtt if taken else 0.0


async def main(tls: fastmux.TLSConfig) -> None:
    """Both ends."""

    async def handler(conn: fastmux.Connection) -> None:
        name: str = conn.peer.common_name
        conn.close(0, name)

    async with fastmux.listen(handler, "127.0.0.1", 0, tls=tls) as server:
        conn: fastmux.Connection = await fastmux.connect("127.0.0.1", server.port, tls=tls, congestion="bbr")
        try:
            await use(conn)
        except fastmux.ChannelReset as error:
            conn.abort(error.code)
