"""A protocol written for TCP cannot tell a stream's transport from a socket's, but for the better."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Unpack, cast

import pytest

from aio.pair import Pair, pair
from aio.recording_protocol import Recording, RecordingBuffered
from aio.virtual_loop import settle, virtual
from fastmux import constants as c
from fastmux.aio.settings import Settings
from fastmux.aio.stream import Stream
from fastmux.aio.stream_transport import StreamTransport
from fastmux.exceptions import BusyResourceError, ChannelReset, ConnectionClosed, EndOfStream
from fastmux.security.certificates import make_credentials

SMALL: Settings = {"write_limit": 10_000, "channel_window": 65536, "max_channel_window": 65536}


def start(stream: Stream, protocol: asyncio.BaseProtocol) -> StreamTransport:
    transport = StreamTransport(stream, protocol)
    transport.start()
    return transport


@asynccontextmanager
async def one_end(
    protocol: asyncio.BaseProtocol, **settings: Unpack[Settings]
) -> AsyncIterator[tuple[StreamTransport, Stream, Pair]]:
    """A transport and the stream at its other end."""
    async with pair(**settings) as ends:
        mine, theirs = await ends.stream("here")
        yield start(mine, protocol), theirs, ends
        await theirs.aclose()
        await settle()


@contextmanager
def complaints() -> Iterator[list[dict[str, Any]]]:
    """What the running loop's exception handler is told."""
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    yield told
    loop.set_exception_handler(None)


async def read_all(stream: Stream) -> bytes:
    return b"".join([chunk async for chunk in stream])


# --- reading ----------------------------------------------------------------------------------------


@virtual
async def test_data_reaches_the_protocol_and_the_end_closes_the_transport() -> None:
    protocol = Recording()
    async with one_end(protocol) as (transport, peer, _):
        await peer.send(b"hello ")
        await peer.send(b"world")
        assert await protocol.until(11) == b"hello world"
        await peer.send_eof()
        await protocol.lost.wait()
        assert protocol.calls == ["connection_made", "eof_received", "connection_lost"]
        assert protocol.error is None
        assert transport.is_closing()
        assert await read_all(peer) == b""


@virtual
async def test_a_protocol_that_keeps_open_writes_after_the_peers_end() -> None:
    protocol = Recording(keeps_open=True)
    async with one_end(protocol) as (transport, peer, _):
        await peer.send(b"question")
        await peer.send_eof()
        await protocol.at_end.wait()
        transport.write(b"answer to " + protocol.data)
        transport.close()
        await protocol.lost.wait()
        assert protocol.error is None
        assert await read_all(peer) == b"answer to question"


@virtual
async def test_a_paused_transport_gives_nothing_and_holds_up_the_peer() -> None:
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, ends):
        transport.pause_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        sender = asyncio.create_task(peer.send(bytes(200_000)))
        await sender
        more = asyncio.create_task(peer.send(b"x"))
        await asyncio.sleep(5)
        assert not more.done()
        assert not protocol.data
        assert ends.client.stats.held_size <= 2 * 65536
        transport.resume_reading()
        transport.resume_reading()
        assert transport.is_reading()
        await more
        await protocol.until(200_001)
        transport.abort()


@virtual
async def test_a_buffered_protocol_reads_into_its_own_buffer() -> None:
    protocol = RecordingBuffered()
    async with one_end(protocol) as (_, peer, _):
        data = bytes(range(256)) * 40
        await peer.send(data)
        await peer.send_eof()
        await protocol.lost.wait()
        assert protocol.data == data
        assert protocol.at_end


@virtual
async def test_a_buffer_that_cannot_be_filled_ends_the_transport_with_its_error() -> None:
    for size, buffer in ((0, bytearray()), (5, b"fixed")):
        protocol = RecordingBuffered(size)
        protocol.buffer = cast(bytearray, buffer)
        with complaints() as told:
            async with one_end(protocol) as (_, peer, _):
                await peer.send(b"data")
                await protocol.lost.wait()
        assert isinstance(protocol.error, (TypeError, ValueError, BufferError))
        assert "get_buffer" in told[0]["message"]


@virtual
async def test_the_protocol_can_be_exchanged() -> None:
    first, second = Recording(), RecordingBuffered()
    async with one_end(first) as (transport, peer, _):
        await peer.send(b"first")
        await first.until(5)
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        await peer.send(b"second")
        await peer.send_eof()
        await second.lost.wait()
        assert bytes(second.data) == b"second"
        assert not first.lost.is_set()


@virtual
async def test_what_a_protocol_raises_ends_its_transport_and_nothing_else() -> None:
    class Fussy(Recording):
        def data_received(self, data: bytes) -> None:
            raise KeyError("I do not like it")

    protocol = Fussy()
    with complaints() as told:
        async with one_end(protocol) as (_, peer, ends):
            await peer.send(b"x")
            await protocol.lost.wait()
            assert isinstance(protocol.error, KeyError)
            assert told[0]["protocol"] is protocol
            with pytest.raises(ChannelReset):
                await peer.receive()
            mine, theirs = await ends.stream()
            await mine.send(b"still here")
            assert await theirs.receive() == b"still here"
            await mine.aclose()
            await theirs.aclose()


# --- writing ----------------------------------------------------------------------------------------


@virtual
async def test_what_is_written_arrives_in_order_and_mutable_data_is_copied() -> None:
    protocol = Recording()
    async with one_end(protocol) as (transport, peer, _):
        data = bytearray(b"abc")
        transport.write(data)
        data[:] = b"xyz"
        transport.write(memoryview(b"aXbXc")[::2])
        transport.writelines([b"1", b"", bytearray(b"2"), memoryview(b"3")])
        transport.write(b"")
        transport.close()
        assert await read_all(peer) == b"abcabc123"
        with pytest.raises(TypeError, match="not str"):
            transport.write(cast(bytes, "text"))


@virtual
async def test_a_full_stream_pauses_the_protocol_and_an_emptier_one_resumes_it() -> None:
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        transport.set_write_buffer_limits(high=5000, low=1000)
        assert transport.get_write_buffer_limits() == (1000, 5000)
        piece = bytes(1000)
        written = 0
        while "pause_writing" not in protocol.calls:
            transport.write(piece)
            written += 1000
            await settle()
        assert transport.get_write_buffer_size() > 5000
        assert written <= 65536 + 10_000 + 5000 + 2000
        received = 0
        while "resume_writing" not in protocol.calls:
            received += len(await peer.receive())
            await settle()
        assert transport.get_write_buffer_size() <= 1000
        transport.close()
        assert received + len(await read_all(peer)) == written


@virtual
async def test_one_large_write_pauses_the_protocol_until_it_has_room() -> None:
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        transport.write(bytes(500_000))
        assert protocol.calls[-1] == "pause_writing"
        assert transport.get_write_buffer_size() == 490_000
        transport.write(bytes(500_000))
        received = 0
        while received < 1_000_000:
            received += len(await peer.receive())
        assert protocol.calls[-1] == "resume_writing"
        assert transport.get_write_buffer_size() == 0
        transport.close()


@virtual
async def test_limits_of_zero_pause_as_soon_as_anything_waits() -> None:
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        transport.set_write_buffer_limits(0)
        transport.write(bytes(10_000))
        assert "pause_writing" not in protocol.calls
        transport.write(b"x")
        assert protocol.calls[-1] == "pause_writing"
        with pytest.raises(ValueError, match="low"):
            transport.set_write_buffer_limits(high=1, low=2)
        transport.close()
        assert len(await read_all(peer)) == 10_001


@virtual
async def test_write_eof_ends_one_direction_behind_what_was_buffered() -> None:
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        assert transport.can_write_eof()
        transport.write(bytes(100_000))
        transport.write(b"last")
        transport.write_eof()
        transport.write_eof()
        with pytest.raises(RuntimeError, match="write_eof"):
            transport.write(b"x")
        assert (await read_all(peer))[-4:] == b"last"
        await peer.send(b"still read")
        assert await protocol.until(10) == b"still read"
        await peer.send_eof()
        await protocol.lost.wait()
        assert protocol.error is None


# --- ends -------------------------------------------------------------------------------------------


@virtual
async def test_close_delivers_what_was_written_and_tells_once() -> None:
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        transport.write(bytes(100_000))
        transport.write(b"last")
        transport.close()
        transport.close()
        transport.write(b"dropped")
        assert transport.is_closing()
        assert not transport.is_reading()
        await settle()
        assert not protocol.lost.is_set()
        assert (await read_all(peer))[-4:] == b"last"
        await protocol.lost.wait()
        transport.abort()
        await settle()
        assert protocol.calls.count("connection_lost") == 1
        assert protocol.error is None


@virtual
async def test_abort_resets_the_stream() -> None:
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        transport.write(bytes(100_000))
        transport.abort()
        await protocol.lost.wait()
        assert protocol.error is None
        with pytest.raises(ChannelReset) as caught:
            await read_all(peer)
        assert caught.value.code == c.CANCELLED


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_reset_is_told_as_an_error_even_to_a_paused_protocol(is_paused: bool) -> None:
    @virtual
    async def main() -> None:
        protocol = Recording()
        async with one_end(protocol) as (transport, peer, _):
            if is_paused:
                transport.pause_reading()
            peer.reset(77)
            await protocol.lost.wait()
            assert isinstance(protocol.error, ChannelReset)
            assert protocol.error.code == 77
            assert transport.get_write_buffer_size() == 0

    main()


@virtual
async def test_the_end_of_the_connection_is_told_as_an_error_after_what_had_arrived() -> None:
    protocol = Recording()
    async with one_end(protocol) as (transport, peer, ends):
        transport.pause_reading()
        await peer.send(b"last words")
        await asyncio.sleep(1)
        ends.server.abort(8, "away")
        await asyncio.sleep(1)
        assert not protocol.lost.is_set()
        transport.resume_reading()
        await protocol.lost.wait()
        assert protocol.data == b"last words"
        assert isinstance(protocol.error, ConnectionClosed)
        assert protocol.error.code == 8


@virtual
async def test_this_ends_abort_of_the_connection_is_told_even_to_a_paused_protocol() -> None:
    protocol = Recording()
    async with one_end(protocol) as (transport, _, ends):
        transport.pause_reading()
        ends.client.abort(9, "enough")
        await protocol.lost.wait()
        assert isinstance(protocol.error, ConnectionClosed)


@virtual
async def test_a_connection_that_ends_after_both_directions_did_is_no_error() -> None:
    protocol = Recording(keeps_open=True)
    async with one_end(protocol) as (transport, peer, ends):
        transport.write_eof()
        await peer.send_eof()
        await protocol.at_end.wait()
        await asyncio.sleep(1)
        ends.server.abort(8, "away")
        await protocol.lost.wait()
        assert protocol.error is None


@virtual
async def test_a_graceful_close_of_the_connection_delivers_what_was_buffered() -> None:
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, ends):
        transport.write(bytes(200_000))
        transport.write(b"last")
        transport.write_eof()
        closing = asyncio.create_task(ends.client.aclose())
        assert (await read_all(peer))[-4:] == b"last"
        await closing
        await protocol.lost.wait()


@virtual
async def test_a_peer_that_closed_is_read_to_its_end_before_a_failed_write_is_told() -> None:
    protocol = Recording(keeps_open=True)
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        transport.write(bytes(200_000))
        transport.write(bytes(200_000))
        await peer.send(b"413 too large")
        await peer.aclose()
        await protocol.lost.wait()
        assert protocol.data == b"413 too large"
        assert protocol.calls[-2:] == ["eof_received", "connection_lost"]
        assert isinstance(protocol.error, BrokenPipeError)


@virtual
async def test_a_writer_without_end_hears_that_the_peer_stopped() -> None:
    protocol = Recording(keeps_open=True)
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        await peer.aclose()
        await protocol.at_end.wait()
        assert not protocol.lost.is_set()
        transport.write(b"into the void")
        await protocol.lost.wait()
        assert isinstance(protocol.error, BrokenPipeError)


@virtual
async def test_a_protocol_that_reads_only_while_it_can_write_is_not_left_hanging() -> None:
    """An echo that pauses reading while writing is paused would wait for ever."""
    protocol = Recording()
    async with one_end(protocol, **SMALL) as (transport, peer, _):
        transport.pause_reading()
        transport.write(bytes(300_000))
        assert protocol.calls[-1] == "pause_writing"
        await asyncio.sleep(1)
        await peer.aclose()
        await protocol.lost.wait()
        assert isinstance(protocol.error, BrokenPipeError)


@virtual
async def test_a_transport_lives_on_though_nobody_holds_it() -> None:
    import gc

    received = bytearray()

    class Forgotten(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            received.extend(data)

    async with pair() as ends:
        mine, theirs = await ends.stream()
        start(theirs, Forgotten())
        del theirs
        gc.collect()
        await mine.send(b"heard")
        await asyncio.sleep(1)
        assert received == b"heard"
        await mine.aclose()
        await asyncio.sleep(1)
        gc.collect()


# --- about it ---------------------------------------------------------------------------------------


@virtual
async def test_extra_info_names_the_connection_and_has_no_socket() -> None:
    async with one_end(Recording()) as (transport, _, ends):
        assert transport.get_extra_info("socket") is None
        assert transport.get_extra_info("peername") == ("server", 4433)
        assert transport.get_extra_info("sockname") == ("client-1", 4433)
        assert transport.get_extra_info("fastmux.connection") is ends.client
        stream = transport.get_extra_info("fastmux.stream")
        assert stream.label == "here"
        assert transport.get_extra_info("peer_certificate") is None
        assert transport.get_extra_info("nonsense", 7) == 7
        assert "open" in repr(transport)
        transport.abort()
        assert "closed" in repr(transport)


@virtual
async def test_a_stream_that_somebody_reads_is_not_taken_over() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        reading = asyncio.create_task(mine.receive())
        await settle()
        with pytest.raises(BusyResourceError):
            StreamTransport(mine, Recording())
        reading.cancel()
        await settle()
        transport = start(mine, Recording())
        with pytest.raises(BusyResourceError):
            await mine.receive()
        transport.abort()
        with pytest.raises((ChannelReset, EndOfStream)):
            await theirs.receive()
        await theirs.aclose()


def test_tls_can_be_put_on_top(tmp_path: Path) -> None:
    directory = tmp_path / "credentials"
    make_credentials(directory, days=1)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(directory / "server.pem", directory / "server.key")
    client_context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    client_context.load_cert_chain(directory / "client.pem", directory / "client.key")

    @virtual
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            client, server = Recording(), Recording()
            loop = asyncio.get_running_loop()
            serving = asyncio.create_task(
                loop.start_tls(start(theirs, server), server, server_context, server_side=True)
            )
            secure = await loop.start_tls(
                start(mine, client), client, client_context, server_hostname="localhost"
            )
            far = await serving
            assert secure is not None
            assert far is not None
            secure.write(bytes(100_000))
            assert await server.until(100_000) == bytes(100_000)
            far.write(b"and back")
            assert await client.until(8) == b"and back"
            assert secure.get_extra_info("cipher")
            secure.close()
            await server.lost.wait()
            await client.lost.wait()

    main()
