"""The SOCKS5 listener: negotiates with each client and joins it to the tunnel.

Owns: what becomes of a request. May not know: how messages look. It resolves no name: the exit does (H52).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from fastmux.aio.answers import OpenRefused
from fastmux.exceptions import ClosedResourceError
from fastmux.security.names import printable
from fastmux.tunnel import constants as c
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.occasional import OccasionalLog
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.forwarding.splice import splice
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.proxies.client_socket import ClientSocket
from fastmux.tunnel.proxies.listener import ProxyListener
from fastmux.tunnel.proxies.login import Login
from fastmux.tunnel.socks.association import Association
from fastmux.tunnel.socks.errors import SocksError
from fastmux.tunnel.socks.negotiation import (
    Command,
    Credentials,
    MethodChosen,
    Negotiation,
    Reply,
    Request,
    encode_reply,
)
from fastmux.tunnel.socks.refusals import reply_for

logger = logging.getLogger("fastmux.tunnel.socks")


class SocksServer(ProxyListener):
    """A SOCKS5 proxy: CONNECT and UDP ASSOCIATE through `outlet`, BIND refused.

    With `users` (name to password) every client must log in; None lets in whoever reaches the port.
    """

    def __init__(
        self,
        bind: Target,
        outlet: Outlet,
        registry: ChannelRegistry,
        *,
        users: Mapping[str, str] | None = None,
        max_connections: int = c.MAX_FORWARD_CONNECTIONS,
        negotiation_timeout: float = c.NEGOTIATION_TIMEOUT,
    ) -> None:
        """Raises ValueError for a `bind` that is not TCP, or users that cannot be."""
        super().__init__(bind, max_connections=max_connections)
        self._outlet = outlet
        self._registry = registry
        self._login = None if users is None else Login(users)
        self._limits = outlet.limits
        self._negotiation_timeout = negotiation_timeout
        self._refused = OccasionalLog(logger, logging.INFO)
        self._failed = OccasionalLog(logger, logging.ERROR)

    async def serve_client(self, client: ClientSocket) -> None:
        """Negotiate, then do what is asked for until it ends."""
        negotiation = Negotiation(needs_password=self._login is not None)
        try:
            async with asyncio.timeout(self._negotiation_timeout):
                request = await self._negotiate(client, negotiation)
        except TimeoutError:
            logger.debug("%s did not finish its request in %g s", client.source, self._negotiation_timeout)
            return
        except SocksError as error:
            self._refused.add("a client from %s was refused: %s", printable(client.source), error)
            await self._turn_away(client, error.reply)
            return
        if request is None:
            await client.close()
        elif request.command is Command.CONNECT:
            await self._connect(client, request, negotiation.take_early())
        else:
            await self._associate(client)

    async def _negotiate(self, client: ClientSocket, negotiation: Negotiation) -> Request | None:
        """The client's request, None if it left. Raises SocksError."""
        while True:
            match negotiation.next_event():
                case None:
                    data = await client.receive(c.SOCKS_RECEIVE_SIZE)
                    if not data:
                        return None
                    negotiation.receive(data)
                case MethodChosen(reply):
                    await client.send(reply)
                case Credentials(name, password):
                    is_right = self._login is not None and await self._login.check(
                        name, password, client.source
                    )
                    reply = negotiation.settle_login(is_right)
                    if not is_right:
                        raise SocksError("the name or the password is wrong", reply)
                    await client.send(reply)
                case Request() as request:
                    return request

    async def _turn_away(self, client: ClientSocket, reply: bytes) -> None:
        if reply:
            await client.send(reply)
        await client.linger()

    async def _connect(self, client: ClientSocket, request: Request, early: bytes) -> None:
        address = request.address
        record = self._registry.open(self._outlet.identity, "socks5", str(address), "out")
        outcome = "cancelled"
        try:
            try:
                stream = await self._outlet.open_tcp(address.host, address.port)
            except (OpenRefused, OSError, ClosedResourceError) as error:
                outcome = str(error) or type(error).__name__
                await self._turn_away(client, encode_reply(reply_for(error)))
                return
            try:
                await client.send(encode_reply(Reply.SUCCEEDED))
                end, received = await client.take()
            except BaseException:
                stream.reset()
                raise
            outcome = await splice(stream, end, record, self._limits, early=early + received)
        finally:
            self._registry.close(record, outcome)

    async def _associate(self, client: ClientSocket) -> None:
        try:
            association = Association(
                client.local_host, client.source, self._outlet, self._registry, self._limits
            )
        except OSError as error:
            self._failed.add("no UDP socket at %s for a client: %s", client.local_host, error)
            await self._turn_away(client, encode_reply(Reply.GENERAL_FAILURE))
            return
        running = asyncio.create_task(association.run())
        try:
            await client.send(encode_reply(Reply.SUCCEEDED, association.bound))
            while await client.receive(c.SOCKS_RECEIVE_SIZE):
                continue  # nothing is said here any more; its end is what counts
            await client.close()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
