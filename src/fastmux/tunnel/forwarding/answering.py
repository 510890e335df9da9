"""The acceptor's side of a channel: says how it went, carries what it is for, and counts.

Owns: that every accepted channel has one answer and one record. May not know: who may do what, how a socket
is made.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from fastmux import constants as c
from fastmux.aio.answers import AnswerCode, OpenRefused, encode_answer
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream
from fastmux.exceptions import BrokenResourceError, ClosedResourceError
from fastmux.tunnel.access.access import AccessDenied
from fastmux.tunnel.forwarding.carry import CANCELLED
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.dialing import refusal_of
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.socket_end import reset_socket
from fastmux.tunnel.forwarding.splice import outcome_of, splice
from fastmux.tunnel.forwarding.udp_relay import relay_datagrams

AnyChannel: TypeAlias = Stream | MessageChannel


async def answer(
    channel: AnyChannel,
    serve: Callable[[], Awaitable[str]],
    record: ChannelRecord,
    registry: ChannelRegistry,
) -> None:
    """Run `serve()`, which returns the channel's outcome, and close `record` with it.

    What it raises before it answered is the answer: `OpenRefused`, `AccessDenied` or OSError; on a message
    channel, which has no answers, a reset with code REFUSED.
    """
    outcome = CANCELLED
    try:
        outcome = await serve()
    except (OpenRefused, AccessDenied, OSError) as error:
        refusal = _as_refusal(error)
        outcome = f"refused: {error if isinstance(error, AccessDenied) else refusal}"
        await _refuse(channel, refusal)
    finally:
        registry.close(record, outcome)


async def carry_dialled(
    channel: AnyChannel, sock: socket.socket, record: ChannelRecord, limits: Sequence[RateLimit]
) -> str:
    """Say that `sock` is connected, carry between it and the channel, and return the outcome.

    A message channel takes a UDP socket, a stream any other; the socket is taken over.
    """
    if isinstance(channel, MessageChannel):
        return await relay_datagrams(channel, sock, record, limits)
    try:
        await channel.send(encode_answer(AnswerCode.CONNECTED))
    except BaseException as error:
        reset_socket(sock)
        channel.reset(c.CANCELLED)
        if isinstance(error, (OSError, BrokenResourceError, ClosedResourceError)):
            return outcome_of(error)
        raise
    return await splice(channel, sock, record, limits)


def _as_refusal(error: OpenRefused | AccessDenied | OSError) -> OpenRefused:
    if isinstance(error, OpenRefused):
        return error
    if isinstance(error, AccessDenied):
        return OpenRefused(AnswerCode.NOT_ALLOWED, error.peer_text)
    return OpenRefused(*refusal_of(error))


async def _refuse(channel: AnyChannel, refusal: OpenRefused) -> None:
    """Tell the far end, which may be gone by now."""
    if isinstance(channel, MessageChannel):
        channel.reset(c.REFUSED)
        return
    try:
        await channel.send(encode_answer(refusal.code, refusal.text))
        await channel.aclose()
    except (OSError, BrokenResourceError, ClosedResourceError):
        channel.reset(c.CANCELLED)
