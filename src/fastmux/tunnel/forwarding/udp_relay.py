"""Joins a message channel with a connected UDP socket: a message is a datagram, both ways.

Owns: when such a pair is over. May not know: where the socket leads, who asked for it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastmux.exceptions import BrokenResourceError, ClosedResourceError, EndOfStream
from fastmux.tunnel.constants import UDP_FLOW_IDLE_TIMEOUT
from fastmux.tunnel.forwarding.counters import CLOSED, ChannelRecord
from fastmux.tunnel.forwarding.datagram_socket import DatagramSocket
from fastmux.tunnel.forwarding.rate import RateLimit, take_all, try_take_all
from fastmux.tunnel.forwarding.splice import outcome_of
from fastmux.tunnel.forwarding.udp_flows import IDLE, send_or_drop

if TYPE_CHECKING:
    from fastmux.aio.message_channel import MessageChannel


async def relay_datagrams(
    channel: MessageChannel,
    sock: socket.socket,
    record: ChannelRecord,
    limits: Sequence[RateLimit] = (),
    *,
    idle_timeout: float = UDP_FLOW_IDLE_TIMEOUT,
) -> str:
    """Carry datagrams until the far end closes the channel or nothing came for `idle_timeout` seconds.

    Takes both over, counts into `record`, and returns the outcome: "closed" or "idle", else what broke. What
    finds no room is dropped. Cancelled, it closes both.
    """
    relay = _Relay(channel, DatagramSocket(sock), record, limits)
    try:
        return await relay.run(idle_timeout)
    finally:
        await channel.aclose()
        relay.close()


class _Relay:
    """One pair while it runs."""

    def __init__(
        self,
        channel: MessageChannel,
        sock: DatagramSocket,
        record: ChannelRecord,
        limits: Sequence[RateLimit],
    ) -> None:
        self._channel = channel
        self._sock = sock
        self._record = record
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._used_at = self._loop.time()

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    async def run(self, idle_timeout: float) -> str:
        """Carry both ways; returns the outcome, and leaves no task."""
        tasks = {asyncio.ensure_future(self._outward()), asyncio.ensure_future(self._inward())}
        try:
            while True:
                rest = self._used_at + idle_timeout - self._loop.time()
                if rest <= 0:
                    return IDLE
                done, _ = await asyncio.wait(tasks, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        except EndOfStream:
            return CLOSED
        except (OSError, BrokenResourceError, ClosedResourceError) as error:
            return outcome_of(error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _outward(self) -> None:
        """From the socket to the channel."""
        while True:
            for data, _ in await self._sock.receive():
                if try_take_all(self._limits, len(data)) and send_or_drop(self._channel, data):
                    self._record.sent_size += len(data)
            self._used_at = self._loop.time()
            await asyncio.sleep(0)

    async def _inward(self) -> None:
        """From the channel to the socket."""
        while True:
            for data in await self._channel.receive_many():
                await take_all(self._limits, len(data))
                self._sock.send(data)
                self._record.received_size += len(data)
            self._used_at = self._loop.time()
            await asyncio.sleep(0)
