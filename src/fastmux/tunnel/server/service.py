"""What `serve` does with each connection, and with all of them at a reload or at the end.

Owns: the connections that passed the access check, and their shares of the bandwidth. May not know: sockets,
signals, processes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastmux.security.peer_names import name_of
from fastmux.tunnel import constants as c
from fastmux.tunnel.access.access import AccessDenied
from fastmux.tunnel.control import status
from fastmux.tunnel.forwarding.occasional import OccasionalLog
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.operation.exposition import Family
from fastmux.tunnel.operation.metrics import (
    MeteredRegistry,
    PacketCounters,
    channel_families,
    connection_families,
)
from fastmux.tunnel.server.reviewed_exit import ReviewedExit

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection
    from fastmux.tunnel.settings.settings import Policy

logger = logging.getLogger("fastmux.tunnel.service")


@dataclass(frozen=True, slots=True, eq=False)
class _Session:
    identity: str
    connection: Connection
    exit: ReviewedExit
    opened_at: float


@dataclass(slots=True)
class _Share:
    """The bandwidth of one identity, and how many connections share it."""

    limit: RateLimit
    count: int = 0


class Service:
    """Serves the connections of one process. Give `handle` to `fastmux.listen`.

    Invariant: `_sessions` are the connections whose exit runs; `_shares` has an identity as long as one of
    its connections is among them, if there is a limit per identity.
    """

    def __init__(self, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = MeteredRegistry(clock=clock)
        self.policy = policy
        self._clock = clock
        self._packets = PacketCounters()
        self._sessions: set[_Session] = set()
        self._shares: dict[str, _Share] = {}
        self._total = RateLimit(policy.limit, clock=clock) if policy.limit else None
        self._refusals = OccasionalLog(logger, logging.WARNING)
        self._is_draining = False

    async def handle(self, connection: Connection) -> None:
        """Serve one connection until it is over."""
        identity = name_of(connection.peer)
        try:
            self.policy.access.check_identity(connection.peer)
        except AccessDenied as denied:
            self._refusals.add("refused: %s", denied)
            connection.abort(c.ACCESS_DENIED, denied.peer_text)
            return
        share = self._take_share(identity)
        own = None if share is None else share.limit
        limits = [limit for limit in (self._total, own) if limit is not None]
        exit_ = ReviewedExit(
            connection, self.policy.access, self.registry, limits, max_sockets=self.policy.max_sockets
        )
        session = _Session(identity, connection, exit_, self._clock())
        self._sessions.add(session)
        peer = status.address_text(connection.get_extra_info("peername"))
        logger.info("%s is connected from %s", identity, peer)
        try:
            if self._is_draining:
                exit_.drain()
            await exit_.run()
        finally:
            self._sessions.discard(session)
            self._packets.end(connection.stats)
            self._release_share(identity, share)
            logger.info("%s from %s is gone after %.0f s", identity, peer, self._clock() - session.opened_at)

    # --- bandwidth ------------------------------------------------------------------------------------

    def _take_share(self, identity: str) -> _Share | None:
        """The bandwidth of an identity, for one more of its connections; None if it is not limited."""
        rate = self.policy.limit_per_identity
        if not rate:
            return None
        share = self._shares.get(identity)
        if share is None:
            share = self._shares[identity] = _Share(RateLimit(rate, clock=self._clock))
        share.count += 1
        return share

    def _release_share(self, identity: str, share: _Share | None) -> None:
        if share is None:
            return
        share.count -= 1
        if not share.count and self._shares.get(identity) is share:
            del self._shares[identity]

    # --- reload and end -------------------------------------------------------------------------------

    async def apply(self, policy: Policy) -> str:
        """From now on this policy holds, for open connections and channels too; returns what that ended.

        New rates hold at once where there was a rate before, elsewhere for new connections.
        """
        self.policy = policy
        if self._total is not None and policy.limit:
            self._total.bytes_per_second = policy.limit
        else:
            self._total = RateLimit(policy.limit, clock=self._clock) if policy.limit else None
        if policy.limit_per_identity:
            for share in self._shares.values():
                share.limit.bytes_per_second = policy.limit_per_identity
        ended = 0
        remaining = []
        for session in list(self._sessions):
            try:
                policy.access.check_identity(session.connection.peer)
            except AccessDenied as denied:
                logger.warning("ended by the new rules: %s", denied)
                session.connection.abort(c.ACCESS_DENIED, denied.peer_text)
                ended += 1
            else:
                remaining.append(session)
        reviews = (session.exit.review(policy.access) for session in remaining)
        channels = sum(await asyncio.gather(*reviews))
        return f"{ended} connections and {channels} channels ended by the new rules"

    def stop(self) -> None:
        """Cut off what is open."""
        for session in list(self._sessions):
            session.connection.abort(c.GOING_AWAY, "the server is going away")

    def drain(self) -> None:
        """Let what is open finish; each connection closes after its last channel."""
        self._is_draining = True
        for session in list(self._sessions):
            session.exit.drain()

    # --- being watched --------------------------------------------------------------------------------

    def status(self) -> status.Fields:
        """Connections, channels and identities."""
        now = self._clock()
        rows = (
            status.connection_fields(each.identity, each.connection, now - each.opened_at)
            for each in self._sessions
        )
        return status.limited(rows) | status.channel_fields(self.registry)

    def families(self) -> list[Family]:
        """The metrics."""
        sessions = [(each.identity, each.connection) for each in self._sessions]
        return [
            *connection_families(self.registry.labels, sessions),
            *channel_families(self.registry),
            *self._packets.families(connection.stats for _, connection in sessions),
        ]
