"""Lets a client in, or not, after the time that its source has to wait.

Owns: the order of waiting, checking and waiting again. May not know: how the credentials travelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from fastmux.security.names import printable
from fastmux.tunnel import constants as c
from fastmux.tunnel.forwarding.occasional import OccasionalLog
from fastmux.tunnel.proxies.attempts import Attempts
from fastmux.tunnel.proxies.users import Users

logger = logging.getLogger("fastmux.tunnel.proxies")


class Login:
    """The door of one listener."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = Users(users)
        self._attempts = Attempts()
        self._failures = OccasionalLog(logger, logging.WARNING)
        self._floods = OccasionalLog(logger, logging.WARNING)

    async def check(self, name: bytes, password: bytes, source: str) -> bool:
        """Whether these credentials from this address are right; wrong ones take FAILED_LOGIN_DELAY at least.

        An attempt that is cancelled while it waits counts as failed: whoever hangs up early learns nothing.
        """
        clock = asyncio.get_running_loop().time
        delay = self._attempts.begin(source, clock())
        if delay is None:
            self._floods.add("too many log-ins at once from %s: one was refused unchecked", printable(source))
            await asyncio.sleep(c.FAILED_LOGIN_DELAY)
            return False
        is_right = False
        try:
            if delay:
                await asyncio.sleep(delay)
            is_right = self._users.check(name, password)
        finally:
            self._attempts.end(source, clock(), succeeded=is_right)
        if not is_right:
            shown = printable(name.decode("utf-8", "replace"))
            self._failures.add("wrong name or password for user %s from %s", shown, printable(source))
            await asyncio.sleep(c.FAILED_LOGIN_DELAY)
        return is_right
