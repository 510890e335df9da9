"""Connections are shared, counted, kept for a while, and closed."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import dask
import pytest

from fastmux.dask import links
from fastmux.dask.constants import LINGER
from fastmux.dask.links import Key, Lease, Link, Pool, settings
from fastmux.dask.security import find_tls
from on_dask.support import connect, listening, of_connector, run, settled


def key_of(files: Path, address: str) -> Key:
    host, _, port = address.removeprefix("fastmux://").partition(":")
    return Key(host, int(port), find_tls(of_connector(files)))


def test_the_idle_timeout_is_configured_and_kept_up() -> None:
    with dask.config.set({"distributed.comm.fastmux.idle-timeout": "2 minutes"}):
        made = settings()
    assert made["idle_timeout"] == 120
    assert made["keep_alive"] == 30


def test_those_who_ask_at_once_get_one_connection(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            pool, key = Pool.current(), key_of(files, acceptance.listener.contact_address)
            leases = await asyncio.gather(*(pool.acquire(key) for _ in range(10)))
            assert len({lease.connection for lease in leases}) == 1
            assert leases[0].link.leases == 10
            for lease in leases:
                lease.release()
                lease.release()
            assert leases[0].link.leases == 0
            await settled()

    run(main())


def test_one_who_is_cancelled_does_not_cancel_the_others(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            pool, key = Pool.current(), key_of(files, acceptance.listener.contact_address)
            asking = [asyncio.create_task(pool.acquire(key)) for _ in range(2)]
            await asyncio.sleep(0)
            asking[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking[0]
            lease = await asking[1]
            assert not lease.connection.is_closed
            lease.release()
            await settled()

    run(main())


def test_a_connection_that_is_over_is_opened_again(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            pool, key = Pool.current(), key_of(files, acceptance.listener.contact_address)
            first = await pool.acquire(key)
            first.connection.abort()
            first.release()
            second = await pool.acquire(key)
            assert second.connection is not first.connection
            second.release()
            await settled()

    run(main())


def test_an_unused_connection_is_closed_in_a_while_and_a_used_one_is_not(files: Path) -> None:
    async def main() -> None:
        with dask.config.set({"distributed.comm.fastmux.linger": "10ms"}):
            async with listening(files) as acceptance:
                mine = await connect(files, acceptance.listener.contact_address)
                theirs = await acceptance.taken.get()
                connection = mine._lease.connection
                again = await connect(files, acceptance.listener.contact_address)
                await again.close()
                await (await acceptance.taken.get()).close()
                assert not connection.is_closed
                await mine.close()
                await theirs.close()
                await connection.wait_closed()
                assert Pool.current().links == ()

    run(main())


def test_a_new_user_keeps_a_connection_that_was_about_to_be_closed(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            pool, key = Pool.current(), key_of(files, acceptance.listener.contact_address)
            first = await pool.acquire(key)
            first.release()
            second = await pool.acquire(key)
            assert second.connection is first.connection
            pool.close_unused()
            assert not second.connection.is_closed
            second.release()
            pool.close_unused()
            await second.connection.wait_closed()

    run(main())


def test_where_nothing_is_in_use_an_unused_connection_is_closed_at_once(files: Path) -> None:
    """A program that ends after its last comm leaves no peer waiting."""

    async def main() -> None:
        async with listening(files) as acceptance:
            other, key = Pool(), key_of(files, acceptance.listener.contact_address)
            lease = await other.acquire(key)
            lease.release()
            async with asyncio.timeout(LINGER / 2):
                await lease.connection.wait_closed()

    run(main())


def test_the_end_of_the_loop_ends_the_connection_and_its_peer_is_told(files: Path) -> None:
    async def main() -> tuple[asyncio.AbstractEventLoop, Lease]:
        async with listening(files) as acceptance:
            pool, key = Pool.current(), key_of(files, acceptance.listener.contact_address)
            return asyncio.get_running_loop(), await pool.acquire(key)

    loop, lease = run(main())
    assert lease.connection.is_closed
    assert loop.is_closed()
    del lease
    gc.collect()

    async def later() -> None:
        Pool.current()
        assert loop not in links._pools

    run(later())


def test_a_forgotten_link_is_used_no_more_and_its_users_go_on(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            mine = await connect(files, acceptance.listener.contact_address)
            theirs = await acceptance.taken.get()
            pool = Pool.current()
            pool.forget(mine._lease.link)
            other = await connect(files, acceptance.listener.contact_address)
            assert other._lease.connection is not mine._lease.connection
            await mine.write("still")
            assert await theirs.read() == "still"
            await (await acceptance.taken.get()).close()
            for end in (mine, theirs, other):
                await end.close()
            await mine_closed(mine._lease.link)
            await settled()

    run(main())


async def mine_closed(link: Link) -> None:
    await link.wait_unused()
    link.connection.close()
    await link.connection.wait_closed()


def test_with_several_listeners_nobody_says_where_it_listens(files: Path) -> None:
    async def main() -> None:
        pool = Pool.current()
        async with listening(files) as one:
            tls = pool.tls
            assert tls is not None
            address, taker = pool.announced(tls)
            assert (
                f"fastmux://{address[0]}:{address[1]}" == one.listener.contact_address if address else False
            )
            assert taker is not None
            assert pool.announced(find_tls(of_connector(files))) == (None, None)  # other certificates
            async with listening(files):
                assert pool.announced(tls) == (None, None)
                assert pool.tls == tls
        assert pool.tls is None

    run(main())


def test_a_failure_to_connect_reaches_all_who_wait(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            good = key_of(files, acceptance.listener.contact_address)
            key = Key(good.host, good.port, find_tls(of_connector(files, ca="stranger")))
            results = await asyncio.gather(
                *(Pool.current().acquire(key) for _ in range(3)), return_exceptions=True
            )
            assert all(isinstance(result, ConnectionError) for result in results)

    run(main())
