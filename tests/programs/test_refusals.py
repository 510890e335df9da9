"""What the server refuses, seen from outside by a client that is mutually authenticated."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from fastmux.security.certificates import make_credentials
from programs.gateway import Gateway
from programs.processes import FASTMUX, free_port, run
from programs.web import Web

USAGE, CONFIGURATION, AUTHENTICATION, UNREACHABLE = 2, 3, 4, 5


@pytest.fixture
def web() -> Iterator[Web]:
    """What must not be reached."""
    with Web(lambda _: (200, "text/plain", b"secret")) as server:
        yield server


def reach(gateway: Gateway, target: str) -> tuple[int, bytes, bytes]:
    """Ask for a page by `fastmux connect`; the status and what was written to output and error."""
    words = [*FASTMUX, "connect", gateway.address, *gateway.files("client"), target]
    done = run(*words, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_server_without_rules_does_not_start(gateway: Gateway) -> None:
    words = [*FASTMUX, "serve", "-l", gateway.address, *gateway.files("server")]
    done = run(*words, check=False)
    assert done.returncode in (USAGE, CONFIGURATION)
    assert b"--allow" in done.stderr


def test_a_port_that_no_rule_has_is_refused(gateway: Gateway, web: Web) -> None:
    gateway.serve(rules=("*=127.0.0.1:1",))
    status, output, error = reach(gateway, f"127.0.0.1:{web.port}")
    assert (status, output) == (UNREACHABLE, b"")
    assert b"not allowed" in error or b"refused" in error


def test_a_rule_is_for_its_identity_only(gateway: Gateway, web: Web) -> None:
    gateway.serve(rules=(f"somebody-else=127.0.0.1:{web.port}", "client=127.0.0.1:1"))
    status, output, _ = reach(gateway, f"127.0.0.1:{web.port}")
    assert (status, output) == (UNREACHABLE, b"")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "169.254.169.254",
        "[fe80::1]",
        "10.0.0.1",
        "100.64.0.1",
    ],
)
def test_a_rule_for_every_host_names_no_private_address(host: str, gateway: Gateway, web: Web) -> None:
    gateway.serve(rules=("*=*:*", "*=0.0.0.0/0:*"))
    status, output, error = reach(gateway, f"{host}:{web.port}")
    # a spelling that is no address at all is refused before anybody is asked
    assert status in (UNREACHABLE, CONFIGURATION) and error
    assert not output and not web.requests


def test_a_listener_that_no_rule_has_is_refused(gateway: Gateway) -> None:
    allowed, other = free_port(), free_port()
    gateway.serve(rules=("*=127.0.0.1:*", f"*=listen:127.0.0.1:{allowed}"))
    words = [*FASTMUX, "tunnel", gateway.address, *gateway.files("client"), "--exit-on-forward-failure"]
    done = run(*words, "-R", f"{other}:127.0.0.1:9", check=False, timeout=30)
    assert done.returncode != 0
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", other)) != 0


def test_a_client_of_another_ca_is_refused(
    gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gateway.serve()
    other = tmp_path_factory.mktemp("other") / "other"
    make_credentials(other, days=1)
    files = ("--cert", other / "client.pem", "--key", other / "client.key")
    ca = gateway.credentials / "ca.pem"
    done = run(*FASTMUX, "ping", gateway.address, *files, "--ca", ca, "-c", "1", check=False)
    assert done.returncode == AUTHENTICATION


def test_a_server_of_another_name_is_refused_and_its_names_are_told(gateway: Gateway) -> None:
    gateway.serve()
    words = [*FASTMUX, "ping", gateway.address, *gateway.files("client"), "--server-name", "other.example"]
    done = run(*words, "-c", "1", check=False)
    assert done.returncode == AUTHENTICATION
    assert b"localhost" in done.stderr


def test_nobody_there_is_unreachable(gateway: Gateway) -> None:
    words = [*FASTMUX, "ping", gateway.address, *gateway.files("client"), "-c", "1"]
    assert run(*words, check=False, timeout=60).returncode == UNREACHABLE


def test_a_key_that_others_can_read_is_refused(gateway: Gateway) -> None:
    copy = gateway.programs.directory / "loose.key"
    copy.write_bytes((gateway.credentials / "client.key").read_bytes())
    copy.chmod(0o644)
    files = ("--cert", gateway.credentials / "client.pem", "--key", copy)
    ca = gateway.credentials / "ca.pem"
    done = run(*FASTMUX, "ping", gateway.address, *files, "--ca", ca, "-c", "1", check=False)
    assert done.returncode == CONFIGURATION
    assert b"chmod" in done.stderr
