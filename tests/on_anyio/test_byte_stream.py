"""Streams as anyio's: the shapes of trio's stream checks, on every event loop."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import cast

import anyio
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSStream

from fastmux.aio.settings import Settings
from fastmux.anyio import ByteStream, FastmuxAttribute
from fastmux.exceptions import ChannelReset
from fastmux.security.certificates import make_credentials
from on_anyio.backends import Backend, Pair, pair

SMALL: Settings = {"write_limit": 10_000, "channel_window": 65536, "max_channel_window": 65536}


async def clogged(ends: Pair) -> tuple[ByteStream, ByteStream]:
    """A pair whose first end cannot send: the window and the write limit are used up."""
    mine, theirs = await ends.stream()
    await mine.send(bytes(65536 + 10_000))
    with anyio.move_on_after(0.2):
        await mine.send(b"")
    assert not mine.inner.has_room()
    return mine, theirs


async def close(*streams: ByteStream) -> None:
    for stream in streams:
        await stream.aclose()


def test_bytes_pass_both_ways_and_any_buffer_is_taken(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            assert isinstance(mine, anyio.abc.ByteStream)
            for near, far in ((mine, theirs), (theirs, mine)):
                await near.send(b"")
                for data in (b"1", cast(bytes, bytearray(b"2")), cast(bytes, memoryview(b"3"))):
                    await near.send(data)
                    assert await far.receive(1) == data
            await close(mine, theirs)

    backend.run(main)


def test_a_size_that_cannot_be_is_refused(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            for size in (0, -1):
                with pytest.raises(ValueError, match="max_bytes"):
                    await mine.receive(size)
            with pytest.raises(TypeError):
                await theirs.send(cast(bytes, "text"))
            await close(mine, theirs)

    backend.run(main)


def test_every_call_is_a_checkpoint(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            await mine.send(b"waiting")
            for operation in (mine.send(b"x"), theirs.receive(), mine.send_eof(), mine.aclose()):
                with anyio.CancelScope() as scope:
                    scope.cancel()
                    await operation
                assert scope.cancelled_caught
            # what was cancelled did nothing, but for the close
            assert await theirs.receive() == b"waiting"
            with pytest.raises(anyio.EndOfStream):
                await theirs.receive()
            with pytest.raises(anyio.ClosedResourceError):
                await mine.send(b"x")
            await theirs.aclose()

    backend.run(main)


def test_the_end_comes_after_everything_and_stays(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            await mine.send(b"all of it")
            await mine.send_eof()
            await mine.send_eof()
            with pytest.raises(anyio.ClosedResourceError):
                await mine.send(b"more")
            assert [chunk async for chunk in theirs] == [b"all of it"]
            with pytest.raises(anyio.EndOfStream):
                await theirs.receive()
            await theirs.send(b"the other way")
            assert await mine.receive() == b"the other way"
            await close(mine, theirs)

    backend.run(main)


def test_a_second_receiver_is_turned_away(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            async with anyio.create_task_group() as group:
                group.start_soon(theirs.receive)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(anyio.BusyResourceError):
                    await theirs.receive()
                await mine.send(b"for the first")
            await close(mine, theirs)

    backend.run(main)


def test_a_peer_that_closed_breaks_sending_and_it_stays_broken(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            await theirs.aclose()
            with pytest.raises(anyio.BrokenResourceError):
                while True:
                    await mine.send(b"x" * 100)
            with pytest.raises(anyio.BrokenResourceError):
                await mine.send(b"x")
            await close(mine, theirs)
            await close(mine, theirs)
            for stream in (mine, theirs):
                with pytest.raises(anyio.ClosedResourceError):
                    await stream.send(b"")
                with pytest.raises(anyio.ClosedResourceError):
                    await stream.receive()

    backend.run(main)


def test_closing_wakes_who_receives_or_sends(backend: Backend) -> None:
    async def main() -> None:
        async with pair(**SMALL) as ends:
            mine, theirs = await clogged(ends)

            async def receive() -> None:
                with pytest.raises(anyio.ClosedResourceError):
                    await mine.receive()

            async def send() -> None:
                with pytest.raises(anyio.ClosedResourceError):
                    await mine.send(b"x")

            async with anyio.create_task_group() as group:
                group.start_soon(receive)
                group.start_soon(send)
                await anyio.wait_all_tasks_blocked()
                await mine.aclose()
            await theirs.aclose()

    backend.run(main)


def test_a_sender_waits_until_the_peer_reads(backend: Backend) -> None:
    async def main() -> None:
        async with pair(**SMALL) as ends:
            mine, theirs = await clogged(ends)
            record: list[str] = []

            async def send() -> None:
                await mine.send(b"last")
                record.append("sent")
                await mine.aclose()

            async with anyio.create_task_group() as group:
                group.start_soon(send)
                await anyio.wait_all_tasks_blocked()
                record.append("reading")
                received = b"".join([chunk async for chunk in theirs])
            assert record == ["reading", "sent"]
            assert received == bytes(65536 + 10_000) + b"last"
            await theirs.aclose()

    backend.run(main)


def test_a_reset_is_no_end_and_its_code_is_the_cause(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            mine.reset(99)
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await theirs.receive()
            assert cast(ChannelReset, caught.value.__cause__).code == 99
            await theirs.aclose()
            mine, theirs = await ends.stream()
            ends.server.abort(8, "away")
            with pytest.raises(anyio.BrokenResourceError, match="away"):
                await mine.receive()
            await close(mine, theirs)

    backend.run(main)


def test_facts_are_typed_attributes(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream("greeting")
            assert theirs.extra(FastmuxAttribute.label) == "greeting"
            assert theirs.extra(FastmuxAttribute.channel_id) == mine.inner.id
            assert mine.extra(FastmuxAttribute.connection) is ends.client.inner
            assert mine.extra(FastmuxAttribute.peer).pin == ""
            assert mine.extra(SocketAttribute.remote_address) == ends.client.inner.get_extra_info("peername")
            assert mine.extra(SocketAttribute.local_address)
            assert "greeting" in repr(theirs)
            await close(mine, theirs)

    backend.run(main)


def test_a_peer_that_takes_no_more_is_heard_of_without_sending(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            async with mine:
                with anyio.move_on_after(0.01) as patience:
                    await mine.wait_stopped()
                assert patience.cancelled_caught
                await theirs.aclose()
                await mine.wait_stopped()
            with pytest.raises(anyio.ClosedResourceError):
                await mine.wait_stopped()

    backend.run(main)


def test_anyios_tls_runs_on_top(backend: Backend, tmp_path: Path) -> None:
    directory = tmp_path / "credentials"
    make_credentials(directory, days=1)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(directory / "server.pem", directory / "server.key")
    client_context = ssl.create_default_context(cafile=str(directory / "ca.pem"))

    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()

            async def serve() -> None:
                async with await TLSStream.wrap(
                    theirs, server_side=True, ssl_context=server_context
                ) as secure:
                    await secure.send(await secure.receive())

            async with anyio.create_task_group() as group:
                group.start_soon(serve)
                secure = await TLSStream.wrap(mine, hostname="localhost", ssl_context=client_context)
                await secure.send(b"secret")
                assert await secure.receive() == b"secret"
                with pytest.raises(anyio.EndOfStream):
                    await secure.receive()
                await secure.aclose()

    backend.run(main)
