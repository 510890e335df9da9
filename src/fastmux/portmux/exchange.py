"""How two ends agree on ports: each opening, each refusal and each end, over the control channel.

Owns: the links of a connection, and what each control message does to them. May not know: the public
interface, how a link carries a channel.

A channel's port, socket and place are free when both ends have said RELEASE, which an end says when
everything of both directions is delivered or given up and nobody there uses the channel; or at once with a
REFUSE of either end. So no end closes a socket that the other still needs an acknowledgement from.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

from fastmux import constants as c
from fastmux.aio.connection import Connection
from fastmux.aio.driver import Driver
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.open_transport import open_transport_on
from fastmux.aio.openers import Openers
from fastmux.exceptions import (
    BrokenResourceError,
    ChannelReset,
    ClosedResourceError,
    ConnectionClosed,
    EndOfStream,
    ProtocolError,
    WouldBlock,
)
from fastmux.portmux import messages as m
from fastmux.portmux.keys import Root, link_ids, link_keys
from fastmux.portmux.ledger import Ledger
from fastmux.portmux.link import PortLink, unreached
from fastmux.portmux.ports import PortPool
from fastmux.portmux.terms import Terms
from fastmux.protocol.events import Address
from fastmux.protocol.handshake import PeerIdentity
from fastmux.protocol.keyed import KeyedConnection, Session

logger = logging.getLogger("fastmux.portmux")


class ExchangeUser(Protocol):
    """Who has the exchange."""

    @property
    def is_closing(self) -> bool:
        """True once this end has begun to close the connection."""
        ...

    def on_incoming(self, link: PortLink) -> None:
        """A channel of the peer's is here."""
        ...

    def on_link_gone(self, link: PortLink) -> None:
        """A link has gone; there may be no more."""
        ...


class Basis(NamedTuple):
    """What an exchange stands on; `greeting` is the peer's."""

    is_client: bool
    root: Root
    peer: PeerIdentity
    terms: Terms
    greeting: m.Hello
    pool: PortPool


class Exchange:
    """One end of the agreement on ports, and the `LinkOwner` of its links.

    Invariant: every channel of `_ledger` has its link in `_links`, or its opener in `_waiting` for an answer,
    or is being opened here this very moment; links that are not in the ledger any more are in neither.
    """

    def __init__(
        self, user: ExchangeUser, control: Connection, channel: MessageChannel, basis: Basis
    ) -> None:
        """Raises `ProtocolError` if the peer's parameters cannot be."""
        is_client, root, peer, terms, greeting, pool = basis
        self._user = user
        self._control = control
        self._channel = channel
        self._is_client = is_client
        self._suite = root.suite
        self._peer = peer
        self._terms = terms
        self._limits = greeting.limits
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        own_limit = min(terms.max_ports, greeting.max_ports)
        self._ledger = Ledger(is_client, root, own_limit, terms.max_ports)
        self._links: dict[int, PortLink] = {}
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._openers = Openers(self._loop)

    @property
    def is_closing(self) -> bool:
        """True once this end has begun to close the connection."""
        return self._user.is_closing

    @property
    def links(self) -> tuple[PortLink, ...]:
        """The links of all channels that are open."""
        return tuple(self._links.values())

    # --- opening ------------------------------------------------------------------------------------

    async def open(self, kind: int, check: Callable[[], None]) -> PortLink:
        """A link for a new channel of this end; waits for a place. `check` raises what forbids it.

        Raises OSError if one of the ends has no port left. Cancelled, nothing is open.
        """
        if self._is_client:
            return await self._ask(kind, check)
        return await self._announce(kind, check)

    async def _ask(self, kind: int, check: Callable[[], None]) -> PortLink:
        """A client asks for a port, and goes there from a port of its own."""

        def attempt() -> tuple[int, bytes, asyncio.Future[int]]:
            check()
            channel_id, secret = self._ledger.open(kind)
            answer: asyncio.Future[int] = self._loop.create_future()
            self._waiting[channel_id] = answer
            self._say(m.Open(channel_id))
            return channel_id, secret, answer

        channel_id, secret, answer = await self._openers.open(attempt)
        try:
            port = await answer
            return await self._make_link(channel_id, secret, self._open_socket(), self._at(port))
        except BaseException as error:
            self._give_up(channel_id, error)
            raise
        finally:
            self._waiting.pop(channel_id, None)

    async def _announce(self, kind: int, check: Callable[[], None]) -> PortLink:
        """A server opens a port, and says where it is."""

        def attempt() -> tuple[int, bytes, socket.socket]:
            check()
            self._ledger.check_room()
            sock = self._open_socket()
            channel_id, secret = self._ledger.open(kind)
            self._say(m.Offer(channel_id, sock.getsockname()[1]))
            return channel_id, secret, sock

        channel_id, secret, sock = await self._openers.open(attempt)
        try:
            return await self._make_link(channel_id, secret, sock, self._at(0))
        except BaseException as error:
            self._give_up(channel_id, error)
            raise

    def _give_up(self, channel_id: int, error: BaseException) -> None:
        """An opening came to nothing."""
        if self._ledger.close(channel_id):
            self._say(m.Refuse(channel_id, c.RESOURCE_LIMIT if isinstance(error, OSError) else c.CANCELLED))
            self._openers.wake()

    def _open_socket(self) -> socket.socket:
        local = self._address("sockname")
        return self._pool.open(socket.AF_INET6 if len(local) == 4 else socket.AF_INET, local)

    def _at(self, port: int) -> Address:
        """That port of the peer's host."""
        host, _, *rest = self._address("peername")
        return (host, port, rest[0], rest[1]) if rest else (host, port)

    def _address(self, name: str) -> Address:
        return cast(Address, self._control.get_extra_info(name))

    async def _make_link(
        self, channel_id: int, secret: bytes, sock: socket.socket, address: Address
    ) -> PortLink:
        """Put a keyed connection on a socket of the pool, which it takes over."""
        port: int = sock.getsockname()[1]
        try:
            transport = await open_transport_on(sock)
        except BaseException:
            self._pool.give_back(port)
            raise
        accepts = None if self._ledger.is_own(channel_id) else channel_id >> 1 & 1
        driver = Driver(transport, self._terms.configuration(accepts, self._control.stats.rtt))
        keys = link_keys(secret, self._suite, self._is_client)
        ids = link_ids(secret, self._suite, self._is_client)
        session = Session(keys, ids, self._limits, self._peer)
        connection = driver.endpoint.add(
            lambda surroundings: KeyedConnection(self._is_client, address, session, surroundings)
        )
        connection.start(driver.clock())
        link = PortLink(self, channel_id, driver, connection, sock)
        self._links[channel_id] = link
        if channel_id not in self._ledger:  # the peer gave it up meanwhile
            del self._links[channel_id]
            link.end(refusal(c.CANCELLED, link.server_port))
        return link

    def get_extra_info(self, name: str, default: object = None) -> object:
        """A fact about the whole; "fastmux.connection" is the connection itself."""
        return self._user if name == "fastmux.connection" else self._control.get_extra_info(name, default)

    def discard(self, link: PortLink) -> None:
        """Nothing was opened on this link, and nothing will be."""
        link.end(ConnectionClosed(c.CANCELLED), discard=True)
        self.fail(link, c.CANCELLED)

    # --- what links tell --------------------------------------------------------------------------------

    def offer(self, link: PortLink) -> None:
        """The peer's channel is here."""
        self._user.on_incoming(link)

    def settle(self, link: PortLink) -> None:
        """Nobody here needs the link any more."""
        self._say(m.Release(link.id))
        if link.peer_settled:
            self._remove(link)

    def fail(self, link: PortLink, code: int) -> None:
        """The link is over by itself."""
        if self._ledger.close(link.id):
            self._say(m.Refuse(link.id, code))
            self._gone(link)

    def give_back(self, link: PortLink) -> None:
        """The link's socket is closed."""
        self._pool.give_back(link.local_port)

    def _remove(self, link: PortLink) -> None:
        self._ledger.close(link.id)
        link.drop()
        self._gone(link)

    def _gone(self, link: PortLink) -> None:
        self._links.pop(link.id, None)
        self._openers.wake()
        self._user.on_link_gone(link)

    # --- what the peer says -------------------------------------------------------------------------------

    async def run(self) -> ConnectionError | None:
        """Take the peer's messages until the control connection ends; give the reason.

        None if this end closed it. The control connection is aborted if the peer breaks a rule.
        """
        try:
            while True:
                message = m.decode(await self._channel.receive())
                await self._take(message)
                if isinstance(message, m.Open | m.Offer):
                    await asyncio.sleep(0)  # sockets that earlier messages freed are closed before the next
        except ClosedResourceError:
            return None
        except ConnectionClosed as error:
            return error
        except (EndOfStream, ChannelReset):
            broken = ProtocolError(c.PROTOCOL_VIOLATION, "the peer ended the control channel")
        except ProtocolError as error:
            broken = error
        self._control.abort(broken.code, broken.reason)
        return ConnectionClosed(broken.code, broken.reason)

    async def _take(self, message: m.Message) -> None:
        match message:
            case m.Open(channel_id) if not self._is_client:
                await self._on_open(channel_id)
            case m.Port(channel_id, port) if self._is_client:
                answer = self._waiting.pop(channel_id, None)
                if answer is not None and not answer.done():
                    answer.set_result(port)
                elif channel_id in self._links:
                    raise ProtocolError(c.PROTOCOL_VIOLATION, f"a second port for channel {channel_id}")
                else:
                    self._check_known(channel_id)
            case m.Offer(channel_id, port) if self._is_client:
                await self._on_offer(channel_id, port)
            case m.Release(channel_id):
                self._on_release(channel_id)
            case m.Refuse(channel_id, code):
                self._on_refuse(channel_id, code)
            case _:
                raise ProtocolError(c.PROTOCOL_VIOLATION, f"{type(message).__name__} is not for this end")

    async def _on_open(self, channel_id: int) -> None:
        secret = self._ledger.accept(channel_id)
        if self.is_closing:
            self._decline(channel_id, c.REFUSED)
            return
        try:
            sock = self._open_socket()
            self._say(m.Port(channel_id, sock.getsockname()[1]))
            await self._make_link(channel_id, secret, sock, self._at(0))
        except OSError as error:
            self._refuse(channel_id, error)

    async def _on_offer(self, channel_id: int, port: int) -> None:
        secret = self._ledger.accept(channel_id)
        if self.is_closing:
            self._decline(channel_id, c.REFUSED)
            return
        try:
            await self._make_link(channel_id, secret, self._open_socket(), self._at(port))
        except OSError as error:
            self._refuse(channel_id, error)

    def _refuse(self, channel_id: int, error: OSError) -> None:
        log = ConnectionLog(self._control.id, logger)
        log.warning("no port for a channel of %r: %s", self._control, error)
        self._decline(channel_id, c.RESOURCE_LIMIT)

    def _decline(self, channel_id: int, code: int) -> None:
        self._ledger.close(channel_id)
        self._say(m.Refuse(channel_id, code))

    def _on_release(self, channel_id: int) -> None:
        link = self._links.get(channel_id)
        if link is None:
            self._check_known(channel_id)
            return
        link.peer_settled = True
        if link.is_settled:
            self._remove(link)

    def _on_refuse(self, channel_id: int, code: int) -> None:
        answer = self._waiting.pop(channel_id, None)
        if answer is not None:
            self._ledger.close(channel_id)
            self._openers.wake()
            if not answer.done():
                answer.set_exception(refused_opening(code))
            return
        link = self._links.get(channel_id)
        if link is None:
            self._check_known(channel_id)
            return
        self._ledger.close(channel_id)
        link.end(refusal(code, link.server_port))
        self._gone(link)

    def _check_known(self, channel_id: int) -> None:
        """What is said of a channel that is over may have been under way; of others it may not be said."""
        if not self._ledger.was_opened(channel_id):
            raise ProtocolError(c.CHANNEL_STATE_ERROR, f"channel {channel_id} was never opened")

    def _say(self, message: m.Message) -> None:
        """Send; a peer that does not take what it asked for is given up."""
        try:
            self._channel.send_nowait(m.encode(message))
        except WouldBlock:
            self._control.abort(c.RESOURCE_LIMIT, "the peer does not read the control channel")
        except BrokenResourceError:
            self._control.abort(c.PROTOCOL_VIOLATION, "the peer ended the control channel")
        except (ConnectionError, ClosedResourceError):
            return  # the end of the control connection says it all

    # --- the end ------------------------------------------------------------------------------------

    def wake_openers(self) -> None:
        """Everybody's attempt to open will raise now."""
        self._openers.wake_all()

    def end(self, error: ConnectionError, *, discard: bool = False) -> None:
        """The connection is over: so is every channel, for the same reason."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)
        self._waiting.clear()
        for link in self.links:
            self._ledger.close(link.id)
            link.end(error, discard=discard)
            self._gone(link)
        self._openers.wake_all()


def refused_opening(code: int) -> Exception:
    """What an opener gets where the peer has no port for it."""
    if code == c.RESOURCE_LIMIT:
        return OSError("the peer has no UDP port left for this channel: close some, or raise its limits")
    return ChannelReset(code)


def refusal(code: int, port: int) -> ConnectionClosed:
    """What a channel ends with that the peer has given up."""
    if code == c.NO_VIABLE_PATH:
        error = unreached(port, "the server got no packet of this channel")
        return ConnectionClosed(code, error.reason, remote=True)
    return ConnectionClosed(code, "" if code == c.NO_ERROR else "the peer gave up the port", remote=True)
