"""OpenSSH through -L, through -R and through ProxyCommand; rsync and git over it."""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from programs.gateway import Gateway
from programs.openssh import Sshd
from programs.processes import free_port, program, run, sha256

WAYS = ("-L", "-R", "ProxyCommand")
SESSIONS = 20
FILES = 2000


@dataclass(frozen=True)
class Way:
    """One way to the sshd: the port to name, and what ssh must be told besides."""

    sshd: Sshd
    port: int
    options: tuple[str, ...] = ()

    def ssh(self, *command: str) -> list[str]:
        """The command line that runs something on the far side."""
        options = self.sshd.options(*self.options)
        return [program("ssh"), *options, "-p", str(self.port), self.sshd.host, *command]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, gateway: Gateway, sshd: Sshd) -> Way:
    """Each way, open."""
    if request.param == "ProxyCommand":
        gateway.serve()
        return Way(sshd, sshd.port, (f"ProxyCommand={gateway.proxy_command()}",))
    port = free_port()
    gateway.serve(rules=("*=127.0.0.1:*", f"*=listen:127.0.0.1:{port}"))
    tunnel = gateway.tunnel(request.param, f"{port}:127.0.0.1:{sshd.port}")
    if request.param == "-R":
        tunnel.wait_for_text("the far end listens")
    return Way(sshd, port)


def test_256_mib_arrive_whole_each_way(way: Way, big_file: Path, tmp_path: Path) -> None:
    there, back = tmp_path / "there.bin", tmp_path / "back.bin"
    run(*way.ssh(f"cat > {there}"), stdin=big_file)
    assert sha256(there) == sha256(big_file)
    with back.open("wb") as file:
        subprocess.run(
            way.ssh(f"cat {there}"), stdout=file, stdin=subprocess.DEVNULL, check=True, timeout=100
        )
    assert sha256(back) == sha256(big_file)


def test_scp_and_sftp_copy_a_file_each_way(way: Way, tmp_path: Path) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(random.Random(1).randbytes(3_000_001))
    options = (*way.sshd.options(*way.options), "-P", str(way.port))
    for name, binary in (("scp", program("scp")), ("sftp", program("sftp"))):
        there, back = tmp_path / f"{name}-there", tmp_path / f"{name}-back"
        if name == "scp":
            run(binary, *options, source, f"{way.sshd.host}:{there}")
            run(binary, *options, f"{way.sshd.host}:{there}", back)
        else:
            batch = tmp_path / "batch"
            batch.write_text(f"put {source} {there}\nget {there} {back}\n")
            run(binary, *options, "-b", batch, way.sshd.host)
        assert sha256(there) == sha256(back) == sha256(source)


def test_20_sessions_at_once(way: Way) -> None:
    sessions = [
        subprocess.Popen(
            way.ssh(f"echo session {number}; cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for number in range(SESSIONS)
    ]
    try:
        for session in sessions:  # all of them are open before the first one ends
            assert session.stdout is not None
            assert session.stdout.readline().startswith(b"session ")
        for number, session in enumerate(sessions):
            output, _ = session.communicate(f"input {number}\n".encode(), timeout=60)
            assert (session.returncode, output) == (0, f"input {number}\n".encode())
    finally:
        for session in sessions:
            session.kill()
            session.wait()
            for pipe in (session.stdin, session.stdout):
                if pipe is not None:
                    pipe.close()


def test_the_far_commands_exit_status_and_error_output_arrive(way: Way) -> None:
    done = run(*way.ssh("echo to-error >&2; exit 7"), check=False)
    assert (done.returncode, done.stderr) == (7, b"to-error\n")


def test_rsync_copies_2000_files(gateway: Gateway, sshd: Sshd, tmp_path: Path) -> None:
    rng = random.Random(2)
    source, copy = tmp_path / "source", tmp_path / "copy"
    for number in range(FILES):
        path = source / f"{number % 40:02}" / f"{number:04}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.randrange(8192)))
    port = free_port()
    gateway.serve()
    gateway.tunnel("-L", f"{port}:127.0.0.1:{sshd.port}")
    shell = " ".join([program("ssh"), *sshd.options(), "-p", str(port)])
    run(program("rsync"), "-a", "-e", shell, f"{source}/", f"{sshd.host}:{copy}/")
    names = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    assert len(names) == FILES
    assert names == sorted(path.relative_to(copy) for path in copy.rglob("*") if path.is_file())
    assert all((source / name).read_bytes() == (copy / name).read_bytes() for name in names)


def test_git_clones_over_ssh(gateway: Gateway, sshd: Sshd, tmp_path: Path) -> None:
    git, origin = program("git"), tmp_path / "origin"
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.invalid")
    run(git, "init", "-q", origin)
    for number in range(5):
        (origin / f"file{number}").write_bytes(random.Random(number).randbytes(200_000))
        run(git, "-C", origin, "add", "-A")
        run(git, "-C", origin, *who, "commit", "-q", "-m", f"file {number}")
    port = free_port()
    gateway.serve()
    gateway.tunnel("-L", f"{port}:127.0.0.1:{sshd.port}")
    shell = " ".join([program("ssh"), *sshd.options(), "-p", str(port)])
    clone = tmp_path / "clone"
    run(git, "clone", "-q", f"ssh://{sshd.host}{origin}", clone, env={"GIT_SSH_COMMAND": shell})
    heads = [run(git, "-C", each, "rev-parse", "HEAD").stdout for each in (origin, clone)]
    assert heads[0] == heads[1]
    run(git, "-C", clone, "fsck", "--full")
