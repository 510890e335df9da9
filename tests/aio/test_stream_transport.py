"""A protocol written for TCP cannot tell a stream's transport from a socket's, but for the better."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import cast

import pytest

from aio.on_transport import SMALL, complaints, one_end, read_all, start
from aio.pair import pair
from aio.recording_protocol import Recording, RecordingBuffered
from aio.virtual_loop import settle, virtual
from fastmux.aio.stream_transport import StreamTransport
from fastmux.exceptions import BusyResourceError, ChannelReset, EndOfStream
from fastmux.security.certificates import make_credentials

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
