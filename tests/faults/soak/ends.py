"""One end of the soak, a process: `python -m faults.soak.ends serve|send DIRECTORY KEY_UPDATE …`.

Owns: the channels and what is checked on them. It tells in lines of JSON on standard output: first its port
(the server) or that it is connected (the client), then once an interval how it is; a process ends when its
standard input does. May not know: the link between the two.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import fastmux
from e2e.conversation import receive_exactly, resident_size
from e2e.peer import tls_of
from fastmux import constants, core
from faults.soak.records import DIGEST_SIZE, Order, Reader, Wrong, draw_size, make_record, number_of

STREAMS = 50
ORDERS = [Order.ORDERED] * 20 + [Order.UNORDERED] * 15 + [Order.UNRELIABLE] * 15
MEAN_SIZE = 3200  # bytes of a record, by `draw_size`
RECORDS = 400  # of one channel; then it is closed and another one opened in its place
LENGTH_SIZE = 4
MAX_ERRORS = 20  # kept as text


class Health:
    """What this process counts and says once an interval."""

    def __init__(self) -> None:
        self.records = 0
        self.size = 0
        self.channels = 0
        self.lost_messages = 0
        self.errors: list[str] = []
        self.connections: list[fastmux.Connection] = []

    def wrong(self, error: BaseException | str) -> None:
        """Something happened that may not happen."""
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error if isinstance(error, str) else repr(error))

    def say(self) -> None:
        """One line of JSON."""
        gc.collect()
        line: dict[str, Any] = {
            "rss": resident_size(),
            "fds": len(os.listdir("/proc/self/fd")),
            "tasks": len(asyncio.all_tasks()),
            "live": core.live(),
            "records": self.records,
            "size": self.size,
            "channels": self.channels,
            "lost_messages": self.lost_messages,
            "errors": self.errors,
        }
        for connection in self.connections:
            stats = connection.stats
            for name in ("key_updates", "migrations", "packets_sent", "packets_lost", "channel_count"):
                line[name] = getattr(stats, name)
        print(json.dumps(line), flush=True)


class Log(logging.Handler):
    """Every warning of the library is an error of the soak."""

    def __init__(self, health: Health) -> None:
        super().__init__(logging.WARNING)
        self._health = health

    def emit(self, record: logging.LogRecord) -> None:
        self._health.wrong(f"logged: {record.getMessage()}")


# --- the server: checks all that comes, answers ---------------------------------------------------------


async def answer(channel: fastmux.Stream | fastmux.MessageChannel, health: Health) -> None:
    """Check the records of a channel; a stream answers with their digests, a message channel with them."""
    if isinstance(channel, fastmux.MessageChannel):
        reader = Reader(Order[channel.label])
        async for message in channel:
            reader.take(message)
            health.records += 1
            health.size += len(message)
            await channel.send(message)
    else:
        number = 0
        async for size in sizes(channel):
            record = await receive_exactly(channel, size)
            if number_of(record) != number:
                raise Wrong(f"record {number} of a stream is another one")
            number += 1
            health.records += 1
            health.size += size
            await channel.send(record[-DIGEST_SIZE:])
    await channel.send_eof()


async def sizes(stream: fastmux.Stream) -> AsyncIterator[int]:
    """The lengths before the records of a stream, to its end."""
    while True:
        try:
            first = await stream.receive(LENGTH_SIZE)
        except fastmux.EndOfStream:
            return
        rest = await receive_exactly(stream, LENGTH_SIZE - len(first))
        yield int.from_bytes(first + rest, "big")


async def serve(directory: Path, settings: dict[str, Any], health: Health, stop: asyncio.Event) -> None:
    """Listen, say the port, answer until the end."""

    async def handle(conn: fastmux.Connection) -> None:
        health.connections.append(conn)

        async def one(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
            health.channels += 1
            try:
                await answer(channel, health)
            except (Wrong, ConnectionError, fastmux.EndOfStream) as error:
                health.wrong(error)

        try:
            await conn.serve(one)
        except fastmux.ConnectionClosed as error:
            if not error.remote or error.code != constants.NO_ERROR:
                health.wrong(error)
        finally:
            health.connections.remove(conn)

    tls = tls_of(directory, "server")
    async with fastmux.listen(handle, "127.0.0.1", 0, tls=tls, **settings) as server:
        print(json.dumps({"port": server.port, "core": core.describe()}), flush=True)
        await stop.wait()


# --- the client: sends, and checks the answers ----------------------------------------------------------


class Sender:
    """100 channels over one connection, `rate` bytes a second in all, until `stop`."""

    def __init__(self, conn: fastmux.Connection, rate: float, health: Health, stop: asyncio.Event) -> None:
        self._conn = conn
        self._pause = (STREAMS + len(ORDERS)) * MEAN_SIZE / rate
        self._health = health
        self._stop = stop

    async def run(self) -> None:
        """Use the channels until the end is near, and then end each of them properly."""
        async with asyncio.TaskGroup() as group:
            for number in range(STREAMS):
                group.create_task(self._keep(self._use_stream, number))
            for number, order in enumerate(ORDERS, STREAMS):
                group.create_task(self._keep(self._use_messages, number, order))

    async def _keep(self, use: Callable[..., Coroutine[Any, Any, None]], number: int, *more: Order) -> None:
        dice = random.Random(number)
        while not self._stop.is_set():
            try:
                await use(dice, *more)
            except Wrong as error:
                self._health.wrong(error)
            self._health.channels += 1

    async def _goes_on(self, dice: random.Random) -> bool:
        """Wait for the next record's time; False if there is to be none."""
        await asyncio.sleep(dice.expovariate(1 / self._pause))
        return not self._stop.is_set()

    def _sent(self, size: int) -> None:
        self._health.records += 1
        self._health.size += size

    async def _use_stream(self, dice: random.Random) -> None:
        async with await self._conn.open_stream("records") as stream:
            expected: list[bytes] = []
            answers = asyncio.create_task(self._compare(stream, expected))
            for number in range(RECORDS):
                if not await self._goes_on(dice):
                    break
                record = make_record(number, draw_size(dice), dice)
                expected.append(record[-DIGEST_SIZE:])
                await stream.send(len(record).to_bytes(LENGTH_SIZE, "big") + record)
                self._sent(len(record))
            await stream.send_eof()
            if (count := await answers) != len(expected):
                raise Wrong(f"{count} of {len(expected)} records of a stream were answered")

    async def _compare(self, stream: fastmux.Stream, expected: list[bytes]) -> int:
        came = b""
        count = 0
        async for piece in stream:
            came += piece
            while len(came) >= DIGEST_SIZE:
                if count >= len(expected) or came[:DIGEST_SIZE] != expected[count]:
                    raise Wrong(f"the answer to record {count} of a stream is another one")
                came, count = came[DIGEST_SIZE:], count + 1
        return count

    async def _use_messages(self, dice: random.Random, order: Order) -> None:
        opening = self._conn.open_message_channel(
            order.name,
            ordered=order is Order.ORDERED,
            reliable=order is not Order.UNRELIABLE,
        )
        async with await opening as channel:
            reader = Reader(order)
            answers = asyncio.create_task(self._take(channel, reader))
            sent = 0
            while sent < RECORDS and await self._goes_on(dice):
                message = make_record(sent, draw_size(dice), dice)
                await channel.send(message)
                sent += 1
                self._sent(len(message))
            await channel.send_eof()
            await answers
            reader.finish(sent)
            self._health.lost_messages += sent - reader.count

    @staticmethod
    async def _take(channel: fastmux.MessageChannel, reader: Reader) -> None:
        async for message in channel:
            reader.take(message)


async def send(
    directory: Path, port: int, rate: float, settings: dict[str, Any], health: Health, stop: asyncio.Event
) -> None:
    """Connect and use the connection until the end."""
    tls = tls_of(directory, "client")
    async with fastmux.connect("127.0.0.1", port, tls=tls, **settings) as conn:
        health.connections.append(conn)
        print(json.dumps({"connected": True}), flush=True)
        await Sender(conn, rate, health, stop).run()
        health.connections.clear()


# --- the process ----------------------------------------------------------------------------------------


async def _main(arguments: list[str]) -> None:
    role, directory, key_update, interval, *more = arguments
    health, stop = Health(), asyncio.Event()
    logging.getLogger("fastmux").addHandler(Log(health))
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, report: health.wrong(f"the loop reported {report}"))
    settings = {
        "key_update_interval": int(key_update),
        "max_datagram_size": constants.MAX_PLPMTU,  # as on Ethernet: loopback alone would carry 9,000
    }
    if role == "serve":
        work = asyncio.create_task(serve(Path(directory), settings, health, stop))
    else:
        port, rate = more
        work = asyncio.create_task(send(Path(directory), int(port), float(rate), settings, health, stop))

    async def speak() -> None:
        while True:
            await asyncio.sleep(float(interval))
            health.say()

    speaker = asyncio.create_task(speak())
    watcher = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([work, watcher], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    speaker.cancel()
    try:
        await work
    except (ConnectionError, OSError, ExceptionGroup) as error:
        health.wrong(error)
    health.say()
    await watcher


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
