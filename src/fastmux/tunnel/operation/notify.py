"""What systemd is told: readiness, reloading, stopping, and that we are alive (sd_notify(3)).

Owns: the datagrams to $NOTIFY_SOCKET. May not know: what the service does. Without that variable, or on a
system without Unix sockets, nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

logger = logging.getLogger("fastmux.tunnel.notify")


class Notifier:
    """Sends states to the service manager; a failure to send is logged and otherwise without effect."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        pid = environment.get("WATCHDOG_PID")
        is_ours = pid is None or pid == str(os.getpid())
        interval = environment.get("WATCHDOG_USEC", "") if is_ours else ""
        self._watchdog_interval = int(interval) / 2e6 if interval.isdecimal() else None

    @property
    def watchdog_interval(self) -> float | None:
        """Seconds between calls of `watchdog`: half of what is allowed; None if nobody watches."""
        return self._watchdog_interval if self._address else None

    def ready(self, status: str = "") -> None:
        """Start-up, or a reload, is done; `status` is one line about it."""
        self._send("READY=1" + (f"\nSTATUS={status}" if status else ""))

    def reloading(self) -> None:
        """A reload begins (`Type=notify-reload` wants the time too)."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The service is ending."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """The service is alive."""
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.sendto(state.encode(), address)
        except OSError as error:
            logger.warning("the service manager cannot be told %r: %s", state.partition("\n")[0], error)
