"""asyncssh runs sessions over a connection of fastmux, by `tunnel=` alone, with both ends on it."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.ends import LoopFactory, connected, run

asyncssh: Any = pytest.importorskip("asyncssh", reason="asyncssh is not installed")


async def shell(process: Any) -> None:
    """What the server runs: it shouts what it reads."""
    if process.command == "count":
        process.stdout.write(str(len(await process.stdin.read())))
    else:
        async for line in process.stdin:
            process.stdout.write(line.upper())
        process.stderr.write("done\n")
    process.exit(3)


def test_asyncssh_serves_and_connects_through_one_connection(loop_factory: LoopFactory) -> None:
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    user_key = asyncssh.generate_private_key("ssh-ed25519")
    authorized = asyncssh.import_authorized_keys(user_key.export_public_key().decode())

    async def main() -> None:
        async with connected() as (client, server):
            acceptor = await asyncssh.listen(
                "gateway",
                22,
                tunnel=server,
                server_host_keys=[host_key],
                authorized_client_keys=authorized,
                process_factory=shell,
            )
            assert acceptor.get_port() == 22
            options = {
                "tunnel": client,
                "username": "guest",
                "client_keys": [user_key],
                "known_hosts": ([host_key.convert_to_public()], [], []),
            }
            async with asyncssh.connect("gateway", 22, **options) as ssh:
                result = await ssh.run("shout", input="hello\nworld\n")
                assert (result.stdout, result.stderr) == ("HELLO\nWORLD\n", "done\n")
                assert result.exit_status == 3
                result = await ssh.run("count", input="x" * 3_000_000)
                assert result.stdout == "3000000"
            with pytest.raises(ConnectionRefusedError):
                await asyncssh.connect("gateway", 23, **options)
            acceptor.close()
            await acceptor.wait_closed()

    run(loop_factory, main)
