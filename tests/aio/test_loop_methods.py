"""`create_connection` and `create_server`, called as a program for TCP would."""

from __future__ import annotations

import asyncio
import socket

import pytest

from aio.pair import pair
from aio.recording_protocol import Recording
from aio.virtual_loop import settle, virtual
from fastmux.aio.answers import AnswerCode, encode_answer
from fastmux.aio.stream import Stream
from fastmux.exceptions import ConnectionClosed


class Echo(asyncio.Protocol):
    """The echo server of asyncio's documentation, unchanged."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()


@virtual
async def test_a_protocol_written_for_tcp_runs_unchanged_both_ways() -> None:
    async with pair() as ends:
        for near, far in ((ends.client, ends.server), (ends.server, ends.client)):
            async with await far.create_server(Echo, "127.0.0.1", 8888):
                transport, protocol = await near.create_connection(Recording, "127.0.0.1", 8888)
                assert protocol.transport is transport
                transport.write(b"Hello World!")
                await protocol.lost.wait()
                assert protocol.data == b"Hello World!"
                assert protocol.error is None


@virtual
async def test_the_answer_of_a_tunnels_exit_is_understood() -> None:
    async with pair() as ends:
        connecting = asyncio.create_task(ends.client.create_connection(Recording, "::1", 22))
        stream = await ends.server.accept()
        assert isinstance(stream, Stream)
        assert stream.label == "fastmux:tcp:[::1]:22"
        await stream.send(encode_answer(AnswerCode.CONNECTED, "[::1]:22") + b"SSH-2.0")
        transport, protocol = await connecting
        assert await protocol.until(7) == b"SSH-2.0"
        transport.close()
        await stream.aclose()


@virtual
async def test_the_refusal_of_a_tunnels_exit_is_the_error_of_a_socket() -> None:
    async with pair() as ends:
        for code, kind in (
            (AnswerCode.CONNECTION_REFUSED, ConnectionRefusedError),
            (AnswerCode.NOT_ALLOWED, PermissionError),
            (AnswerCode.NAME_NOT_FOUND, socket.gaierror),
        ):
            connecting = asyncio.create_task(ends.client.create_connection(Recording, "host", 22))
            stream = await ends.server.accept()
            assert isinstance(stream, Stream)
            await stream.send(encode_answer(code, "no"))
            await stream.aclose()
            with pytest.raises(kind, match="no"):
                await connecting
        await asyncio.sleep(1)
        assert ends.client.stats.channel_count == 0


@virtual
async def test_a_label_of_ones_own_waits_for_no_answer() -> None:
    async with pair() as ends:
        transport, protocol = await ends.client.create_connection(Recording, label="chat", priority=3)
        stream = await ends.server.accept()
        assert isinstance(stream, Stream)
        assert (stream.label, stream.priority) == ("chat", 3)
        await stream.send(b"hi")
        assert await protocol.until(2) == b"hi"
        transport.close()
        await stream.aclose()


@virtual
async def test_places_that_cannot_be_are_refused_here() -> None:
    async with pair() as ends:
        with pytest.raises(ValueError, match="host is missing"):
            await ends.client.create_connection(Recording)
        with pytest.raises(ValueError, match="not both"):
            await ends.client.create_connection(Recording, "host", 22, label="chat")
        with pytest.raises(ValueError, match="port is"):
            await ends.client.create_connection(Recording, "host", 70000)
        with pytest.raises(ValueError, match="port is"):
            await ends.client.create_server(Recording, "host", 70000)
        with pytest.raises(ValueError, match="255 bytes"):
            await ends.client.create_connection(Recording, "h" * 250, 22)


@virtual
async def test_a_connect_that_is_cancelled_or_cut_off_leaves_no_stream() -> None:
    async with pair() as ends:
        connecting = asyncio.create_task(ends.client.create_connection(Recording, "host", 22))
        stream = await ends.server.accept()
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        await stream.aclose()
        await asyncio.sleep(1)
        assert ends.client.stats.channel_count == 0
        connecting = asyncio.create_task(ends.client.create_connection(Recording, "host", 22))
        await settle()
        ends.server.abort(8, "away")
        with pytest.raises(ConnectionClosed, match="away"):
            await connecting


@virtual
async def test_a_factory_that_fails_leaves_no_stream() -> None:
    def factory() -> Recording:
        raise KeyError

    async with pair() as ends:
        with pytest.raises(KeyError):
            await ends.client.create_connection(factory, label="chat")
        stream = await ends.server.accept()
        await stream.aclose()
        await asyncio.sleep(1)
        assert ends.client.stats.channel_count == 0
