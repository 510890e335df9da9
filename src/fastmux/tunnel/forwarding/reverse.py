"""Listeners at the far end (`-R`): asks for them, keeps them, and dials for what they accept.

Owns: which listeners are wanted, over any number of connections, and where each leads. May not know: how a
connection comes to be. A listener is asked for again on every new connection, and where the far end could not
do it just now (above all: the port is still held by the connection before) after a while on the same one.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from fastmux.aio.answers import AnswerCode, OpenRefused, read_answer
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream
from fastmux.exceptions import BrokenResourceError, ClosedResourceError, ConnectionClosed, EndOfStream
from fastmux.security.peer_names import name_of
from fastmux.tunnel.constants import (
    FORWARD_OPEN_TIMEOUT,
    LISTEN_RETRY_BASE,
    LISTEN_RETRY_MAX,
    PRIORITY_INTERACTIVE,
)
from fastmux.tunnel.forwarding.answering import AnyChannel, answer, carry_dialled
from fastmux.tunnel.forwarding.carry import CANCELLED
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.dialing import dial_tcp, dial_udp, dial_unix, look_up
from fastmux.tunnel.forwarding.outlet import UNKNOWN
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.splice import outcome_of
from fastmux.tunnel.forwarding.wire import Accepted, listen_label_of
from fastmux.tunnel.notation.targets import Forward, Target, parse_address

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection

logger = logging.getLogger("fastmux.tunnel.reverse")

# What will not be different in a minute.
_FINAL: Final = (AnswerCode.NOT_ALLOWED, AnswerCode.NOT_SUPPORTED, AnswerCode.ADDRESS_NOT_SUPPORTED)


class Reverse:
    """The `-R`s of a client.

    `run` sees to them on one connection at a time; that connection's `Exit` is given `serve_accepted`.
    Invariant: while `run` runs each of `forwards` has a task in `_tasks`; `_by_stream` has the forward of
    each listen stream that was asked for and has not ended, `bound` where the far end listens by now, and
    `refusals` what it last said to those it refused.
    """

    def __init__(self, registry: ChannelRegistry, limits: Sequence[RateLimit] = ()) -> None:
        self.bound: dict[Forward, Target] = {}
        self.refusals: dict[Forward, OpenRefused] = {}
        self._forwards: dict[Forward, None] = {}
        self._registry = registry
        self._limits = limits
        self._connection: Connection | None = None
        self._by_stream: dict[int, Forward] = {}
        self._tasks: dict[Forward, asyncio.Task[None]] = {}
        self._news = asyncio.Event()  # of `bound`, `refusals` or `forwards`: set once, and replaced

    @property
    def forwards(self) -> list[Forward]:
        """What is wanted, in the order in which it was added."""
        return list(self._forwards)

    def add(self, forward: Forward) -> None:
        """Want a listener, from now on and on every later connection; does nothing if it is wanted already.

        Raises ValueError for UDP on one side only, or if the place to listen fits no label.
        """
        if (forward.listen.protocol == "udp") != (forward.to.protocol == "udp"):
            raise ValueError(f"{forward} cannot be: datagrams go to datagrams only")
        listen_label_of(forward.listen)
        if forward not in self._forwards:
            self._forwards[forward] = None
            if self._connection is not None:
                self._start(self._connection, forward)

    async def remove(self, forward: Forward) -> None:
        """Listen there no more; what was accepted goes on. Does nothing if it is not wanted."""
        self._forwards.pop(forward, None)
        self.refusals.pop(forward, None)
        self._tell()
        task = self._tasks.pop(forward, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def answered(self, forward: Forward) -> Target:
        """Wait until the far end has answered; returns where it listens, with the port that it chose.

        It waits for a connection, too: bound it. Raises OpenRefused, also if the forward is not wanted.
        """
        while forward not in self.bound:
            if forward in self.refusals:
                raise self.refusals[forward]
            if forward not in self._forwards:
                raise OpenRefused(AnswerCode.GENERAL_FAILURE, "it is not wanted any more")
            await self._news.wait()
        return self.bound[forward]

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def run(self, connection: Connection) -> None:
        """Keep every listener on this connection until it is over. Raises RuntimeError if it runs already."""
        if self._connection is not None:
            raise RuntimeError("these listeners are kept on another connection already")
        self._connection = connection
        try:
            for forward in self._forwards:
                self._start(connection, forward)
            await connection.wait_closed()
        finally:
            self._connection = None
            tasks = list(self._tasks.values())
            self._tasks.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def serve_accepted(self, request: Accepted, channel: AnyChannel) -> None:
        """Dial for a channel that a listener of ours accepted, and carry it to its end."""
        forward = self._by_stream.get(request.listen_id)
        if forward is None:
            await self._answer(channel, None, f"accepted:{request.listen_id}")
        else:
            await self._answer(channel, forward.to, str(forward.to))

    # --- accepted channels --------------------------------------------------------------------------

    async def _answer(self, channel: AnyChannel, target: Target | None, text: str) -> None:
        kind = "unknown" if target is None else target.protocol
        record = self._registry.open(self._identity(), kind, text, "in", holds_socket=target is not None)

        async def serve() -> str:
            if target is None or (target.protocol == "udp") != isinstance(channel, MessageChannel):
                raise OpenRefused(AnswerCode.NOT_ALLOWED, "nobody asked for this listener")
            return await carry_dialled(channel, await _connect(target), record, self._limits)

        await answer(channel, serve, record, self._registry)

    def _identity(self) -> str:
        return UNKNOWN if self._connection is None else name_of(self._connection.peer)

    # --- listen streams -----------------------------------------------------------------------------

    def _start(self, connection: Connection, forward: Forward) -> None:
        task = asyncio.create_task(self._keep(connection, forward), name=f"fastmux -R {forward}")
        self._tasks[forward] = task

    async def _keep(self, connection: Connection, forward: Forward) -> None:
        """Ask for a listener again and again, as long as there is hope."""
        delay = LISTEN_RETRY_BASE
        while True:
            try:
                has_listened = await self._listen(connection, forward)
            except OpenRefused as refusal:
                is_news = forward not in self.refusals
                self.refusals[forward] = refusal
                self._tell()
                if refusal.code in _FINAL:
                    logger.error("no listener at %s at the far end: %s", forward.listen, refusal)
                    return
                if is_news:
                    logger.warning(
                        "no listener at %s at the far end: %s; trying again", forward.listen, refusal
                    )
                has_listened = False
            except (ConnectionClosed, ClosedResourceError):
                return
            delay = LISTEN_RETRY_BASE if has_listened else min(2 * delay, LISTEN_RETRY_MAX)
            await asyncio.sleep(delay)

    async def _listen(self, connection: Connection, forward: Forward) -> bool:
        """Keep one listen stream until it ends. True if the far end did listen, False if it gave no answer.

        Raises `OpenRefused`, and `ConnectionClosed` or `ClosedResourceError` when the connection is over.
        """
        identity = name_of(connection.peer)
        record = self._registry.open(identity, "listen", str(forward.listen), "out", holds_socket=False)
        outcome = CANCELLED
        stream: Stream | None = None
        try:
            stream = await connection.open_stream(
                listen_label_of(forward.listen), priority=PRIORITY_INTERACTIVE
            )
            self._by_stream[stream.id] = forward
            async with asyncio.timeout(FORWARD_OPEN_TIMEOUT):
                self._on_bound(forward, await read_answer(stream))
            await stream.receive()
            outcome = "the far end sent something on a listen stream"
        except EndOfStream:
            outcome = "ended by the far end"
        except OpenRefused as refusal:
            outcome = f"refused: {refusal}"
            raise
        except (ConnectionClosed, ClosedResourceError) as error:
            outcome = outcome_of(error)
            raise
        except (OSError, BrokenResourceError) as error:
            outcome = outcome_of(error)
        finally:
            has_listened = self.bound.pop(forward, None) is not None
            if stream is not None:
                del self._by_stream[stream.id]
                await stream.aclose()
            self._registry.close(record, outcome)
        logger.warning("the listener at %s at the far end is gone: %s", forward.listen, outcome)
        return has_listened

    def _on_bound(self, forward: Forward, text: str) -> None:
        """The far end listens, and says where."""
        self.refusals.pop(forward, None)
        self.bound[forward] = _bound_target(forward.listen, text)
        self._tell()
        logger.info("the far end listens at %s for %s", self.bound[forward], forward.to)


async def _connect(target: Target) -> socket.socket:
    """Connect to a target of this end's own configuration, which no rule concerns."""
    if target.protocol == "unix":
        return await dial_unix(target.path)
    addresses = await look_up(target.host, target.port, target.protocol)
    if not addresses:
        raise OpenRefused(AnswerCode.NAME_NOT_FOUND)
    return dial_udp(addresses) if target.protocol == "udp" else await dial_tcp(addresses)


def _bound_target(asked: Target, text: str) -> Target:
    """Where the far end says that it listens; what was asked for if it makes no sense."""
    if asked.protocol == "unix":
        return asked
    try:
        host, port = parse_address(text.removesuffix("/udp"), default_host=asked.host)
    except ValueError:
        return asked
    return Target(asked.protocol, host, port)
