"""What `serve` does with connections: who may stay, what a reload ends, how it drains, what it counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from e2e.support import LogWatch, run
from fastmux.aio.answers import OpenRefused
from fastmux.exceptions import ChannelReset, ConnectionClosed
from fastmux.tunnel.access.access import Access
from fastmux.tunnel.access.revocation import parse_revoked
from fastmux.tunnel.access.rules import parse_rule
from fastmux.tunnel.constants import ACCESS_DENIED, GOING_AWAY
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.operation.exposition import render
from fastmux.tunnel.server import service as room
from fastmux.tunnel.settings.settings import Policy
from tunnel.served import echo_target, echoes, open_tcp, policy, served


def test_a_client_reaches_what_its_rules_allow_and_nothing_else(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as port, served(keys, policy(f"client=127.0.0.1:{port}")) as world:
            connection = await world.connect()
            async with await open_tcp(connection, port) as stream:
                assert await echoes(stream)
            with pytest.raises(OpenRefused, match="not allowed"):
                await open_tcp(connection, port + 1 if port < 65535 else 1)

    run(main())


def test_an_identity_that_no_rule_is_for_is_told_so_and_logged(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, policy("client=127.0.0.1:1")) as world:
            with LogWatch() as log:
                error = await world.refused("other")
                assert error.code == ACCESS_DENIED
                assert error.remote
                assert "may not do anything here" in error.reason
                await log.line("no rule is for this identity")
            assert world.service.status()["connections"] == []

    run(main())


def test_a_reload_ends_identities_that_lost_their_rules_or_were_revoked(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, policy("*=127.0.0.1:1")) as world:
            client, other = await world.connect(), await world.connect("other")
            while len(world.service.status()["connections"]) < 2:
                await asyncio.sleep(0)
            text = await world.service.apply(policy("client=127.0.0.1:1"))
            assert text == "1 connections and 0 channels ended by the new rules"
            await other.wait_closed()
            assert not client.is_closed
            access = Access([parse_rule("*=127.0.0.1:1")], parse_revoked(["client"], []))
            await world.service.apply(Policy(access))
            await client.wait_closed()
            assert (await world.refused()).code == ACCESS_DENIED
            assert not (await world.connect("other")).is_closed

    run(main())


def test_a_reload_ends_channels_that_are_not_allowed_any_more_and_no_others(keys: Path) -> None:
    async def main() -> None:
        async with (
            echo_target() as one,
            echo_target() as two,
            served(keys, policy("client=127.0.0.1:1-65535")) as world,
        ):
            connection = await world.connect()
            kept, lost = await open_tcp(connection, one), await open_tcp(connection, two)
            assert await echoes(kept) and await echoes(lost)
            text = await world.service.apply(policy(f"client=127.0.0.1:{one}"))
            assert text == "0 connections and 1 channels ended by the new rules"
            with pytest.raises(ChannelReset):
                await lost.receive()
            assert await echoes(kept)
            with pytest.raises(OpenRefused):
                await open_tcp(connection, two)
            for stream in (kept, lost):
                await stream.aclose()

    run(main())


def test_a_drain_lets_open_channels_finish_and_takes_no_new_ones(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as port, served(keys, policy("*=127.0.0.1:1-65535")) as world:
            connection, idle = await world.connect(), await world.connect("other")
            stream = await open_tcp(connection, port)
            while len(world.service.status()["connections"]) < 2:
                await asyncio.sleep(0)
            world.service.drain()
            await idle.wait_closed()
            assert await echoes(stream, b"x" * 100_000)
            with pytest.raises(OpenRefused):
                await open_tcp(connection, port)
            assert "going away" in (await world.refused()).reason
            await stream.send_eof()
            assert [data async for data in stream] == []
            await stream.aclose()
            await connection.wait_closed()

    run(main())


def test_a_stop_cuts_everything_off(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as port, served(keys, policy("*=127.0.0.1:1-65535")) as world:
            connection = await world.connect()
            async with await open_tcp(connection, port) as stream:
                world.service.stop()
                with pytest.raises(ConnectionClosed) as caught:
                    await stream.receive()
                assert caught.value.code == GOING_AWAY

    run(main())


class CountedLimit(RateLimit):
    """A limit that holds nothing back, and counts."""

    made: list[CountedLimit] = []

    def __init__(self, rate: float, **_: object) -> None:
        super().__init__(rate)
        self.taken = 0
        self.made.append(self)

    async def take(self, size: int) -> None:
        self.taken += size


def test_connections_of_an_identity_share_its_rate_and_all_share_the_total(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "RateLimit", CountedLimit)
    monkeypatch.setattr(CountedLimit, "made", [])

    async def main() -> None:
        rules = policy("*=127.0.0.1:1-65535", limit=10**6, limit_per_identity=10**5)
        async with echo_target() as port, served(keys, rules) as world:
            for name in ("client", "client", "other"):
                connection = await world.connect(name)
                async with await open_tcp(connection, port) as stream:
                    assert await echoes(stream, b"x" * 1000)
            total, client, other = CountedLimit.made
            assert (total.bytes_per_second, client.bytes_per_second) == (10**6, 10**5)
            assert (total.taken, client.taken, other.taken) == (6000, 4000, 2000)
            await world.service.apply(policy("*=127.0.0.1:1-65535", limit=500, limit_per_identity=50))
            assert (total.bytes_per_second, client.bytes_per_second, other.bytes_per_second) == (500, 50, 50)

    run(main())


def test_the_rate_of_an_identity_is_forgotten_with_its_last_connection(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "RateLimit", CountedLimit)
    monkeypatch.setattr(CountedLimit, "made", [])

    async def main() -> None:
        async with served(keys, policy("*=127.0.0.1:1", limit_per_identity=1000)) as world:
            for _ in range(3):
                connection = await world.connect()
                await connection.ping()
                await connection.aclose()
                while world.service.status()["connections"]:
                    await asyncio.sleep(0)
            assert len(CountedLimit.made) == 3

    run(main())


def test_what_is_open_is_in_the_status_and_figures_move_while_a_transfer_runs(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as port, served(keys, policy("*=127.0.0.1:1-65535")) as world:
            connection = await world.connect()
            async with await open_tcp(connection, port) as stream:
                assert await echoes(stream, b"x" * 5000)
                fields = world.service.status()
                assert [row["identity"] for row in fields["connections"]] == ["client"]
                (channel,) = fields["channels"]
                assert (channel["kind"], channel["received"], channel["sent"]) == ("tcp", 5000, 5000)
                text = render(world.service.families())
                assert 'fastmux_bytes_total{identity="client",direction="received"} 5000\n' in text
                assert 'fastmux_channels_open{kind="tcp"} 1\n' in text
                assert 'fastmux_connections_open{identity="client"} 1\n' in text
                assert 'fastmux_rtt_seconds{identity="client"} 0.' in text
            await connection.aclose()
            while world.service.status()["connections"]:
                await asyncio.sleep(0)
            text = render(world.service.families())
            assert "fastmux_connections_total 1\n" in text
            assert 'fastmux_bytes_total{identity="client",direction="sent"} 5000\n' in text

    run(main())
