"""What a long-running command shows of itself, on a command that only remembers what it was asked."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from e2e.support import LogWatch, run
from fastmux.tunnel.control.lines import ControlError, encode_request, parse_answer
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.operation.exposition import Family
from fastmux.tunnel.operation.front import Front
from fastmux.tunnel.operation.notify import Notifier


class Remembering:
    """A `Steerable`."""

    role = "tunnel"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.news = asyncio.Event()
        self.fails = False

    def _ask(self, what: str) -> str:
        self.asked.append(what)
        self.news.set()
        return f"did {what}"

    async def until(self, *asked: str) -> None:
        """Wait until it was asked all of this."""
        while self.asked != list(asked):
            self.news.clear()
            await self.news.wait()

    async def status(self) -> dict[str, Any]:
        return {"channels": []}

    async def families(self) -> list[Family]:
        family = Family("fastmux_test", "gauge", "Test.")
        family.add(7)
        return [family]

    async def reload(self) -> str:
        self._ask("reload")
        if self.fails:
            raise ConfigurationError("the file is broken")
        return "all new"

    def drain(self) -> None:
        self._ask("drain")

    def stop(self) -> None:
        self._ask("stop")

    async def forward(self, kind: str, spec: str) -> str:
        return self._ask(f"forward {kind} {spec}")

    async def cancel(self, kind: str, spec: str) -> str:
        return self._ask(f"cancel {kind} {spec}")


async def ask(path: Path, op: str, **fields: object) -> Any:
    reader, writer = await asyncio.open_unix_connection(os.fspath(path))
    writer.write(encode_request(op, **fields))
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return parse_answer(line)


def test_control_requests_reach_the_command(tmp_path: Path) -> None:
    async def main() -> None:
        steered = Remembering()
        path = tmp_path / "c.sock"
        async with Front(steered, control=path, metrics=None):
            status = await ask(path, "status")
            assert (status["role"], status["pid"], status["channels"]) == ("tunnel", os.getpid(), [])
            assert status["state"] == "serving"
            assert await ask(path, "reload") == "all new"
            assert await ask(path, "forward", kind="local", spec="1:a:2") == "did forward local 1:a:2"
            assert await ask(path, "cancel", kind="local", spec="1:a:2") == "did cancel local 1:a:2"
            assert "draining" in await ask(path, "drain")
            assert (await ask(path, "status"))["state"] == "draining"
            assert "exiting" in await ask(path, "exit")
        assert steered.asked[-2:] == ["drain", "stop"]

    run(main())


def test_a_request_that_is_none_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "c.sock"
        async with Front(Remembering(), control=path, metrics=None):
            for op, fields in (("dance", {}), ("forward", {"kind": 1, "spec": "x"}), ("forward", {})):
                with pytest.raises(ControlError, match="no request"):
                    await ask(path, op, **fields)

    run(main())


def test_metrics_are_served(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def main() -> None:
        async with Front(Remembering(), control=None, metrics=("127.0.0.1", port)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            assert b"\nfastmux_test 7\n" in await reader.read()
            writer.close()
            await writer.wait_closed()

    run(main())


def test_an_address_that_is_taken_is_a_configuration_error_and_nothing_is_left_open(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "c.sock"
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            at = "{}:{}".format(*taken.getsockname())
            with pytest.raises(ConfigurationError, match=f"--metrics {at}: .*in use"):
                async with Front(Remembering(), control=path, metrics=taken.getsockname()):
                    pass
        assert not path.exists()
        nowhere = tmp_path / "file" / "c.sock"
        nowhere.parent.touch()
        with pytest.raises(ConfigurationError, match=f"--control {nowhere}: "):
            async with Front(Remembering(), control=nowhere, metrics=None):
                pass

    run(main())


def test_signals_reload_drain_and_stop() -> None:
    async def main() -> None:
        steered = Remembering()
        async with Front(steered, control=None, metrics=None):
            os.kill(os.getpid(), signal.SIGHUP)
            await steered.until("reload")
            os.kill(os.getpid(), signal.SIGTERM)
            await steered.until("reload", "drain")
            os.kill(os.getpid(), signal.SIGTERM)
            await steered.until("reload", "drain", "stop")
            os.kill(os.getpid(), signal.SIGINT)
            await steered.until("reload", "drain", "stop", "stop")
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    run(main())


def test_a_reload_that_fails_is_logged_and_everything_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        steered = Remembering()
        steered.fails = True
        path = tmp_path / "c.sock"
        async with Front(steered, control=path, metrics=None):
            with LogWatch() as log:
                os.kill(os.getpid(), signal.SIGHUP)
                await log.line("nothing was reloaded: the file is broken")
            with pytest.raises(ControlError, match="the file is broken"):
                await ask(path, "reload")

    run(main())


def test_the_service_manager_hears_of_everything(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(os.fspath(tmp_path / "notify"))
        manager.settimeout(5)
        environment = {"NOTIFY_SOCKET": os.fspath(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"}

        async def main() -> None:
            async with Front(
                Remembering(), control=None, metrics=None, notifier=Notifier(environment)
            ) as front:
                await asyncio.sleep(0)
                front.ready("serving")
                await front.reload()
                front.drain()

        run(main())
        heard = [manager.recv(999).decode().splitlines() for _ in range(5)]
    assert [lines[0] for lines in heard] == ["WATCHDOG=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert heard[3][1] == "STATUS=reloaded: all new"
