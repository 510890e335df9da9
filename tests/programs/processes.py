"""Programs that run beside a test, and ports for them.

Owns: starting, waiting until one is ready, its output, and the end of each, by its id. May not know: what the
programs are for.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

START_TIMEOUT = 20.0
STOP_TIMEOUT = 15.0
RUN_TIMEOUT = 100.0
FASTMUX = (sys.executable, "-m", "fastmux")

PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "dig": "dnsutils",
    "git": "git",
    "iperf3": "iperf3",
    "ip": "iproute2",
    "rsync": "rsync",
    "scp": "openssh-client",
    "sftp": "openssh-client",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
}


def program(name: str) -> str:
    """Where a program is; skips the test if it is not installed."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if found is None:
        pytest.skip(f"needs {name} (Debian: apt-get install {PACKAGES[name]})")
    return found


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def sha256(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(
    *command: str | Path,
    check: bool = True,
    timeout: float = RUN_TIMEOUT,
    stdin: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; with `check`, a status other than 0 fails the test and shows what it said."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
        done = subprocess.run(
            list(map(str, command)),
            stdin=source,
            capture_output=True,
            timeout=timeout,
            check=False,
            env=dict(os.environ, **(env or {})),
        )
    if check and done.returncode != 0:
        pytest.fail(f"{command} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done


def wait_until(condition: Callable[[], bool], what: str, timeout: float = START_TIMEOUT) -> None:
    """Ask until it is so; there is no event to wait for in another process."""
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(0.02)


class Running:
    """A program that was started; its output is in `log`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def output(self) -> str:
        """What it wrote so far, to standard output and error."""
        return self.log.read_text(errors="replace")

    def wait_for_text(self, text: str, timeout: float = START_TIMEOUT) -> None:
        """Wait until it wrote this."""
        wait_until(lambda: text in self.output() or self._is_over(), f"{text!r} in {self.log}", timeout)
        assert text in self.output(), f"ended without {text!r}:\n{self.output()}"

    def wait_for_port(self, port: int, timeout: float = START_TIMEOUT) -> None:
        """Wait until somebody listens on a TCP port of loopback."""

        def answers() -> bool:
            assert not self._is_over(), f"it ended:\n{self.output()}"
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, f"an answer on port {port}", timeout)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Wait for its end and return its status."""
        return self.process.wait(timeout)

    def kill(self) -> None:
        """End it at once."""
        if not self._is_over():
            self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it, politely first."""
        if not self._is_over():
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def _is_over(self) -> bool:
        return self.process.poll() is not None


class Programs:
    """Everything that a test started. A context manager that ends all of it, the newest first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: list[Running] = []

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, *_: object) -> None:
        for each in reversed(self._running):
            each.stop()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        is_notifying: bool = False,
    ) -> Running:
        """Start a program; with `is_notifying`, wait until it says READY=1 as to systemd (sd_notify(3))."""
        log = self.directory / f"{name}-{len(self._running)}.log"
        environment = dict(os.environ, PYTHONUNBUFFERED="1", **(env or {}))
        with contextlib.ExitStack() as stack:
            notices: socket.socket | None = None
            if is_notifying:
                folder = stack.enter_context(tempfile.TemporaryDirectory())  # a short path, as sun_path is
                notices = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                notices.bind(f"{folder}/notify")
                environment["NOTIFY_SOCKET"] = f"{folder}/notify"
            output = stack.enter_context(log.open("wb"))
            process = subprocess.Popen(
                list(map(str, command)),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            running = Running(process, log)
            self._running.append(running)
            if notices is not None:
                self._wait_for_notice(running, notices)
        return running

    @staticmethod
    def _wait_for_notice(running: Running, notices: socket.socket) -> None:
        notices.settimeout(0.2)
        until = time.monotonic() + START_TIMEOUT
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in notices.recv(4096).split(b"\n"):
                    return
            assert running.process.poll() is None, f"it ended:\n{running.output()}"
        raise AssertionError(f"not ready within {START_TIMEOUT:g} s:\n{running.output()}")
