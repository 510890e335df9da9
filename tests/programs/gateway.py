"""`fastmux serve` on loopback and `fastmux tunnel` to it, as processes.

Owns: their command lines. May not know: what goes through them.
"""

from __future__ import annotations

import socket
from pathlib import Path

from programs.processes import FASTMUX, Programs, Running, free_port


class Gateway:
    """One server's port and the credentials on both sides."""

    def __init__(self, programs: Programs, credentials: Path) -> None:
        self.programs = programs
        self.credentials = credentials
        self.port = free_port(socket.SOCK_DGRAM)

    @property
    def address(self) -> str:
        """Where the server is."""
        return f"127.0.0.1:{self.port}"

    def files(self, role: str) -> tuple[str | Path, ...]:
        """The options that name a role's credentials."""
        folder = self.credentials
        return ("--cert", folder / f"{role}.pem", "--key", folder / f"{role}.key", "--ca", folder / "ca.pem")

    def serve(self, *options: str | Path, rules: tuple[str, ...] = ("*=127.0.0.1:*",)) -> Running:
        """Start the server and wait until it is ready."""
        allowed = [word for rule in rules for word in ("--allow", rule)]
        command = [*FASTMUX, "serve", "-l", self.address, *self.files("server"), *allowed, *options]
        return self.programs.start("serve", command, is_notifying=True)

    def tunnel(self, *options: str | Path, port: int | None = None, role: str = "client") -> Running:
        """Start a client with some forwards and wait until its listeners are open."""
        address = f"127.0.0.1:{port or self.port}"
        command = [*FASTMUX, "tunnel", address, *self.files(role), *options]
        return self.programs.start("tunnel", command, is_notifying=True)

    def proxy_command(self) -> str:
        """What ssh's ProxyCommand is, for ssh itself to fill in host and port."""
        words = [*FASTMUX, "connect", self.address, *self.files("client"), "%h:%p"]
        return " ".join(map(str, words))
