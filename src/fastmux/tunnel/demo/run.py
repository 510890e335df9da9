"""The parent of the demo: makes what is needed, runs both legs in processes of their own, prints the table.

Owns: the two legs, their time limits and the exit status. May not know: how a channel works.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from fastmux._switches import NO_EXTENSIONS, REQUIRE_EXTENSIONS
from fastmux.tunnel.demo.client import ClientOptions
from fastmux.tunnel.demo.display import Display
from fastmux.tunnel.demo.verdict import judge
from fastmux.tunnel.demo.workload import MIB, Workload, make_file

LEG_TIMEOUT: Final = 120.0  # seconds; a leg takes about ten
START_TIMEOUT: Final = 20.0
DEFAULT_SIZES: Final = {"cython": 64, "python": 16}  # MiB
HOSTILE_FILE_SHARE: Final = 4  # the file of the hostile leg is this much smaller


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The command's options; `size` in MiB, None for the default of the core; `loss` from 0 to 1."""

    core: str = "auto"
    size: int | None = None
    loss: float = 0.02
    plaintext: bool = False
    seed: int = 1


class DemoError(Exception):
    """A process of the demo did not do its part; the text says which and what it printed."""


async def run_demo(options: DemoOptions) -> int:
    """Run both legs; returns the exit status: 0 only if everything was right.

    Cancelled, it leaves no process and no file.
    """
    display = Display()
    try:
        return await _run(options, display)
    except DemoError as error:
        display.fail(str(error))
        return 1


def processes_environment(core: str) -> dict[str, str]:
    """The environment of the processes that are to run this core; "auto" leaves the choice to them."""
    environment = dict(os.environ)
    if core == "python":
        environment[NO_EXTENSIONS] = "1"
        environment.pop(REQUIRE_EXTENSIONS, None)
    elif core == "cython":
        environment[REQUIRE_EXTENSIONS] = "1"
        environment.pop(NO_EXTENSIONS, None)
    return environment


async def _implementation(environment: dict[str, str]) -> tuple[str, str]:
    """Which core the processes will run ("cython" or "python"), and its line for the table."""
    code = "from fastmux import core; print(core.IMPLEMENTATION); print(core.describe())"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise DemoError("the core that was asked for cannot be loaded (see above)")
    implementation, description = output.decode().splitlines()
    return implementation, description


def make_workload(options: DemoOptions, implementation: str) -> Workload:
    """What the clean leg carries; on the pure core the file is smaller by default."""
    size = options.size or DEFAULT_SIZES[implementation]
    return Workload(file_size=size * MIB, seed=options.seed)


async def _run(options: DemoOptions, display: Display) -> int:
    environment = processes_environment(options.core)
    implementation, description = await _implementation(environment)
    clean = make_workload(options, implementation)
    hostile_size = max(MIB, clean.file_size // HOSTILE_FILE_SHARE)
    hostile = Workload(hostile_size, clean.http_size, clean.messages, clean.pings, clean.seed)
    display.start(description, clean, options.loss)
    passed = True
    with tempfile.TemporaryDirectory(prefix="fastmux-demo-") as name:
        directory = Path(name) / "demo"
        if options.plaintext:
            directory.mkdir(mode=0o700)
        _make_certificates(directory)
        for leg, workload in (("clean", clean), ("hostile", hostile)):
            loss = options.loss if leg == "hostile" else None
            report = await _leg(directory, workload, options, environment, loss, display)
            verdict = judge(report)
            display.leg(leg, report, verdict, loss)
            passed = passed and not verdict
    display.finish(passed)
    return 0 if passed else 1


def _make_certificates(directory: Path) -> None:
    from fastmux.security.certificates import make_credentials

    make_credentials(directory, days=1)


async def _leg(
    directory: Path,
    workload: Workload,
    options: DemoOptions,
    environment: dict[str, str],
    loss: float | None,
    display: Display,
) -> dict[str, Any]:
    """Start the processes of one leg and follow the client to its result."""
    client = ClientOptions(
        directory=str(directory),
        port=0,
        tcp_port=0,
        plaintext=options.plaintext,
        compare=loss is None,
        file_digest=make_file(directory / "file", workload.file_size, workload.seed),
        http_digest=make_file(directory / "blob", workload.http_size, workload.seed + 1),
        workload=workload,
    )
    mode = "plaintext" if options.plaintext else "tls"
    async with contextlib.AsyncExitStack() as stack:
        server = child_process("server", [str(directory), mode], environment)
        ports = await stack.enter_async_context(server)
        port = ports["port"]
        if loss is not None:
            relay = child_process("relay", [str(port), str(loss), str(options.seed)], environment)
            port = (await stack.enter_async_context(relay))["port"]
        fields = asdict(client) | {"port": port, "tcp_port": ports["tcp_port"]}
        try:
            async with asyncio.timeout(LEG_TIMEOUT):
                return await follow_client(fields, environment, display)
        except TimeoutError:
            raise DemoError(f"the leg did not end within {LEG_TIMEOUT:.0f} s") from None


@contextlib.asynccontextmanager
async def child_process(
    role: str, arguments: list[str], environment: dict[str, str]
) -> AsyncIterator[dict[str, int]]:
    """Start `fastmux.tunnel.demo.<role>`, give its first line of JSON, end it by closing its input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"fastmux.tunnel.demo.{role}",
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT)
        except TimeoutError:
            raise DemoError(f"the {role} did not start within {START_TIMEOUT:.0f} s") from None
        if not line:
            raise DemoError(f"the {role} ended before it was ready (its error is above)")
        yield json.loads(line)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


async def follow_client(
    fields: dict[str, object], environment: dict[str, str], display: Display
) -> dict[str, Any]:
    """Run the client and show its progress; returns its result."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fastmux.tunnel.demo.client",
        json.dumps(fields),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        limit=MIB,
    )
    assert process.stdout is not None
    result: dict[str, Any] | None = None
    try:
        async for line in process.stdout:
            report = json.loads(line)
            match report["event"]:
                case "progress":
                    display.progress(report["jobs"])
                case "result":
                    result = report
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if result is None:
        raise DemoError("the client ended without a result (its error is above)")
    return result
