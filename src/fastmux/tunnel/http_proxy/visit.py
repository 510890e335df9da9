"""One client's connection to the proxy: request after request, until one is the last.

Owns: what becomes of a request, and whether another may follow. May not know: how heads look, who may reach
what. Nothing that was cut short is shown as whole: then the client's connection is reset, or the stream.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import h11

from fastmux.aio.answers import OpenRefused
from fastmux.exceptions import ClosedResourceError
from fastmux.security.names import printable
from fastmux.tunnel.forwarding.counters import CLOSED, ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.occasional import OccasionalLog
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.splice import splice
from fastmux.tunnel.http_proxy.credentials import login_required, parse_basic
from fastmux.tunnel.http_proxy.errors import RequestRefused, UpstreamFailed
from fastmux.tunnel.http_proxy.exchange import ClientGone, Exchange
from fastmux.tunnel.http_proxy.refusals import bad_gateway, encode_refusal, refusal_for
from fastmux.tunnel.http_proxy.request_reader import RequestReader
from fastmux.tunnel.http_proxy.request_target import Origin, parse_absolute_target, parse_connect_target
from fastmux.tunnel.http_proxy.upstream import Upstream
from fastmux.tunnel.proxies.client_socket import ClientSocket
from fastmux.tunnel.proxies.login import Login

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream

_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ProxyContext:
    """What all clients of a proxy share. Times in seconds; `login` is None where nobody has to log in."""

    outlet: Outlet
    registry: ChannelRegistry
    login: Login | None
    limits: Sequence[RateLimit]
    head_timeout: float
    keep_alive_timeout: float
    refusal_log: OccasionalLog


class Visit:
    """Serves one client.

    Invariant: `_known` is the Proxy-Authorization that this client was let in with last, None before: it is
    not checked again for each request of a connection.
    """

    def __init__(self, context: ProxyContext, client: ClientSocket) -> None:
        self._context = context
        self._client = client
        self._reader = RequestReader()
        self._known: bytes | None = None

    async def run(self) -> None:
        """Answer requests until the connection ends or is handed on. Raises OSError if the client is gone."""
        while True:
            request: h11.Request | None = None
            try:
                request = await self._next_request()
                if request is None:
                    await self._client.close()
                    return
                await self._check_login(request)
                if request.method == b"CONNECT":
                    await self._connect(request)
                    return
                if not await self._forward(request):
                    return
            except RequestRefused as refusal:
                if not await self._refuse(refusal, request):
                    return

    async def _next_request(self) -> h11.Request | None:
        """The next request; None if the client left or rests for too long. Raises RequestRefused."""
        reader = self._reader
        try:
            if not reader.waiting_size:
                async with asyncio.timeout(self._context.keep_alive_timeout):
                    reader.receive(await self._client.receive())
            if not reader.waiting_size:
                return None
        except TimeoutError:
            return None
        try:
            async with asyncio.timeout(self._context.head_timeout):
                while (request := reader.next_request()) is None:
                    data = await self._client.receive()
                    if not data:
                        return None
                    reader.receive(data)
                return request
        except TimeoutError:
            seconds = self._context.head_timeout
            raise RequestRefused(408, f"the request was not complete after {seconds:g} seconds") from None

    async def _check_login(self, request: h11.Request) -> None:
        """Raise RequestRefused unless the client has logged in, or need not."""
        login = self._context.login
        if login is None:
            return
        values = [value for name, value in request.headers if name == b"proxy-authorization"]
        if not values:
            raise login_required("this proxy asks for a user name and a password")
        if len(values) == 1:
            if self._known is not None and hmac.compare_digest(values[0], self._known):
                return
            credentials = parse_basic(values[0])
            if credentials is not None and await login.check(*credentials, self._client.source):
                self._known = values[0]
                return
        raise login_required("the user name or the password is wrong")

    async def _refuse(self, refusal: RequestRefused, request: h11.Request | None) -> bool:
        """Answer with the proxy's own words; returns whether another request may follow.

        None may after a CONNECT: what the client already sent for the tunnel must not be read as requests.
        None may after a 400: whoever says what cannot be may mean something else by the rest, too.
        """
        is_clear = request is not None and request.method != b"CONNECT" and refusal.status != 400
        may_go_on = is_clear and self._reader.may_go_on
        if request is None or refusal.status in (400, 407):  # others are in the registry
            source = printable(self._client.source)
            self._context.refusal_log.add("a request from %s was refused with %s", source, refusal)
        is_head = request is not None and request.method == b"HEAD"
        await self._client.send(encode_refusal(refusal, is_head=is_head, is_last=not may_go_on))
        if not may_go_on:
            await self._client.linger()
        return may_go_on

    # CONNECT

    async def _connect(self, request: h11.Request) -> None:
        """Join the client with its target. Raises RequestRefused."""
        if not self._reader.is_body_read or any(name == b"transfer-encoding" for name, _ in request.headers):
            raise RequestRefused(400, "a CONNECT has no body")
        origin = parse_connect_target(request.target)
        context = self._context
        record = context.registry.open(context.outlet.identity, "http", str(origin), "out")
        outcome = "cancelled"
        try:
            stream = await self._open(origin)
            try:
                await self._client.send(_ESTABLISHED)
            except BaseException:
                stream.reset()
                raise
            outcome = await self._splice(stream, record)
        except (RequestRefused, OSError) as error:
            outcome = str(error)
            raise
        finally:
            context.registry.close(record, outcome)

    async def _splice(self, stream: Stream, record: ChannelRecord) -> str:
        """Hand the client's connection over; returns how it ended."""
        try:
            end, received = await self._client.take()
        except BaseException:
            stream.reset()
            raise
        early = self._reader.take_rest() + received
        return await splice(stream, end, record, self._context.limits, early=early)

    async def _open(self, origin: Origin) -> Stream:
        """A stream to the origin. Raises RequestRefused."""
        try:
            return await self._context.outlet.open_tcp(origin.host, origin.port)
        except (OpenRefused, OSError, ClosedResourceError) as error:
            raise refusal_for(error, origin) from error

    # absolute-form requests

    async def _forward(self, request: h11.Request) -> bool:
        """Answer from the origin; returns whether another request may follow. Raises RequestRefused."""
        origin, path = parse_absolute_target(request.method, request.target)
        context = self._context
        record = context.registry.open(context.outlet.identity, "http", str(origin), "out")
        outcome = "cancelled"
        try:
            stream = await self._open(origin)
            exchange = Exchange(self._client, self._reader, request, origin, path)
            outcome = await self._exchange(exchange, stream, record)
        except (RequestRefused, OSError) as error:
            outcome = str(error)
            raise
        finally:
            context.registry.close(record, outcome)
        return not exchange.is_switched and outcome == CLOSED and await self._settle()

    async def _exchange(self, exchange: Exchange, stream: Stream, record: ChannelRecord) -> str:
        """Run it; returns how it ended. Raises RequestRefused while the client can still be told."""
        upstream = Upstream(stream, record, self._context.limits)
        try:
            await exchange.run(upstream)
            if exchange.is_switched:
                return await self._splice(stream, record)
            if exchange.is_sent:
                await stream.aclose()
            else:
                stream.reset()
            return CLOSED
        except ClientGone as error:
            stream.reset()
            return str(error)
        except (RequestRefused, UpstreamFailed) as error:
            stream.reset()
            if exchange.has_begun:
                await self._client.reset()
                return str(error)
            if isinstance(error, UpstreamFailed):
                raise bad_gateway(error, exchange.origin) from error
            raise
        except BaseException:
            stream.reset()
            raise

    async def _settle(self) -> bool:
        """After a whole answer: go on, or end the connection if that was said or the request is not over."""
        if self._reader.may_go_on and self._reader.exchange.our_state is h11.DONE:
            return True
        await self._client.linger()
        return False
