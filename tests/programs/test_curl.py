"""curl through the HTTP proxy and through SOCKS."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from programs.gateway import Gateway
from programs.processes import free_port, program, run
from programs.web import Web

BODY = random.Random(3).randbytes(8 * 2**20)
PASSWORD = "correct horse"


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server behind the far end."""
    with Web(lambda path: (200, "application/octet-stream", BODY if path == "/big" else b"small")) as server:
        yield server


def user_option(tmp_path: Path) -> str:
    path = tmp_path / "ann.password"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o600)
    return f"ann:{path}"


@pytest.fixture(params=["http", "http with CONNECT", "socks5", "socks5h"])
def proxy(request: pytest.FixtureRequest, gateway: Gateway, web: Web) -> list[str]:
    """The options with which curl takes each way, the tunnel open."""
    gateway.serve(rules=(f"*=127.0.0.1:{web.port}", f"*=localhost:{web.port}"))
    port = free_port()
    if request.param.startswith("http"):
        gateway.tunnel("--http", str(port))
        tunnelled = ["--proxytunnel"] if "CONNECT" in request.param else []
        return ["--proxy", f"http://127.0.0.1:{port}", *tunnelled]
    gateway.tunnel("-D", str(port))
    return ["--proxy", f"{request.param}://127.0.0.1:{port}"]


def curl(*options: str | Path, check: bool = True) -> bytes:
    return run(program("curl"), "-sS", "--max-time", "30", "--noproxy", "", *options, check=check).stdout


def test_a_page_comes_whole(proxy: list[str], web: Web) -> None:
    assert curl(*proxy, f"http://127.0.0.1:{web.port}/") == b"small"
    found = curl(*proxy, f"http://127.0.0.1:{web.port}/big")
    assert hashlib.sha256(found).digest() == hashlib.sha256(BODY).digest()


def test_a_body_goes_whole(proxy: list[str], web: Web, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(BODY)
    found = curl(*proxy, "--data-binary", f"@{body}", f"http://127.0.0.1:{web.port}/post")
    assert hashlib.sha256(found).digest() == hashlib.sha256(BODY).digest()


def test_a_refused_destination_is_an_error_that_says_so(proxy: list[str], web: Web) -> None:
    done = run(
        *(program("curl"), "-sS", "--noproxy", "", *proxy, "-w", "%{http_code} %{http_connect}"),
        "http://127.0.0.1:9/",
        check=False,
    )
    assert b"403" in done.stdout or done.returncode != 0
    assert not web.requests


@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_only_the_right_password_opens_a_proxy(
    kind: str, gateway: Gateway, web: Web, tmp_path: Path
) -> None:
    gateway.serve(rules=(f"*=127.0.0.1:{web.port}",))
    port = free_port()
    option = ("--http", str(port)) if kind == "http" else ("-D", str(port))
    gateway.tunnel(*option, "--user", user_option(tmp_path))
    address = f"http://127.0.0.1:{web.port}/"
    for user in (None, "ann:wrong", f"bob:{PASSWORD}"):
        options = ["--proxy", f"{kind}://127.0.0.1:{port}", *(["--proxy-user", user] if user else [])]
        assert curl(*options, address, check=False) != b"small"
    assert not web.requests
    found = curl("--proxy", f"{kind}://127.0.0.1:{port}", "--proxy-user", f"ann:{PASSWORD}", address)
    assert found == b"small"
    assert "proxy-authorization" not in web.requests[0][2]


def test_names_are_resolved_at_the_far_end(gateway: Gateway, web: Web, tmp_path: Path) -> None:
    """The client may not even ask: it has no resolver that answers."""
    gateway.serve(rules=(f"*=localhost:{web.port}",))
    port = free_port()
    gateway.tunnel("-D", str(port))
    found = curl("--proxy", f"socks5h://127.0.0.1:{port}", f"http://localhost:{web.port}/")
    assert found == b"small"
    done = run(
        *(program("curl"), "-sS", "--noproxy", "", "--proxy", f"socks5h://127.0.0.1:{port}"),
        f"http://unlisted.example.invalid:{web.port}/",
        check=False,
        env={"LC_ALL": "C", "HOME": os.fspath(tmp_path)},
    )
    assert done.returncode != 0
    assert len(web.requests) == 1
