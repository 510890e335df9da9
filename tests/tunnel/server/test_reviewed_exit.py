"""Open requests held against new rules."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from e2e.support import LogWatch, run
from fastmux import Stream
from fastmux.aio.answers import AnswerCode, encode_answer, read_answer
from fastmux.exceptions import ChannelReset, EndOfStream
from fastmux.tunnel.access.lookups import Lookups
from fastmux.tunnel.forwarding.wire import label_of, listen_label_of
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.settings.settings import Policy
from tunnel.served import Served, echo_target, echoes, open_tcp, policy, served


async def listen_at_server(world: Served, target: Target) -> tuple[Stream, str]:
    connection = await world.connect()
    stream = await connection.open_stream(listen_label_of(target))
    return stream, await read_answer(stream)


def test_a_listener_that_is_not_allowed_any_more_is_closed(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, policy("client=listen:127.0.0.1:1024-65535")) as world:
            stream, bound = await listen_at_server(world, Target("tcp", "127.0.0.1", 0))
            port = int(bound.rpartition(":")[2])
            await world.service.apply(policy("client=listen:127.0.0.1:1"))
            with pytest.raises((ChannelReset, EndOfStream)):
                await stream.receive()
            await stream.aclose()
            with pytest.raises(OSError, match="Connect call failed"):
                await asyncio.open_connection("127.0.0.1", port)

    run(main())


def test_a_listener_that_is_still_allowed_stays(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, policy("client=listen:127.0.0.1:1024-65535")) as world:
            stream, bound = await listen_at_server(world, Target("tcp", "127.0.0.1", 0))
            text = await world.service.apply(policy("client=listen:127.0.0.1:*"))
            assert text.startswith("0 connections and 0 channels")
            with socket.create_connection(("127.0.0.1", int(bound.rpartition(":")[2])), 5):
                pass
            await stream.aclose()

    run(main())


@pytest.mark.parametrize("listens", [False, True])
def test_unix_sockets_are_held_against_the_rules_too(keys: Path, tmp_path: Path, listens: bool) -> None:
    async def main() -> None:
        path = tmp_path / "s"
        verb = "listen:" if listens else ""
        async with served(keys, policy(f"client={verb}unix:{path}")) as world:
            connection = await world.connect()
            with socket.socket(socket.AF_UNIX) as listening:
                if not listens:
                    listening.bind(str(path))
                    listening.listen()
                label_for = listen_label_of if listens else label_of
                stream = await connection.open_stream(label_for(Target("unix", path=str(path))))
                await read_answer(stream)
                assert (await world.service.apply(policy(f"client={verb}unix:*"))).startswith(
                    "0 connections and 0"
                )
                assert (await world.service.apply(policy("client=127.0.0.1:1"))).startswith(
                    "0 connections and 1"
                )
                with pytest.raises((ChannelReset, EndOfStream)):
                    await stream.receive()
                await stream.aclose()

    run(main())


def test_a_name_that_cannot_be_resolved_just_now_ends_nothing(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        rules = policy("client=localhost:1-65535")
        async with echo_target() as port, served(keys, rules) as world:
            connection = await world.connect()
            async with await open_tcp(connection, port, "localhost") as stream:
                assert await echoes(stream)

                async def fail(*_: object) -> None:
                    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

                monkeypatch.setattr(Lookups, "addresses", fail)
                again = policy("client=localhost:1-65535")
                text = await world.service.apply(Policy(again.access))
                assert text.startswith("0 connections and 0 channels")
                assert await echoes(stream)
                assert (await world.service.apply(policy("client=127.0.0.2:1"))).endswith(
                    "1 channels ended by the new rules"
                )

    run(main())


def test_what_ends_is_logged_with_its_reason(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as port, served(keys, policy("client=127.0.0.1:1-65535")) as world:
            connection = await world.connect()
            async with await open_tcp(connection, port):
                with LogWatch() as log:
                    await world.service.apply(policy("client=127.0.0.1:1"))
                    await log.line(f"ended by the new rules: client may not reach 127.0.0.1:{port}")

    run(main())


def test_a_drain_closes_a_listener_and_lets_what_it_accepted_finish(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, policy("client=listen:127.0.0.1:1024-65535")) as world:
            stream, bound = await listen_at_server(world, Target("tcp", "127.0.0.1", 0))
            port = int(bound.rpartition(":")[2])
            opening = asyncio.create_task(asyncio.open_connection("127.0.0.1", port))
            accepted = await world.connections[0].accept()
            assert isinstance(accepted, Stream)
            await accepted.send(encode_answer(AnswerCode.CONNECTED, ""))
            reader, writer = await opening
            world.service.drain()
            with pytest.raises(EndOfStream):
                await stream.receive()
            await stream.aclose()
            with pytest.raises(OSError, match="Connect call failed"):
                await asyncio.open_connection("127.0.0.1", port)
            await accepted.send(b"still here")
            assert await reader.readexactly(10) == b"still here"
            writer.close()
            await writer.wait_closed()
            await accepted.aclose()
            await world.connections[0].wait_closed()

    run(main())


def test_a_flow_of_datagrams_holds_up_no_drain(keys: Path) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
            target.bind(("127.0.0.1", 0))
            target.settimeout(10)
            port = target.getsockname()[1]
            async with served(keys, policy(f"client=127.0.0.1:{port}/udp")) as world:
                connection = await world.connect()
                label = label_of(Target("udp", "127.0.0.1", port))
                channel = await connection.open_message_channel(label, ordered=False, reliable=False)
                await channel.send(b"hello")
                assert await asyncio.to_thread(target.recv, 100) == b"hello"
                world.service.drain()
                await connection.wait_closed()

    run(main())
