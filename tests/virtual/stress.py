"""Runs one seed of the stress: what its plan says, on a world of two hosts, and the verdict.

Owns: the doing and the oracle. May not know: how plans are drawn. Each stream and message is echoed by the
server. Whatever happens: what arrives is right, an end is told only after all of it, nobody waits for ever,
nothing is left. Where no ending was planned all must arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
from dataclasses import dataclass
from typing import Any, Final

from fastmux import Connection, MessageChannel, Stream, core
from fastmux.aio.server import Server
from fastmux.exceptions import BrokenResourceError, ClosedResourceError, EndOfStream
from network.conditions import Conditions
from virtual.host import Host
from virtual.plan import CALM_AT, SIDES, HostPlan, Plan, draw
from virtual.transfers import Scene, content
from virtual.world import START, World

PATIENCE: Final = 300.0  # virtual seconds from the start until all must be over
MOST_TURNS: Final = 100_000  # of one host: more is a loop that runs in circles
_ENDS: Final = (ConnectionError, ClosedResourceError, BrokenResourceError, EndOfStream, TimeoutError)


class Wrong(AssertionError):
    """What happened is not what may happen."""


@dataclass
class Outcome:
    """How a seed went: whole conversations, and those that ended with an error."""

    seconds: float
    whole: int
    ended: int
    turns: int


def run_seed(seed: int) -> Outcome:
    """Run a seed. Raises AssertionError if it failed."""
    before = core.live()
    outcome = _run(seed, draw(seed))
    gc.collect()  # what the world held is gone with it
    after = core.live()
    if any(now > then for now, then in zip(after, before, strict=True)):
        raise Wrong(f"the core still holds {after}, before it was {before}")
    return outcome


def _run(seed: int, plan: Plan) -> Outcome:
    with World(seed, Conditions(delay=plan.conditions.delay)) as world:
        return _Run(world, plan).play()


class _Run:
    """Invariant: `_talks` has the task of each conversation that was begun, `_extras` those of moves."""

    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        settings = {"handshake_timeout": 60.0}
        self._scene = Scene(world, settings=settings, handler=self._serve)
        self._talks: list[asyncio.Task[None]] = []
        self._extras: list[asyncio.Task[None]] = []
        self._connection: Connection | None = None
        self._spent: list[Any] = []

    # --- the server --------------------------------------------------------------------------------

    async def _serve(self, connection: Connection) -> None:
        await connection.serve(self._echo)

    async def _echo(self, channel: Stream | MessageChannel) -> None:
        try:
            if isinstance(channel, Stream):
                async for chunk in channel:
                    await channel.send(chunk)
                    if self._plan.pause:
                        await asyncio.sleep(self._plan.pause)
                await channel.send_eof()
            else:
                async for message in channel:
                    await channel.send(message)
        except _ENDS:
            channel.reset()

    # --- the client --------------------------------------------------------------------------------

    async def _stream(self, connection: Connection, number: int, wait: float, size: int) -> None:
        await asyncio.sleep(wait)
        data = content(size, number)
        async with await connection.open_stream() as stream, asyncio.TaskGroup() as group:
            group.create_task(self._write(stream, data))
            received = 0
            async for chunk in stream:
                if chunk != data[received : received + len(chunk)]:
                    raise Wrong(f"stream {number} is wrong within {received}, {received + len(chunk)}")
                received += len(chunk)
            if received != size:
                raise Wrong(f"stream {number} ended after {received} of {size} bytes, as if that were all")

    async def _write(self, stream: Stream, data: bytes) -> None:
        for start in range(0, len(data), 10_000):
            await stream.send(data[start : start + 10_000])
        await stream.send_eof()

    async def _messages(self, connection: Connection) -> None:
        sizes = self._plan.messages
        async with await connection.open_message_channel() as channel:
            for number, size in enumerate(sizes):
                await channel.send(content(size, number))
            for number, size in enumerate(sizes):
                if await channel.receive() != content(size, number):
                    raise Wrong(f"message {number} is wrong")

    async def _move(self, connection: Connection, wait: float) -> None:
        await asyncio.sleep(wait)
        with contextlib.suppress(OSError, ClosedResourceError):  # then it stays where it is
            await connection.migrate()

    async def _main(self) -> None:
        from fastmux import PLAINTEXT, connect

        plan, scene = self._plan, self._scene
        async with connect(scene.far.ip, 4433, tls=PLAINTEXT, open_timeout=60.0) as connection:
            self._connection = connection
            create = asyncio.get_running_loop().create_task
            for number, (wait, size) in enumerate(plan.streams):
                self._talks.append(create(self._stream(connection, number, wait, size)))
            if plan.messages:
                self._talks.append(create(self._messages(connection)))
            self._extras = [create(self._move(connection, wait)) for wait in plan.moves]
            try:
                await asyncio.wait([*self._talks, *self._extras])
            finally:
                for task in (*self._talks, *self._extras):
                    task.cancel()
                await asyncio.wait([*self._talks, *self._extras])

    # --- the run -----------------------------------------------------------------------------------

    def play(self) -> Outcome:
        """Do it all, and judge."""
        world, scene, plan = self._world, self._scene, self._plan
        for side in SIDES:
            _prepare(world, getattr(scene, side), plan.hosts[side])
        world.set_conditions(plan.conditions)
        main = world.start(scene.near, self._main())
        if plan.ending:
            self._after(plan.ends_at, lambda: self._end(main))
        self._after(CALM_AT, lambda: world.set_conditions(Conditions(delay=plan.conditions.delay)))
        world.run_until(main.done, timeout=PATIENCE)
        seconds = world.now - START
        world.run(scene.far, scene.close_server())
        world.run_for(100.0)
        for sock in self._spent:
            sock.close()
        scene.check_nothing_is_left()
        return self._judge(main, seconds)

    def _after(self, seconds: float, act: Any) -> None:
        _at(self._world, self._scene.near, seconds, act)

    def _judge(self, main: asyncio.Task[None], seconds: float) -> Outcome:
        failures = [_failure(task) for task in (main, *self._talks, *self._extras)]
        for failure in failures:
            if failure is None or (self._plan.ending and _is_an_end(failure)):
                continue
            raise Wrong(f"{failure!r} after {self._plan.ending or 'nothing'}") from failure
        if self._plan.ending.startswith("client's") and not self._may_find_out_late():
            silent = [failure for failure in failures if "silent" in repr(failure)]
            if silent:
                raise Wrong(f"a socket that was closed here is called silence of the peer: {silent}")
        turns = max(self._scene.near.turns, self._scene.far.turns)
        if self._world.chatter():
            raise Wrong(f"the log is flooded: {self._world.chatter()[:3]}")
        ended = sum(failure is not None for failure in failures[1:])
        return Outcome(seconds, len(self._talks) - ended, ended, turns)

    def _may_find_out_late(self) -> bool:
        """A train that waits for room keeps everybody from trying the socket."""
        return not {errno.EAGAIN, errno.EWOULDBLOCK}.isdisjoint(self._scene.near.schedule.happened)

    def _end(self, main: asyncio.Task[None]) -> None:
        scene, connection = self._scene, self._connection
        sockets = {side: list(getattr(scene, side).sockets.values()) for side in SIDES}
        match self._plan.ending:
            case "client aborts":
                if connection is not None:
                    connection.abort()
            case "server aborts":
                scene.far.loop.call_soon(_abort_all, scene.server)
            case "client closes":
                if connection is not None:
                    connection.close()
            case "server closes":
                scene.far.loop.call_soon(scene.server.close)
            case "client is cancelled":
                main.cancel()
            case "client's socket is closed" | "server's socket is closed":
                for sock in sockets["near" if "client" in self._plan.ending else "far"]:
                    sock.close()
            case "client's descriptor is closed":
                for sock in sockets["near"]:
                    sock.is_broken = True
                    self._spent.append(sock)


def _abort_all(server: Server) -> None:
    for connection in server.connections:
        connection.abort()


def _prepare(world: World, host: Host, plan: HostPlan) -> None:
    host.has_gso, host.has_gro, host.may_watch = plan.has_gso, plan.has_gro, plan.watches
    host.tick = plan.tick
    host.most_turns = MOST_TURNS
    host.receive_limit = plan.receive_limit
    for fault in plan.faults:
        host.schedule.add(fault.moved(START))
    for at, seconds in plan.blocks:
        _at(world, host, at, lambda seconds=seconds: host.block(seconds))
    for at, seconds in plan.jumps:
        _at(world, host, at, lambda seconds=seconds: host.jump(seconds))


def _at(world: World, host: Host, seconds: float, act: Any) -> None:
    """Do something in a turn of a host's loop, so many seconds from now by the world's clock."""
    world.call_at(world.now + seconds, lambda: host.loop.call_soon(act))


def _failure(task: asyncio.Task[None]) -> BaseException | None:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception()


def _is_an_end(failure: BaseException) -> bool:
    """Whether this is how a conversation may end that was cut off."""
    if isinstance(failure, BaseExceptionGroup):
        return all(_is_an_end(part) for part in failure.exceptions)
    return isinstance(failure, (*_ENDS, asyncio.CancelledError))
