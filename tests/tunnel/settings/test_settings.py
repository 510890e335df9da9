"""The command line over the configuration file over the defaults; what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastmux.tunnel.constants import DEFAULT_RETRY_MAX, DRAIN_TIMEOUT, MAX_SOCKETS_PER_IDENTITY
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.settings import settings as s
from fastmux.tunnel.settings.credentials import Credentials

SERVER = """
[server]
listen = ["127.0.0.1:5000"]
workers = 3
metrics = "9101"
control = "none"
log_format = "json"
drain_timeout = "5s"
[tls]
cert = "server.pem"
[limits]
total = "10M"
per_identity = "1M"
sockets_per_identity = 9
max_connections = 99
[[allow]]
identity = "laptop"
rules = ["10.0.0.0/8:22"]
"""
CLIENT = """
[client]
server = "gw.example"
server_name = "gw"
limit = "1M"
retry_max = "7s"
control = "/run/x/c.sock"
[tls]
cert = "client.pem"
[[client.forward]]
type = "local"
listen = "2022"
to = "127.0.0.1:22"
"""


def write(directory: Path, text: str) -> str:
    path = directory / "fastmux.toml"
    path.write_text(text)
    return str(path)


def test_the_defaults_of_serve() -> None:
    found = s.serve_settings(s.ServeOptions(allow=("127.0.0.1:22",)), 42)
    assert found.listen == (("", 4433),)
    assert (found.workers, found.metrics, found.drain_timeout) == (1, None, DRAIN_TIMEOUT)
    assert found.control is not None
    assert found.control.name == "serve-42.sock"
    assert found.policy.max_sockets == MAX_SOCKETS_PER_IDENTITY
    assert (found.policy.limit, found.policy.limit_per_identity) == (None, None)


@pytest.mark.parametrize("text", [None, "[server]\n", "[server]\nlisten = '1'\n[client]\nserver = 'a'\n"])
def test_without_a_rule_nothing_is_served(tmp_path: Path, text: str | None) -> None:
    """H45: a server that lets everybody reach everything by default was chisel's hole."""
    config = write(tmp_path, text) if text is not None else ""
    with pytest.raises(ConfigurationError, match="give --allow RULE"):
        s.serve_settings(s.ServeOptions(config=config), 1)


def test_serve_takes_all_from_a_file(tmp_path: Path) -> None:
    found = s.serve_settings(s.ServeOptions(config=write(tmp_path, SERVER)), 1)
    assert found.listen == (("127.0.0.1", 5000),)
    assert (found.workers, found.metrics, found.control) == (3, ("127.0.0.1", 9101), None)
    assert (found.drain_timeout, found.max_connections, found.log_format) == (5.0, 99, "json")
    assert found.credentials.cert == str(tmp_path / "server.pem")
    assert (found.policy.limit, found.policy.limit_per_identity, found.policy.max_sockets) == (
        10**7,
        10**6,
        9,
    )


def test_the_command_line_of_serve_goes_first(tmp_path: Path) -> None:
    found = s.serve_settings(
        s.ServeOptions(
            credentials=Credentials(cert="mine.pem"),
            config=write(tmp_path, SERVER),
            listen=("*:6000", "[::1]:6001"),
            metrics="127.0.0.2:1",
            control="/run/mine.sock",
            workers=2,
            limit=5,
            limit_per_identity=4,
            drain_timeout=1.0,
        ),
        1,
    )
    assert found.listen == (("", 6000), ("::1", 6001))
    assert (found.workers, found.metrics, found.control) == (2, ("127.0.0.2", 1), Path("/run/mine.sock"))
    assert (found.credentials.cert, found.drain_timeout) == ("mine.pem", 1.0)
    assert (found.policy.limit, found.policy.limit_per_identity) == (5, 4)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (s.ServeOptions(allow=("nonsense",)), "--allow: rule 'nonsense'"),
        (s.ServeOptions(allow=("*:1",), listen=("a:b:c",)), "-l: "),
        (s.ServeOptions(allow=("*:1",), metrics="x"), "--metrics: "),
        (s.ServeOptions(config="/gone.toml"), "no configuration file /gone.toml"),
    ],
)
def test_what_serve_cannot_use_is_named_by_its_option(options: s.ServeOptions, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        s.serve_settings(options, 1)


def test_a_fault_in_the_file_and_a_revocation_list_that_is_missing_are_configuration_errors(
    tmp_path: Path, keys: Path
) -> None:
    with pytest.raises(ConfigurationError, match="unknown"):
        s.serve_settings(s.ServeOptions(config=write(tmp_path, "[server]\nlisen = '1'\n")), 1)
    config = write(tmp_path, SERVER + "[revoked]\ncrl = 'gone.pem'\n")
    ca = Credentials(ca=str(keys / "ca.pem"))
    with pytest.raises(ConfigurationError, match=r"gone\.pem"):
        s.serve_settings(s.ServeOptions(credentials=ca, config=config), 1)


def test_the_defaults_of_tunnel() -> None:
    found = s.tunnel_settings(s.TunnelOptions(server=("gw", 1)), 42)
    assert (found.server, found.limit, found.retry_max) == (("gw", 1), None, DEFAULT_RETRY_MAX)
    assert found.forwards == ()
    assert found.control is not None
    assert found.control.name == "tunnel-42.sock"


def test_tunnel_takes_all_from_a_file_and_adds_the_forwards_of_the_command_line(tmp_path: Path) -> None:
    config = write(tmp_path, CLIENT)
    found = s.tunnel_settings(
        s.TunnelOptions(
            config=config, local=("1:a:2",), remote=("3:b:4",), socks5=("5",), http=("6",), users={"u": "p"}
        ),
        1,
    )
    assert found.server == ("gw.example", 4433)
    assert (found.limit, found.retry_max, found.control) == (10**6, 7.0, Path("/run/x/c.sock"))
    assert found.credentials.server_name == "gw"
    assert [(each.kind, each.listen.port) for each in found.forwards] == [
        ("local", 1),
        ("remote", 3),
        ("socks5", 5),
        ("http", 6),
        ("local", 2022),
    ]
    assert [dict(each.users) for each in found.forwards[2:4]] == [{"u": "p"}] * 2
    mine = s.tunnel_settings(s.TunnelOptions(server=("other", 9), config=config, limit=3, retry_max=1.0), 1)
    assert (mine.server, mine.limit, mine.retry_max) == (("other", 9), 3, 1.0)


def test_a_tunnel_needs_a_server() -> None:
    with pytest.raises(ConfigurationError, match="which server"):
        s.tunnel_settings(s.TunnelOptions(), 1)


def test_a_forward_is_parsed_by_its_kind() -> None:
    local = s.forward_of("local", "8080:host:80")
    assert (local.kind, local.listen, local.to) == (
        "local",
        Target("tcp", "127.0.0.1", 8080),
        Target("tcp", "host", 80),
    )
    assert s.forward_of("socks5", "1080").listen == Target("tcp", "127.0.0.1", 1080)
    with pytest.raises(ConfigurationError, match="-R: "):
        s.forward_of("remote", "8080")
    with pytest.raises(ConfigurationError, match="is none of"):
        s.forward_of("dynamic", "1080")


def test_connect_and_ping_take_certificates_and_name_from_a_file(tmp_path: Path) -> None:
    merged = s.client_credentials(Credentials(key="k"), write(tmp_path, CLIENT))
    assert merged == Credentials(str(tmp_path / "client.pem"), "k", "", "gw")


def test_the_controller_is_that_of_the_option_then_of_the_file_then_the_librarys(tmp_path: Path) -> None:
    rules = ("127.0.0.1:22",)
    config = write(tmp_path, SERVER.replace("workers = 3", 'congestion = "bbr"'))
    assert s.serve_settings(s.ServeOptions(allow=rules), 42).congestion == "cubic"
    assert s.serve_settings(s.ServeOptions(config=config), 42).congestion == "bbr"
    assert s.serve_settings(s.ServeOptions(config=config, congestion="newreno"), 42).congestion == "newreno"
    config = write(tmp_path, CLIENT.replace('limit = "1M"', 'congestion = "bbr"'))
    assert s.tunnel_settings(s.TunnelOptions(config=config), 42).congestion == "bbr"
    assert s.tunnel_settings(s.TunnelOptions(server=("gw", 1)), 42).congestion == "cubic"


def test_retry_is_that_of_the_file_else_the_librarys(tmp_path: Path) -> None:
    config = write(tmp_path, SERVER.replace("workers = 3", 'retry = "always"'))
    assert s.serve_settings(s.ServeOptions(config=config), 42).retry == "always"
    assert s.serve_settings(s.ServeOptions(allow=("127.0.0.1:22",)), 42).retry == "auto"
