"""The HTTP proxy listener.

Owns: what it is made of, and what all its clients share. May not know: what is said to one of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastmux.tunnel import constants as c
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.occasional import OccasionalLog
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.http_proxy.visit import ProxyContext, Visit
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.proxies.client_socket import ClientSocket
from fastmux.tunnel.proxies.listener import ProxyListener
from fastmux.tunnel.proxies.login import Login

logger = logging.getLogger("fastmux.tunnel.http_proxy")


class HttpProxy(ProxyListener):
    """An HTTP/1.1 proxy: CONNECT and absolute-form requests through `outlet`.

    With `users` (name to password) every client must log in; None lets in whoever reaches the port. What may
    be reached is decided by the exit's rules alone, CONNECT's ports too (H48): 443 only is said there.
    """

    def __init__(
        self,
        bind: Target,
        outlet: Outlet,
        registry: ChannelRegistry,
        *,
        users: Mapping[str, str] | None = None,
        max_connections: int = c.MAX_FORWARD_CONNECTIONS,
        head_timeout: float = c.NEGOTIATION_TIMEOUT,
        keep_alive_timeout: float = c.KEEP_ALIVE_TIMEOUT,
    ) -> None:
        """Raises ValueError for a `bind` that is not TCP, or users that cannot be."""
        super().__init__(bind, max_connections=max_connections)
        self._context = ProxyContext(
            outlet=outlet,
            registry=registry,
            login=None if users is None else Login(users),
            limits=outlet.limits,
            head_timeout=head_timeout,
            keep_alive_timeout=keep_alive_timeout,
            refusal_log=OccasionalLog(logger, logging.INFO),
        )

    async def serve_client(self, client: ClientSocket) -> None:
        """Answer the client's requests one after the other."""
        await Visit(self._context, client).run()
