"""A UDP relay beside which somebody copies: each datagram reaches the server from his address first.

Owns: his socket, and what it sent and got. May not know: what the datagrams mean.
"""

from __future__ import annotations

import asyncio
from typing import Any

from e2e.moving_relay import MovingRelay
from e2e.recording_relay import make_socket


class CopyingRelay(MovingRelay):
    """As `MovingRelay`; while `is_copying`, copies of what goes to the server arrive before the originals."""

    def __init__(self, server_port: int) -> None:
        super().__init__(server_port)
        self._copier = make_socket()
        self.is_copying = False
        self.copied_size = 0
        self.answered_size = 0

    def __enter__(self) -> CopyingRelay:
        super().__enter__()
        asyncio.get_running_loop().add_reader(self._copier, self._take_answer)
        return self

    def __exit__(self, *arguments: object) -> None:
        asyncio.get_running_loop().remove_reader(self._copier)
        self._copier.close()
        super().__exit__(*arguments)

    def carry(self, datagram: bytes, server: Any) -> None:
        """Send a datagram on, after its copy."""
        if self.is_copying:
            self._copier.sendto(datagram, server)
            self.copied_size += len(datagram)
        super().carry(datagram, server)

    def _take_answer(self) -> None:
        self.answered_size += len(self._copier.recv(65536))
