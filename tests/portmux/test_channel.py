"""What a channel has besides when it runs over a port of its own."""

from __future__ import annotations

import gc
import socket
import warnings

import pytest

from e2e.support import run
from fastmux import constants as c
from fastmux.exceptions import ChannelReset, ClosedResourceError
from fastmux.portmux import PortMessageChannel, PortStream
from portmux.ends import port_ends, until


def test_each_channel_has_ports_of_its_own_that_both_ends_know() -> None:
    async def main() -> None:
        async with port_ends() as both:
            first, other = await both.streams("one")
            second, another = await both.streams("two")
            assert first.port == other.port == other.local_port
            assert first.port != second.port
            assert first.local_port != second.local_port
            assert (first.id, second.id) == (other.id, another.id) == (0, 4)
            assert repr(first) == f"<PortStream 0 'one' on port {first.port}>"
            assert other.get_extra_info("peername") == ("127.0.0.1", first.local_port)
            assert other.get_extra_info("nothing", "default") == "default"
            assert other.get_extra_info("fastmux.connection") is both.server
            assert set(both.server.ports) == {first.port, second.port}
            assert first.stats.packets_sent > 0
            for stream in (first, other, second, another):
                await stream.aclose()
            assert repr(first).endswith("closed>")

    run(main())


def test_each_end_marks_what_it_sends_and_may_change_its_mind() -> None:
    async def main() -> None:
        async with port_ends() as both:
            mine = await both.client.open_stream("voice", dscp=46)
            theirs = await both.server.accept()
            assert isinstance(theirs, PortStream)
            for stream, dscp in ((mine, 46), (theirs, 0)):
                assert mark_of(stream) == dscp
            theirs.set_dscp(34)
            assert (mark_of(mine), mark_of(theirs)) == (46, 34)
            for bad in (-1, 64):
                with pytest.raises(ValueError, match="dscp"):
                    theirs.set_dscp(bad)
                with pytest.raises(ValueError, match="dscp"):
                    await both.client.open_stream(dscp=bad)
            await mine.aclose()
            with pytest.raises(ClosedResourceError):
                mine.set_dscp(1)
            await theirs.aclose()

    run(main())


def mark_of(stream: PortStream) -> int:
    return stream._link._socket.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) >> 2


def test_a_port_is_in_use_until_both_ends_have_closed_the_channel() -> None:
    async def main() -> None:
        async with port_ends() as both:
            mine, theirs = await both.streams()
            await mine.send(b"all of it")
            await mine.aclose()
            assert await theirs.receive() == b"all of it"
            assert both.listener.ports_in_use == 1
            await theirs.aclose()
            await until(lambda: both.listener.ports_in_use == 0)
            await until(lambda: both.client.ports == both.server.ports == ())

    run(main())


def test_a_channel_that_is_dropped_is_reset_and_its_port_is_free_again() -> None:
    async def main() -> None:
        async with port_ends() as both:
            mine, theirs = await both.streams()
            await mine.send(b"half")
            assert await theirs.receive() == b"half"
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                del mine
                gc.collect()
            assert [item.category for item in caught] == [ResourceWarning]
            with pytest.raises(ChannelReset) as error:
                await theirs.receive()
            assert error.value.code == c.CANCELLED
            await theirs.aclose()
            await until(lambda: both.listener.ports_in_use == 0)

    run(main())


def test_a_stream_may_be_used_as_reader_and_writer() -> None:
    async def main() -> None:
        async with port_ends() as both:
            mine, theirs = await both.streams()
            reader, writer = mine.to_asyncio()
            other_reader, other_writer = theirs.to_asyncio()
            del mine, theirs
            gc.collect()
            writer.write(b"a line\n")
            await writer.drain()
            assert await other_reader.readline() == b"a line\n"
            other_writer.write(b"back")
            other_writer.write_eof()
            assert await reader.read() == b"back"
            for each in (writer, other_writer):
                each.close()
                await each.wait_closed()
            await until(lambda: both.listener.ports_in_use == 0)

    run(main())


def test_kinds_have_classes_of_their_own_and_what_is_of_no_kind_nowhere() -> None:
    async def main() -> None:
        async with port_ends() as both:
            channel = await both.client.open_message_channel("m", ordered=False, max_retransmits=2)
            found = await both.server.accept()
            assert isinstance(found, PortMessageChannel)
            assert (found.ordered, found.reliable, found.id) == (False, False, c.KIND_MESSAGE << 1)
            await channel.aclose()
            await found.aclose()
            with pytest.raises(ValueError, match="255 bytes"):
                await both.client.open_stream("x" * 256)
            assert both.client.ports == () or len(both.client.ports) == 1

    run(main())
