"""The commands of the tunnel as real processes on loopback, with real certificates."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from e2e.commands import command, echo_target, echoes, files, finished
from e2e.support import linux_only, run
from fastmux.security.certificates import issue_client, make_ca, write_credential

pytestmark = [linux_only, pytest.mark.slow]

ANYWHERE = ("--allow", "client=127.0.0.1:1-65535", "--allow", "client=listen:127.0.0.1:1024-65535")
SERVING = r"serving on 127\.0\.0\.1:PORT"
LOCAL = r"-L 127\.0\.0\.1:PORT goes to"


def serving(keys: Path, *arguments: object, listen: str = "127.0.0.1:0") -> tuple[object, ...]:
    return ("serve", *files(keys, "server"), "-l", listen, "--control", "none", *(arguments or ANYWHERE))


def test_connect_carries_both_directions_whole_and_ping_measures(credentials: Path) -> None:
    async def main() -> None:
        blob = os.urandom(8_000_003)
        async with echo_target() as target, command(*serving(credentials)) as server:
            gate = f"127.0.0.1:{await server.port(SERVING)}"
            client = files(credentials, "client")
            code, output, errors = await finished("connect", gate, f"127.0.0.1:{target}", *client, data=blob)
            assert (code, errors) == (0, "")
            assert hashlib.sha256(output).digest() == hashlib.sha256(blob).digest()

            code, output, errors = await finished("ping", gate, "-c", "3", "-i", "0.1", *client)
            assert (code, errors) == (0, "")
            assert output.count(b"64 bytes from 127.0.0.1: number") == 3
            assert b"3 sent, 3 answered, 0 % lost\nmin/avg/max/p99 = " in output

    run(main())


def test_connect_takes_files_for_its_input_and_output(credentials: Path, tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "in").write_bytes(os.urandom(1_000_000))
        async with echo_target() as target, command(*serving(credentials)) as server:
            gate = f"127.0.0.1:{await server.port(SERVING)}"
            with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as sink:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "fastmux", "connect", gate, f"127.0.0.1:{target}"),
                    *files(credentials, "client"),
                    stdin=source,
                    stdout=sink,
                )
                assert await process.wait() == 0
        assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()

    run(main())


def test_each_failure_of_connect_has_its_exit_code_and_a_sentence(credentials: Path, tmp_path: Path) -> None:
    async def main() -> None:
        tmp_path.chmod(0o700)
        write_credential(tmp_path, "stranger", issue_client(make_ca("another"), "client"))
        stranger = ["--cert", tmp_path / "stranger.pem", "--key", tmp_path / "stranger.key"]
        with socket.socket() as unused, socket.socket(type=socket.SOCK_DGRAM) as silent:
            unused.bind(("127.0.0.1", 0))
            silent.bind(("127.0.0.1", 0))
            async with command(*serving(credentials)) as server:
                gate = f"127.0.0.1:{await server.port(SERVING)}"
                nobody = f"127.0.0.1:{unused.getsockname()[1]}"
                client = files(credentials, "client")
                failures = await asyncio.gather(
                    finished("connect", gate, nobody, *client),
                    finished("connect", gate, "127.0.0.2:22", *client),
                    finished("connect", gate, nobody, *stranger, "--ca", credentials / "ca.pem"),
                    finished("connect", gate, nobody, *client, "--server-name", "gw.example"),
                    finished("connect", gate, nobody, *client, "--pin", "sha256//" + "A" * 43 + "="),
                    finished("connect", "gw.invalid", nobody, *client),
                    finished("connect", gate, nobody, "--cert", "/gone"),
                )
        expected = [
            (5, "refused"),
            (5, "not allow"),
            (4, "refused our certificate"),
            (4, "the peer's certificate is for localhost, 127.0.0.1, ::1"),
            (4, "none of the configured pins"),
            (5, "cannot be resolved"),
            (3, "--key and --ca are missing"),
        ]
        for (code, output, errors), (wanted, text) in zip(failures, expected, strict=True):
            assert (code, output) == (wanted, b""), errors
            assert text in errors
            assert errors.count("\n") == 1
        assert "--server-name" in failures[3][2]

    run(main())


def test_a_server_that_stops_in_the_middle_is_a_loss(credentials: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, command(*serving(credentials)) as server:
            gate = f"127.0.0.1:{await server.port(SERVING)}"
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "fastmux", "connect", gate, f"127.0.0.1:{target}"),
                *files(credentials, "client"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(b"hello")
            assert await process.stdout.readexactly(5) == b"hello"
            server.signal(signal.SIGINT)
            _, errors = await process.communicate()
            assert process.returncode == 255
            assert b"fastmux: " in errors
            assert await server.ended() == 0

    run(main())


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_connect_that_is_ended_by_a_signal_is_quiet_and_the_server_hears_of_it(
    credentials: Path, number: signal.Signals
) -> None:
    """ssh ends its ProxyCommand by SIGHUP, after every session: a user must not see that."""

    async def main() -> None:
        async with echo_target() as target, command(*serving(credentials)) as server:
            gate = f"127.0.0.1:{await server.port(SERVING)}"
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "fastmux", "connect", gate, f"127.0.0.1:{target}"),
                *files(credentials, "client"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(b"hello")
            assert await process.stdout.readexactly(5) == b"hello"
            process.send_signal(number)
            _, errors = await process.communicate()
            assert (process.returncode, errors) == (255, b"")
            await server.line(r"client from 127\.0\.0\.1:\d+ is gone after [0-5] s")

    run(main())


def test_a_tunnel_is_steered_while_it_runs_and_drains(credentials: Path, tmp_path: Path) -> None:
    async def main() -> None:
        control = tmp_path / "tunnel.sock"
        async with echo_target() as target, command(*serving(credentials)) as server:
            gate = f"127.0.0.1:{await server.port(SERVING)}"
            to = f"0:127.0.0.1:{target}"
            arguments = ["tunnel", gate, *files(credentials, "client"), "--control", control]
            async with command(*arguments, "-L", to, "-R", to, "-D", "0", "--http", "0") as tunnel:
                assert await echoes(await tunnel.port(LOCAL))
                assert await echoes(await tunnel.port(r"the far end listens at 127\.0\.0\.1:PORT for"))
                ctl = ("ctl", "--control", control)
                code, output, _ = await finished(*ctl, "status", "--json")
                status = json.loads(output)
                assert (code, status["state"], status["connections"][0]["identity"]) == (0, "open", "server")
                assert sorted(line[:2] for line in status["forwards"]) == ["--", "-D", "-L", "-R"]
                code, output, _ = await finished(*ctl, "forward", "-L", f"[::1]:0:127.0.0.1:{target}")
                assert code == 0
                assert b"goes to" in output
                code, _, _ = await finished(*ctl, "cancel", "-L", f"[::1]:0:127.0.0.1:{target}")
                assert code == 0
                code, output, _ = await finished(*ctl, "drain")
                assert (code, await tunnel.ended()) == (0, 0)
            assert not control.exists()

    run(main())


def test_a_connection_through_a_tunnel_that_is_killed_is_reset(credentials: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, command(*serving(credentials)) as server:
            gate = f"127.0.0.1:{await server.port(SERVING)}"
            arguments = ("tunnel", gate, *files(credentials, "client"), "--control", "none")
            async with command(*arguments, "-L", f"0:127.0.0.1:{target}") as tunnel:
                reader, writer = await asyncio.open_connection("127.0.0.1", await tunnel.port(LOCAL))
                writer.write(b"hello")
                assert await reader.readexactly(5) == b"hello"
                tunnel.signal(signal.SIGKILL)
                with pytest.raises(ConnectionResetError):
                    await reader.read(1)
                writer.transport.abort()

    run(main())


def test_a_refused_reverse_forward_is_an_error_of_ctl(credentials: Path, tmp_path: Path) -> None:
    async def main() -> None:
        control = tmp_path / "tunnel.sock"
        async with command(*serving(credentials)) as server:
            gate = f"127.0.0.1:{await server.port(SERVING)}"
            async with command("tunnel", gate, *files(credentials, "client"), "--control", control) as tunnel:
                await tunnel.line("control socket at")
                ctl = ("ctl", "--control", control, "forward", "-R")
                code, output, errors = await finished(*ctl, "127.0.0.2:2201:127.0.0.1:22")
                assert (code, output) == (3, b"") and "is refused" in errors
                code, output, errors = await finished(*ctl, "0:127.0.0.1:22")
                assert (code, errors) == (0, "")
                assert re.match(rb"-R 127\.0\.0\.1:[1-9]\d* at the server goes to", output)

    run(main())


def test_a_server_that_is_killed_and_comes_back_has_the_tunnel_within_five_seconds(credentials: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with echo_target() as target:
            async with command(*serving(credentials)) as server:
                port = await server.port(SERVING)
                gate = f"127.0.0.1:{port}"
                arguments = ["tunnel", gate, *files(credentials, "client"), "--control", "none"]
                tunnel = command(*arguments, "-L", f"0:127.0.0.1:{target}")
                client = await tunnel.__aenter__()
                local = await client.port(LOCAL)
                assert await echoes(local)
                server.signal(signal.SIGKILL)
                await server.ended()
            try:
                async with command(*serving(credentials, listen=gate)) as again:
                    await again.port(SERVING)
                    back_at = loop.time()
                    assert await echoes(local)  # the listener was there all the time
                    assert loop.time() - back_at < 5
            finally:
                await tunnel.__aexit__(None, None, None)

    run(main())


def test_hangup_ends_an_identity_that_lost_its_rules_and_terminate_drains(
    credentials: Path, tmp_path: Path
) -> None:
    async def main() -> None:
        config = tmp_path / "server.toml"
        config.write_text("[[allow]]\nidentity = 'client'\nrules = ['127.0.0.1:1-65535']\n")
        async with (
            echo_target() as target,
            command(*serving(credentials, "--config", config)) as server,
        ):
            gate = f"127.0.0.1:{await server.port(SERVING)}"
            arguments = ["tunnel", gate, *files(credentials, "client"), "--control", "none"]
            async with command(*arguments, "-L", f"0:127.0.0.1:{target}") as tunnel:
                local = await tunnel.port(LOCAL)
                reader, writer = await asyncio.open_connection("127.0.0.1", local)
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
                server.signal(signal.SIGHUP)
                await server.line("reloaded: 0 connections and 0 channels")
                writer.write(b"y")
                assert await reader.readexactly(1) == b"y"
                config.write_text(config.read_text().replace("client", "somebody else"))
                server.signal(signal.SIGHUP)
                await server.line("reloaded: 1 connections")
                with pytest.raises(ConnectionError):
                    await reader.readexactly(1)
                writer.close()
                await tunnel.line("the server no longer takes us")
                server.signal(signal.SIGTERM)
                assert await server.ended() == 0

    run(main())


def test_workers_share_a_port_and_are_watched_as_one(credentials: Path, tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            metrics = probe.getsockname()[1]
        control = tmp_path / "serve.sock"
        more = ("--workers", "2", "--metrics", str(metrics), "--control", control)
        async with echo_target() as target, command(*serving(credentials, *ANYWHERE, *more)) as server:
            gate = f"127.0.0.1:{await server.port(r'2 workers serve on 127.0.0.1:PORT')}"
            arguments = ["tunnel", gate, *files(credentials, "client"), "--control", "none"]
            async with command(*arguments, "-L", f"0:127.0.0.1:{target}") as tunnel:
                assert await echoes(await tunnel.port(LOCAL), b"x" * 100_000)
                code, output, _ = await finished("ctl", "--control", control, "status")
                assert code == 0
                assert b"; 2 workers" in output
                assert b"1 connections" in output
                reader, writer = await asyncio.open_connection("127.0.0.1", metrics)
                writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                text = await reader.read()
                writer.close()
                await writer.wait_closed()
                assert b'fastmux_bytes_total{identity="client",direction="received"} 100000\n' in text
                assert b"fastmux_workers 2\n" in text
                code, output, _ = await finished("ctl", "--control", control, "reload")
                assert code == 0
                assert b"worker 1: 0 connections" in output
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0

    run(main())


def test_workers_whose_parent_is_killed_end_and_free_the_port(credentials: Path) -> None:
    async def main() -> None:
        async with command(*serving(credentials, *ANYWHERE, "--workers", "2")) as server:
            port = await server.port(r"2 workers serve on 127.0.0.1:PORT")
            server.signal(signal.SIGKILL)
            await server.ended()  # and of those that held its log, which are the workers
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", port))

    run(main())


def test_datagrams_are_forwarded(credentials: Path) -> None:
    async def main() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as target, socket.socket(type=socket.SOCK_DGRAM) as client:
            for sock in (target, client):
                sock.bind(("127.0.0.1", 0))
                sock.setblocking(False)
            loop = asyncio.get_running_loop()
            port = target.getsockname()[1]
            rules = ("--allow", f"client=127.0.0.1:{port}/udp")
            async with command(*serving(credentials, *rules)) as server:
                gate = f"127.0.0.1:{await server.port(SERVING)}"
                arguments = ["tunnel", gate, *files(credentials, "client"), "--control", "none"]
                async with command(*arguments, "-L", f"0:127.0.0.1:{port}/udp") as tunnel:
                    local = await tunnel.port(r"-L 127\.0\.0\.1:PORT/udp goes to")
                    await tunnel.line("connected to")
                    await loop.sock_sendto(client, b"question", ("127.0.0.1", local))
                    async with asyncio.timeout(10):
                        data, address = await loop.sock_recvfrom(target, 100)
                        assert data == b"question"
                        await loop.sock_sendto(target, b"answer", address)
                        assert await loop.sock_recv(client, 100) == b"answer"

    run(main())
