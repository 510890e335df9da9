"""A transport ends with its stream, its connection or its protocol, and tells the protocol once and truly."""

from __future__ import annotations

import asyncio

import pytest

from aio.on_transport import SMALL, one_end, read_all, start
from aio.pair import pair
from aio.recording_protocol import Recording
from aio.virtual_loop import settle, virtual
from fastmux import constants as c
from fastmux.exceptions import ChannelReset, ConnectionClosed


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
