"""`serve --workers`: a parent that binds the addresses and keeps a process at each place.

Owns: the processes, replacing those that die, and asking all of them. May not know: connections, channels.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import fastmux
from fastmux.tunnel import constants as c
from fastmux.tunnel.control import lines, status
from fastmux.tunnel.exits import CommandError
from fastmux.tunnel.operation.exposition import Family, merged
from fastmux.tunnel.server.serving import cannot_listen
from fastmux.tunnel.server.worker import Order
from fastmux.tunnel.settings.credentials import checked_tls
from fastmux.tunnel.settings.settings import ServeOptions, ServeSettings, serve_settings

logger = logging.getLogger("fastmux.tunnel.workers")

_FAILED: Final = 1  # exit code of a group whose workers do not stay


class Worker:
    """A running worker process and the line to it. Ask one thing at a time: `ask` sees to that."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()

    async def ask(self, op: str, timeout: float | None = c.CONTROL_TIMEOUT) -> Any:
        """Send a request and return its result. Raises `ControlError`, ConnectionError, TimeoutError."""
        async with self._turn:
            try:
                async with asyncio.timeout(timeout):
                    self._writer.write(lines.encode_request(op))
                    await self._writer.drain()
                    line = await self._reader.readline()
            except (TimeoutError, asyncio.CancelledError):
                self._writer.close()  # what comes later would be the answer to another question
                raise
        if not line:
            raise ConnectionError(f"worker {self.process.pid} has ended")
        return lines.parse_answer(line)

    async def close(self) -> None:
        """Let go of the line: a worker that still runs takes it as the end of its parent."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class WorkerGroup:
    """A group of serving processes on the same addresses; a `Steerable`. `run` it once.

    Invariant: `running` has the worker of each place that has one which serves; `_asking` are the requests
    to end that have no answer yet. All places stay open until the end: their order is what steers packets.
    """

    role = "serve"

    def __init__(self, options: ServeOptions, settings: ServeSettings, log: tuple[int, str]) -> None:
        """`log` is the verbosity and the format of the workers' logs."""
        self._options = options
        self._settings = settings
        self._log = log
        self._groups: list[list[fastmux.WorkerPlace]] = []
        self.running: dict[int, Worker] = {}
        self._is_ending = False
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self, on_ready: Callable[[str], None]) -> None:
        """Serve until drained or stopped.

        Raises `ConfigurationError` for what keeps it from starting, `CommandError` if workers do not stay.
        """
        checked_tls(self._settings.credentials, "server")
        count = self._settings.workers
        for host, port in self._settings.listen:
            try:
                self._groups.append(fastmux.bind_group(host or None, port, count))
            except OSError as error:
                self._close_places()
                raise cannot_listen((host, port), error) from error
        started = [asyncio.Event() for _ in range(count)]
        keeping = [asyncio.create_task(self._keep(index, started[index])) for index in range(count)]
        ready = asyncio.create_task(self._report(started, on_ready))
        try:
            await asyncio.gather(*keeping)
        finally:
            for task in (*keeping, ready):
                task.cancel()
            await asyncio.gather(*keeping, ready, return_exceptions=True)
            self._close_places()

    async def _report(self, started: list[asyncio.Event], on_ready: Callable[[str], None]) -> None:
        for event in started:
            await event.wait()
        on_ready(f"{len(started)} workers serve on " + ", ".join(self.listening))

    def _close_places(self) -> None:
        for group in self._groups:
            for place in group:
                place.close()

    @property
    def listening(self) -> list[str]:
        """The addresses that are listened on."""
        return [
            status.address_text(sock.getsockname()) for group in self._groups for sock in group[0].sockets
        ]

    # --- one place ------------------------------------------------------------------------------------

    async def _keep(self, index: int, started: asyncio.Event) -> None:
        """Keep a worker at a place until the end. Raises `CommandError` if it dies too often."""
        loop = asyncio.get_running_loop()
        deaths: deque[float] = deque(maxlen=c.WORKER_RESTARTS)
        while not self._is_ending:
            worker = await self._start(index)
            try:
                await self._serve(index, worker, started)
            finally:
                self.running.pop(index, None)
                await self._reap(worker)
            if self._is_ending:
                return
            logger.error(
                "worker %d ended with %s; its place is taken again", index, worker.process.returncode
            )
            if len(deaths) == deaths.maxlen and loop.time() - deaths[0] < c.WORKER_RESTART_PERIOD:
                raise CommandError(_FAILED, f"worker {index} ended {len(deaths) + 1} times within a minute")
            deaths.append(loop.time())
            await asyncio.sleep(c.WORKER_RESTART_DELAY)

    async def _start(self, index: int) -> Worker:
        ours, theirs = socket.socketpair()
        sockets = [sock for group in self._groups for sock in group[index].sockets]
        order = Order(
            options=self._options,
            index=index,
            count=self._settings.workers,
            places=[[sock.fileno() for sock in group[index].sockets] for group in self._groups],
            line=theirs.fileno(),
            verbosity=self._log[0],
            log_format=self._log[1],
        )
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "fastmux.tunnel.server.worker",
                stdin=asyncio.subprocess.PIPE,
                env=environment,
                pass_fds=[theirs.fileno(), *(sock.fileno() for sock in sockets)],
            )
            reader, writer = await asyncio.open_connection(sock=ours, limit=c.MAX_CONTROL_ANSWER_SIZE)
        finally:
            theirs.close()
        assert process.stdin is not None
        process.stdin.write(order.to_json())
        process.stdin.close()
        return Worker(process, reader, writer)

    async def _serve(self, index: int, worker: Worker, started: asyncio.Event) -> None:
        """Wait until a worker serves, then until it ends."""
        ended = asyncio.create_task(worker.process.wait())
        asking = asyncio.create_task(worker.ask("ready", c.WORKER_START_TIMEOUT))
        try:
            await asyncio.wait((ended, asking), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                try:
                    asking.result()
                except (ConnectionError, TimeoutError, lines.ControlError) as error:
                    logger.error("worker %d does not start: %s", index, error)
                    return
                self.running[index] = worker
                started.set()
                if self._is_ending:
                    await self._ask_quietly(worker, "drain")
                await ended
        finally:
            for task in (ended, asking):
                task.cancel()
            await asyncio.gather(ended, asking, return_exceptions=True)

    async def _reap(self, worker: Worker) -> None:
        """End a worker that has not ended, and wait for it."""
        await worker.close()
        if worker.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                worker.process.terminate()
            try:
                async with asyncio.timeout(c.WORKER_STOP_TIMEOUT):
                    await worker.process.wait()
            except TimeoutError:
                worker.process.kill()
        await worker.process.wait()

    # --- as a Steerable -------------------------------------------------------------------------------

    async def status(self) -> status.Fields:
        """What all workers have."""
        answers = await self._ask_all("status")
        parent = {"listening": self.listening, "workers": len(self.running)}
        return status.merged(parent, answers)

    async def families(self) -> list[Family]:
        """The metrics of all workers together."""
        answers = await self._ask_all("families")
        alive = Family("fastmux_workers", "gauge", "Worker processes that serve.")
        alive.add(len(self.running))
        return [alive, *merged([Family.from_plain(each) for each in every] for every in answers)]

    async def reload(self) -> str:
        """Have every worker read configuration and certificates anew."""
        checked_tls(serve_settings(self._options, os.getpid()).credentials, "server")
        answers = await self._ask_all("reload")
        return "; ".join(f"worker {index}: {text}" for index, text in enumerate(answers))

    async def _ask_all(self, op: str) -> list[Any]:
        """The answers of the workers that serve; one that dies meanwhile has none."""
        answers = await asyncio.gather(
            *(worker.ask(op) for _, worker in sorted(self.running.items())), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, ConnectionError):
                raise answer
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _ask_quietly(self, worker: Worker, op: str) -> None:
        try:
            await worker.ask(op)
        except (OSError, lines.ControlError) as error:
            logger.info("worker %d does not answer: %s", worker.process.pid, error)

    async def _have_end(self, worker: Worker, op: str) -> None:
        """Tell a worker to end; one that is to exit and does not is killed."""
        await self._ask_quietly(worker, op)
        if op == "exit":
            try:
                async with asyncio.timeout(c.WORKER_STOP_TIMEOUT):
                    await worker.process.wait()
            except TimeoutError:
                logger.error("worker %d does not end, and is killed", worker.process.pid)
                worker.process.kill()

    def drain(self) -> None:
        """Have every worker drain; they end by themselves."""
        self._end("drain")

    def stop(self) -> None:
        """Have every worker end at once."""
        self._end("exit")

    def _end(self, op: str) -> None:
        self._is_ending = True
        for worker in self.running.values():
            task = asyncio.get_running_loop().create_task(self._have_end(worker, op))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def forward(self, kind: str, spec: str) -> str:
        """A server has no forwards."""
        raise lines.ControlError("this is a server: forwards are added at the tunnel")

    async def cancel(self, kind: str, spec: str) -> str:
        """A server has no forwards."""
        raise lines.ControlError("this is a server: forwards are cancelled at the tunnel")
