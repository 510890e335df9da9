"""Datagrams without connections over channels: one message channel for each local peer.

Owns: which flow a datagram belongs to, how many there are, and when one is over. May not know: sockets, where
a flow goes. A flow ends when it was idle, when the far end closed it, or when a newer one needs its place; a
datagram that comes later begins a new one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from fastmux.aio.answers import OpenRefused
from fastmux.exceptions import (
    BrokenResourceError,
    ClosedResourceError,
    EndOfStream,
    MessageTooBig,
    WouldBlock,
)
from fastmux.tunnel.constants import MAX_UDP_FLOW_WAITING, MAX_UDP_FLOWS, UDP_FLOW_IDLE_TIMEOUT
from fastmux.tunnel.forwarding.counters import CLOSED, ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.rate import RateLimit, take_all, try_take_all
from fastmux.tunnel.forwarding.splice import outcome_of

if TYPE_CHECKING:
    from fastmux.aio.message_channel import MessageChannel

K = TypeVar("K", bound=Hashable)

IDLE: Final = "idle"
EVICTED: Final = "closed for a newer flow"


class UdpFlows(Generic[K]):
    """Flows by key, which is whatever tells local peers apart.

    `open_channel(key)` opens a flow's channel, `deliver(data, key)` takes what comes back, `open_record(key)`
    begins to count it. Invariant: `_flows` are the flows that have not ended, the least recently used first,
    at most `max_flows`; each has one task, which ends with the flow.
    """

    def __init__(
        self,
        open_channel: Callable[[K], Awaitable[MessageChannel]],
        deliver: Callable[[bytes, K], object],
        open_record: Callable[[K], ChannelRecord],
        registry: ChannelRegistry,
        limits: Sequence[RateLimit] = (),
        *,
        max_flows: int = MAX_UDP_FLOWS,
        idle_timeout: float = UDP_FLOW_IDLE_TIMEOUT,
    ) -> None:
        self._open_channel = open_channel
        self._deliver = deliver
        self._open_record = open_record
        self._registry = registry
        self._limits = limits
        self._max_flows = max_flows
        self._idle_timeout = idle_timeout
        self._flows: OrderedDict[K, _Flow] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._flows)

    def send(self, data: bytes, key: K) -> None:
        """Send a datagram of a local peer on its way, or drop it where a network would."""
        flow = self._flows.get(key)
        if flow is None:
            flow = self._begin(key)
        self._flows.move_to_end(key)
        if try_take_all(self._limits, len(data)):
            flow.send(data)

    async def close(self) -> None:
        """End all flows."""
        for flow in list(self._flows.values()):
            flow.end("listener closed")
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, key: K) -> _Flow:
        if len(self._flows) >= self._max_flows:
            _, oldest = self._flows.popitem(last=False)
            oldest.end(EVICTED)
        flow = self._flows[key] = _Flow(self._open_record(key), self._idle_timeout)
        task = flow.task = asyncio.create_task(self._run(key, flow), name=f"fastmux flow {key}")
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, key, flow))
        return flow

    async def _run(self, key: K, flow: _Flow) -> None:
        try:
            channel = await self._open_channel(key)
        except (OpenRefused, OSError) as error:
            flow.outcome = f"refused: {error}"
            return
        try:
            flow.opened(channel)
            while True:
                for data in await channel.receive_many():
                    await take_all(self._limits, len(data))
                    flow.received(len(data))
                    self._deliver(data, key)
                if self._flows.get(key) is flow:
                    self._flows.move_to_end(key)
        except EndOfStream:
            flow.outcome = CLOSED
        except (OSError, ClosedResourceError) as error:
            flow.outcome = outcome_of(error)
        finally:
            await channel.aclose()

    def _ended(self, task: asyncio.Task[None], key: K, flow: _Flow) -> None:
        self._tasks.discard(task)
        if self._flows.get(key) is flow:
            del self._flows[key]
        flow.stop()
        self._registry.close(flow.record, flow.outcome)


class _Flow:
    """One flow.

    Invariant: `_waiting` has what came before the channel was open, at most MAX_UDP_FLOW_WAITING datagrams.
    """

    def __init__(self, record: ChannelRecord, idle_timeout: float) -> None:
        self.record = record
        self.outcome = "cancelled"
        self.task: asyncio.Task[None] | None = None
        self._channel: MessageChannel | None = None
        self._waiting: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._idle_timeout = idle_timeout
        self._used_at = self._loop.time()
        self._timer = self._loop.call_later(idle_timeout, self._on_timer)

    def opened(self, channel: MessageChannel) -> None:
        """Send what has waited for the channel."""
        self._channel = channel
        while self._waiting:
            self.send(self._waiting.popleft())

    def send(self, data: bytes) -> None:
        """Send a datagram, or drop it where there is no room for it."""
        self._used_at = self._loop.time()
        if self._channel is None:
            if len(self._waiting) < MAX_UDP_FLOW_WAITING:
                self._waiting.append(data)
            return
        try:
            if send_or_drop(self._channel, data):
                self.record.sent_size += len(data)
        except (OSError, BrokenResourceError, ClosedResourceError) as error:
            self.end(outcome_of(error))

    def received(self, size: int) -> None:
        """A datagram came back."""
        self._used_at = self._loop.time()
        self.record.received_size += size

    def end(self, outcome: str) -> None:
        """End it for this reason."""
        self.outcome = outcome
        if self.task is not None:
            self.task.cancel()

    def stop(self) -> None:
        """It has ended."""
        self._timer.cancel()

    def _on_timer(self) -> None:
        idle_at = self._used_at + self._idle_timeout
        if self._loop.time() < idle_at:
            self._timer = self._loop.call_at(idle_at, self._on_timer)
        else:
            self.end(IDLE)


def send_or_drop(channel: MessageChannel, data: bytes) -> bool:
    """Send one datagram as a message; False if there is no room now, or it can never go this way.

    Raises what `MessageChannel.send_nowait` raises at the end of a channel.
    """
    try:
        channel.send_nowait(data)
    except (WouldBlock, MessageTooBig):
        return False
    return True
