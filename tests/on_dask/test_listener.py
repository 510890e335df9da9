"""Listening: addresses, stopping, handshakes that fail, and comms over a connection of one's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from distributed.comm.core import CommClosedError

import fastmux
from fastmux.dask.comm import FastmuxComm
from fastmux.dask.introduction import receive_answer
from fastmux.dask.links import Pool
from fastmux.dask.listener import FastmuxListener
from fastmux.dask.security import find_tls
from on_dask.support import comm, connect, joined, listening, of_connector, of_listener, run, settled


def test_it_knows_its_address_once_it_is_started(files: Path) -> None:
    async def main() -> None:
        listener = FastmuxListener("127.0.0.1", print, **of_listener(files))
        with pytest.raises(ValueError, match="not been started"):
            assert listener.contact_address
        await listener.start()
        assert listener.contact_address == listener.listen_address
        assert listener.contact_address.startswith("fastmux://127.0.0.1:")
        assert listener.prefix == "fastmux://"
        listener.stop()
        listener.stop()

    run(main())


def test_everywhere_is_reached_at_the_default_host(files: Path) -> None:
    async def main() -> None:
        given = {**of_listener(files), "default_host": "127.0.0.1"}
        async with comm.listen("fastmux://0.0.0.0", print, **given) as listener:
            assert listener.listen_address.startswith("fastmux://0.0.0.0:")
            assert listener.contact_address.startswith("fastmux://127.0.0.1:")

    run(main())


def test_a_port_in_use_is_an_oserror(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            with pytest.raises(OSError, match="in use"):
                async with comm.listen(acceptance.listener.listen_address, print, **of_listener(files)):
                    pass

    run(main())


def test_many_comms_share_one_connection(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            address = acceptance.listener.contact_address
            made = await asyncio.gather(*(connect(files, address) for _ in range(50)))
            taken = [await acceptance.taken.get() for _ in made]
            assert len(Pool.current().links) == 1
            assert len({end.peer_address for end in taken}) == 1
            for number, end in enumerate(made):
                await end.write(number)
            assert sorted([await end.read() for end in taken]) == list(range(50))
            for end in (*made, *taken):
                await end.close()
            await settled()

    run(main())


def test_comms_go_on_after_a_stop_and_the_last_one_ends_the_connection(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            mine = await connect(files, acceptance.listener.contact_address)
            theirs = await acceptance.taken.get()
            connection = mine._lease.connection
        await theirs.write("after the stop")
        assert await mine.read() == "after the stop"
        await theirs.close()
        await mine.close()
        await connection.wait_closed()

    run(main())


def test_a_comm_that_fails_in_its_handshake_concerns_no_other(
    files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with listening(files) as acceptance, joined(files):
            host, _, port = acceptance.listener.contact_address.removeprefix("fastmux://").partition(":")
            tls = find_tls(of_connector(files))
            async with fastmux.connect(host, int(port), tls=tls) as connection:
                garbled = await connection.open_stream("dask")
                await receive_answer(garbled)
                await garbled.send(b"\x01\x00\x00\x00" + (5).to_bytes(8, "little") + b"nonse")
                with pytest.raises((fastmux.ChannelReset, fastmux.EndOfStream)):
                    while True:
                        await garbled.receive()
                await garbled.aclose()
                other = await connection.open_stream("something else")
                with pytest.raises(fastmux.ChannelReset):
                    await other.receive()
                await other.aclose()
            good = await connect(files, acceptance.listener.contact_address)
            await good.close()
            await (await acceptance.taken.get()).close()
            await settled()

    run(main())
    assert "failed in its handshake" in caplog.text


def test_a_handshake_under_way_can_be_aborted(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            host, _, port = acceptance.listener.contact_address.removeprefix("fastmux://").partition(":")
            async with fastmux.connect(host, int(port), tls=find_tls(of_connector(files))) as connection:
                silent = await connection.open_stream("dask")
                await receive_answer(silent)
                acceptance.listener.abort_handshaking_comms()
                with pytest.raises(fastmux.ChannelReset):
                    while True:
                        await silent.receive()
                await silent.aclose()

    run(main())


# --- comms over the connection of the other side ----------------------------------------------------------


class Process:
    """A process with one listener, as a worker is one: its own pool on the one loop of the test."""

    def __init__(self, files: Path) -> None:
        self.pool = Pool()
        self.taken: asyncio.Queue[FastmuxComm] = asyncio.Queue()
        self._files = files
        self.listener = FastmuxListener("127.0.0.1", self.taken.put_nowait, **of_listener(files))

    async def start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Pool, "current", lambda: self.pool)
            await self.listener.start()

    async def connect(self, monkeypatch: pytest.MonkeyPatch, address: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(Pool, "current", lambda: self.pool)
            return await comm.connect(address, timeout=20, **of_connector(self._files, "worker"))


def test_two_listeners_need_one_connection_between_them(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        one, two = Process(files), Process(files)
        await one.start(monkeypatch)
        await two.start(monkeypatch)
        there = await one.connect(monkeypatch, two.listener.contact_address)
        back = await two.connect(monkeypatch, one.listener.contact_address)
        at_one, at_two = await one.taken.get(), await two.taken.get()
        assert there._lease.connection is at_one._lease.connection
        assert back._lease.connection is at_two._lease.connection
        assert back.peer_address == one.listener.contact_address
        await back.write("over your connection")
        assert await at_one.read() == "over your connection"
        for end in (there, back, at_one, at_two):
            await end.close()
        one.listener.stop()
        two.listener.stop()
        for link in (*one.pool.links, *two.pool.links):
            await link.connection.wait_closed()

    run(main())


def test_a_claim_that_the_certificate_does_not_prove_is_not_used(
    files: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A peer with a good certificate must not have comms that are for somebody else."""

    async def main() -> None:
        victim = Process(files)
        await victim.start(monkeypatch)
        host, _, port = victim.listener.contact_address.removeprefix("fastmux://").partition(":")
        async with fastmux.connect(host, int(port), tls=find_tls(of_connector(files))) as connection:
            stream = await connection.open_stream("dask 127.0.0.1:8786")
            await receive_answer(stream)
            assert victim.pool.links == ()
            await stream.aclose()
        victim.listener.stop()

    run(main())
    assert "does not prove" in caplog.text


def test_after_the_peer_stops_its_listener_comms_over_its_connection_are_refused(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        one, two = Process(files), Process(files)
        await one.start(monkeypatch)
        await two.start(monkeypatch)
        there = await one.connect(monkeypatch, two.listener.contact_address)
        at_two = await two.taken.get()
        address = one.listener.contact_address
        one.listener.stop()
        with monkeypatch.context() as patch:
            patch.setattr(Pool, "current", lambda: two.pool)
            with pytest.raises(CommClosedError):
                connector = comm.registry.get_backend("fastmux").get_connector()
                await connector.connect(address.removeprefix("fastmux://"), **of_connector(files, "worker"))
        assert two.pool.links == ()
        await there.close()
        await at_two.close()
        two.listener.stop()
        for link in one.pool.links:
            await link.connection.wait_closed()

    run(main())
