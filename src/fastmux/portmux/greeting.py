"""The greeting on the control channel: each end says once what it is ready to do.

Owns: that exchange and what it is refused for. May not know: what follows.
"""

from __future__ import annotations

from fastmux import constants as c
from fastmux.aio.message_channel import MessageChannel
from fastmux.exceptions import MessageTooBig, ProtocolError
from fastmux.portmux.messages import Hello, decode, encode
from fastmux.portmux.terms import Terms
from fastmux.protocol.parameters import decode_parameters


async def greet(channel: MessageChannel, terms: Terms) -> Hello:
    """Say HELLO and give the peer's. Raises `ProtocolError`, and what `send` and `receive` raise."""
    try:
        await channel.send(encode(terms.hello()))
    except MessageTooBig as error:
        raise ProtocolError(c.PROTOCOL_VIOLATION, f"the peer does not take a greeting: {error}") from None
    greeting = decode(await channel.receive())
    if not isinstance(greeting, Hello):
        raise ProtocolError(c.PROTOCOL_VIOLATION, "the peer did not greet")
    if greeting.version != c.PORTMUX_VERSION:
        raise ProtocolError(
            c.PROTOCOL_VIOLATION,
            f"the peer multiplexes by port in version {greeting.version}, this end in {c.PORTMUX_VERSION}",
        )
    decode_parameters(greeting.parameters)  # raises
    return greeting
