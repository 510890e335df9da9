"""Places between whose ends a tunnel forwards one TCP port: `fastmux tunnel -L` and `ssh -L`.

Owns the tunnels' processes; it ends those that it started. Knows no contender.
"""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.harness import BenchError
from bench.places import Loopback

HOST = Loopback.host
START_SECONDS = 20.0
END_SECONDS = 10.0
_SSH_PROGRAMS = ("sshd", "ssh", "ssh-keygen")
_CONFIGURATION = """
ListenAddress {host}:{port}
HostKey {folder}/ssh_host_key
AuthorizedKeysFile {folder}/ssh_user_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
"""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def missing_programs() -> list[str]:
    """What `SshForward` needs and this machine has not."""
    return [name for name in _SSH_PROGRAMS if _find(name) is None]


class _Forwarded(Loopback):
    """Both workers on loopback, and the port forwarded between them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def _running(self, command: Sequence[str | Path], port: int | None) -> Iterator[None]:
        """Run a program; wait until it listens on TCP `port`, if one is given."""
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            if port is not None:
                _wait_for(process, port)
            yield
        finally:
            process.terminate()
            try:
                process.communicate(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


class FastmuxForward(_Forwarded):
    """`fastmux serve` and `fastmux tunnel -L`, with the run's certificates."""

    @contextmanager
    def route(self, port: int) -> Iterator[int]:
        """Forward a port of loopback to `port`."""
        command = (sys.executable, "-m", "fastmux")
        gateway, local = f"{HOST}:{free_port(socket.SOCK_DGRAM)}", free_port()
        forward = f"{local}:{HOST}:{port}"
        with ExitStack() as stack:
            rules = ("--allow", f"*={HOST}:{port}")
            serve = (*command, "serve", "-l", gateway, *self._files("server"), *rules)
            stack.enter_context(self._running(serve, None))
            tunnel = (*command, "tunnel", gateway, *self._files("client"), "-L", forward)
            stack.enter_context(self._running(tunnel, local))
            yield local

    def _files(self, role: str) -> tuple[str | Path, ...]:
        folder = self._folder
        return ("--cert", folder / f"{role}.pem", "--key", folder / f"{role}.key", "--ca", folder / "ca.pem")


class SshForward(_Forwarded):
    """An sshd of our own and `ssh -L`, with the cipher that is given or their own choice."""

    def __init__(self, folder: Path, cipher: str | None = None) -> None:
        super().__init__(folder)
        self._cipher = cipher

    @contextmanager
    def route(self, port: int) -> Iterator[int]:
        """Forward a port of loopback to `port`."""
        sshd, ssh, keygen = (_find(name) or name for name in _SSH_PROGRAMS)
        for name in ("ssh_host_key", "ssh_user_key"):
            if not (self._folder / name).exists():
                words = (keygen, "-q", "-t", "ed25519", "-N", "", "-f", self._folder / name)
                subprocess.run(words, check=True, timeout=START_SECONDS)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where a root's sshd separates its privileges
        far, local = free_port(), free_port()
        configuration = self._folder / "sshd_config"
        configuration.write_text(_CONFIGURATION.format(host=HOST, port=far, folder=self._folder))
        with ExitStack() as stack:
            stack.enter_context(self._running((sshd, "-D", "-e", "-f", configuration), far))
            where = ("-N", "-L", f"{local}:{HOST}:{port}", "-p", str(far), f"{getpass.getuser()}@{HOST}")
            stack.enter_context(self._running((ssh, *self._options(), *where), local))
            yield local

    def _options(self) -> list[str]:
        options = [
            f"IdentityFile={self._folder}/ssh_user_key",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "BatchMode=yes",
        ]
        cipher = ["-c", self._cipher] if self._cipher else []
        return ["-F", "none", *cipher, *(word for option in options for word in ("-o", option))]


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Ask until somebody listens: there is no event to wait for in another process."""
    until = time.monotonic() + START_SECONDS
    while not _is_listening(port):
        if process.poll() is not None:
            assert process.stderr is not None
            raise BenchError(f"a tunnel ended at once: {process.stderr.read().decode().strip()}")
        if time.monotonic() > until:
            raise BenchError(f"a tunnel did not listen within {START_SECONDS:.0f} s")
        time.sleep(0.02)


def _is_listening(port: int) -> bool:
    """Look at the kernel's table: a connection made to see would be forwarded, in place of the run's."""
    wanted = f"0100007F:{port:04X}"
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1] == wanted and row.split()[3] == "0A" for row in rows)
