"""An OpenSSH server of our own, and the command lines that reach it.

Owns: keys and configuration of a throw-away sshd. May not know: by which way it is reached.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from programs.processes import Programs, Running, free_port, program, run

_CONFIGURATION = """
ListenAddress {host}:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 100:30:200
MaxSessions 100
AllowTcpForwarding yes
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Sshd:
    """A running sshd that takes one key, and the folder with its keys."""

    running: Running
    port: int
    folder: Path

    @classmethod
    def start(
        cls, programs: Programs, folder: Path, *, host: str = "127.0.0.1", prefix: Sequence[str] = ()
    ) -> Sshd:
        """Make keys, start it, and wait until it listens; `prefix` runs it elsewhere, in a namespace say."""
        sshd, keygen = program("sshd"), program("ssh-keygen")
        for name in ("host_key", "user_key"):
            run(keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where a root's sshd separates its privileges
        port = free_port()
        configuration = folder / "sshd_config"
        configuration.write_text(_CONFIGURATION.format(host=host, port=port, folder=folder))
        running = programs.start("sshd", [*prefix, sshd, "-D", "-e", "-f", configuration])
        running.wait_for_text("Server listening on")
        return cls(running, port, folder)

    @property
    def user(self) -> str:
        """Who may log in."""
        return getpass.getuser()

    @property
    def host(self) -> str:
        """The user at loopback, as ssh is told."""
        return f"{self.user}@127.0.0.1"

    def options(self, *more: str) -> list[str]:
        """Options of ssh, scp and sftp alike: this user's key, no questions, nothing remembered."""
        chosen = (
            f"IdentityFile={self.folder}/user_key",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "BatchMode=yes",
            *more,
        )
        return ["-F", "none", *(word for option in chosen for word in ("-o", option))]
