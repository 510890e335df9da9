"""Opening comms: what fails for good, what may be tried again, and what a cancelled try leaves."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import dask
import pytest
from distributed.comm.core import CommClosedError, FatalCommClosedError

from fastmux.dask.connector import FastmuxConnector
from fastmux.dask.links import Pool
from on_dask.support import comm, connect, listening, of_connector, of_listener, run, security, settled


def where(address: str) -> str:
    return address.removeprefix("fastmux://")


def test_a_server_that_the_ca_did_not_sign_is_not_tried_again(files: Path) -> None:
    async def main() -> None:
        arguments = {**of_listener(files, node="stranger")}
        async with listening(files, **arguments) as acceptance:
            with pytest.raises(FatalCommClosedError, match="not signed by the CA"):
                await connect(files, acceptance.listener.contact_address)

    run(main())


def test_a_server_of_another_name_is_refused_unless_that_name_is_configured(files: Path) -> None:
    async def main() -> None:
        arguments = of_listener(files, node="named")
        async with listening(files, **arguments) as acceptance:
            address = acceptance.listener.contact_address
            with pytest.raises(FatalCommClosedError, match=r"dask\.example, not 127\.0\.0\.1"):
                await connect(files, address)
            with dask.config.set({"distributed.comm.fastmux.server-hostname": "dask.example"}):
                made = await connect(files, address)
            await (await acceptance.taken.get()).close()
            await made.close()
            await settled()

    run(main())


def test_a_client_that_the_ca_did_not_sign_is_refused(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            arguments = of_connector(files, client="stranger")
            with pytest.raises(OSError, match="fastmux://"):
                await FastmuxConnector().connect(where(acceptance.listener.contact_address), **arguments)
            assert acceptance.taken.empty()

    run(main())


def test_where_nobody_listens_dask_runs_out_of_time(files: Path) -> None:
    async def main() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            address = f"fastmux://127.0.0.1:{silent.getsockname()[1]}"
            with pytest.raises(OSError, match="Timed out"):
                await comm.connect(address, timeout=0.2, **of_connector(files))
        assert not Pool.current().links

    run(main())


def test_without_certificates_nothing_is_tried() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=r"fastmux\.dask\.Security"):
            await FastmuxConnector().connect("127.0.0.1:1")

    run(main())


def test_a_cancelled_try_leaves_no_lease(files: Path) -> None:
    async def main() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            arguments = of_connector(files)
            trying = asyncio.create_task(
                FastmuxConnector().connect(f"127.0.0.1:{silent.getsockname()[1]}", **arguments)
            )
            await asyncio.sleep(0)
            trying.cancel()
            with pytest.raises(asyncio.CancelledError):
                await trying
        assert not Pool.current().links

    run(main())


def test_a_listener_that_stopped_refuses_and_another_try_dials_anew(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            address = acceptance.listener.contact_address
            first = await connect(files, address)
            kept = await acceptance.taken.get()
            acceptance.listener.stop()
            with pytest.raises(CommClosedError):
                await FastmuxConnector().connect(where(address), **of_connector(files))
            assert not Pool.current().links
            await kept.write("still here")
            assert await first.read() == "still here"
            await first.close()
            await kept.close()

    run(main())


def test_a_certificate_file_that_is_not_there_is_an_oserror(files: Path) -> None:
    async def main() -> None:
        made = security(files)
        made.tls_client_cert = str(files / "missing.pem")
        with pytest.raises(OSError, match="missing"):
            await FastmuxConnector().connect(
                "127.0.0.1:1", fastmux_files=made.get_tls_config_for_role("client")
            )

    run(main())
