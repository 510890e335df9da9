"""One absolute-form request and its answer, both streamed as they come.

Owns: what happens when one of the two sides fails, stops early or has gone. May not know: who the client is,
how the stream was opened.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import h11

from fastmux.tunnel import constants as c
from fastmux.tunnel.http_proxy.errors import UpstreamFailed
from fastmux.tunnel.http_proxy.fields import request_fields, response_fields, upgrade_of
from fastmux.tunnel.http_proxy.request_reader import RequestReader
from fastmux.tunnel.http_proxy.request_target import Origin
from fastmux.tunnel.http_proxy.upstream import AnyResponse, Upstream
from fastmux.tunnel.proxies.client_socket import ClientSocket


class ClientGone(Exception):
    """The client ended its connection before it had the whole answer."""


@dataclass(slots=True)
class Exchange:
    """Answers `request`, whose head is read, from its origin.

    Invariant: `has_begun` is True from the first byte of a final answer on; no other answer may be sent then.
    `is_switched` is True once the answer was 101: what comes on both sides is no HTTP any more. `is_sent` is
    True once the origin has the whole request.
    """

    client: ClientSocket
    reader: RequestReader
    request: h11.Request
    origin: Origin
    path: bytes
    has_begun: bool = False
    is_switched: bool = False
    is_sent: bool = False

    async def run(self, upstream: Upstream) -> None:
        """Carry both ways until the answer is out.

        Raises RequestRefused for a bad body and UpstreamFailed, both of which can only be told to the client
        while not `has_begun`; ClientGone, and OSError for the client's socket. Cancelled, no task is left.
        """
        upgrade = self._upgrade()
        await upstream.send(self._request(upgrade))
        upload = asyncio.create_task(self._upload(upstream, is_watched=upgrade is None))
        download = asyncio.create_task(self._download(upstream))
        try:
            await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
            if upload.done() and not download.done():
                # An origin that reads no further may still say why (RFC 9112 §9.5): then its answer counts.
                with suppress(UpstreamFailed):
                    upload.result()
            await download
        finally:
            upload.cancel()
            download.cancel()
            await asyncio.gather(upload, download, return_exceptions=True)

    def _upgrade(self) -> bytes | None:
        """The protocols to switch to. Only a request without a body may ask: its end is where they begin."""
        request = self.request
        if request.method != b"GET" or request.http_version != b"1.1" or not self.reader.is_body_read:
            return None
        return upgrade_of(request.headers.raw_items())

    def _request(self, upgrade: bytes | None) -> h11.Request:
        fields = request_fields(self.request.headers.raw_items(), self.origin, upgrade)
        return h11.Request(method=self.request.method, target=self.path, headers=fields)

    # the client's side

    async def _upload(self, upstream: Upstream, *, is_watched: bool) -> None:
        """Pass the body on, then wait for the client to leave; returns if too much is pipelined to tell."""
        reader = self.reader
        while (data := reader.next_body()) != b"":
            if data is None:
                received = await self.client.receive()
                if not received:
                    raise ClientGone("the client ended its connection inside its request")
                reader.receive(received)
            else:
                await upstream.send(h11.Data(data=data))
        await upstream.send(h11.EndOfMessage())
        self.is_sent = True
        # A client that sends nothing after its request says nothing by that; one that ends does not wait.
        while is_watched and reader.waiting_size < c.MAX_PIPELINED_SIZE:
            received = await self.client.watch()
            if not received:
                raise ClientGone("the client ended its connection before it had its answer")
            reader.receive(received)

    # the origin's side

    async def _download(self, upstream: Upstream) -> None:
        while True:
            event = await upstream.receive()
            match event:
                case h11.InformationalResponse(status_code=101):
                    await self._switch(event, upstream)
                    return
                case h11.InformationalResponse():
                    if self.request.http_version == b"1.1":  # an older client would not understand it
                        await self._respond(event)
                case h11.Response():
                    if event.status_code == 407:
                        raise UpstreamFailed("it answered 407, and only a proxy may ask for a login so")
                    await self._respond(event)
                case h11.Data():
                    await self._send(h11.Data(data=bytes(event.data)))
                case h11.EndOfMessage():
                    await self._send(h11.EndOfMessage())
                    return

    async def _switch(self, response: h11.InformationalResponse, upstream: Upstream) -> None:
        upgrade = upgrade_of(response.headers.raw_items())
        if upgrade is None:
            raise UpstreamFailed("it switches to another protocol and does not say to which")
        self.is_switched = True
        await self._respond(response, upgrade)
        await self.client.send(upstream.take_rest())

    async def _respond(self, response: AnyResponse, upgrade: bytes | None = None) -> None:
        status = response.status_code
        fields = response_fields(response.headers.raw_items(), status, upgrade)
        await self._send(type(response)(status_code=status, reason=response.reason, headers=fields))

    async def _send(self, event: AnyResponse | h11.Data | h11.EndOfMessage) -> None:
        try:
            data = self.reader.exchange.send(event) or b""
        except h11.LocalProtocolError as error:
            raise UpstreamFailed(f"its answer cannot be passed on: {error}") from error
        self.has_begun = self.has_begun or self.is_switched or isinstance(event, h11.Response)
        if data:
            await self.client.send(data)
