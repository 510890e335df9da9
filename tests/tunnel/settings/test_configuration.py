"""A configuration file as a whole: understood, and trusted only if no stranger could change or read it."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.access.identity_patterns import parse_identity
from fastmux.tunnel.access.revocation import parse_revoked
from fastmux.tunnel.access.rules import parse_destination, parse_rule
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.settings import configuration
from fastmux.tunnel.settings.configuration import (
    Client,
    ClientForward,
    Configuration,
    InvalidConfiguration,
    Limits,
    Revoked,
    Server,
    TlsFiles,
    parse_configuration,
    read_configuration,
)

WHOLE = """
[server]
listen = ["0.0.0.0:4433", "[::]:4433"]
workers = 2
metrics = "9101"
control = "run/ctl.sock"
log_format = "json"
drain_timeout = "30s"

[tls]
cert = "server.pem"
key = "/etc/keys/server.key"
ca = "ca.pem"
reload = false
pins = ["sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]

[limits]
total = "1Gbit"
per_identity = "10M"
sockets_per_identity = 64
max_connections = 100

[[allow]]
identity = ["laptop", "spiffe://corp/dev/*"]
rules = ["10.0.0.0/8:22", "unix:/run/a=b.sock"]

[[allow]]
identity = "*"
rules = ["listen:127.0.0.1:2200-2299"]

[revoked]
identities = ["old-laptop"]
serials = ["0a:1b"]
crl = "crl.pem"

[client]
server = "gw.example"
server_name = "Gateway.Example"
limit = "500k"
retry_max = "1m"
control = "none"

[[client.forward]]
type = "local"
listen = "5353"
to = "10.0.0.53:53/udp"

[[client.forward]]
type = "remote"
listen = "*:2201"
to = "/run/x.sock"

[[client.forward]]
type = "local"
listen = "/run/l.sock"
to = "db:5432"

[[client.forward]]
type = "socks5"
listen = "[::1]:1080"
users = { ann = "secret word" }

[[client.forward]]
type = "http"
listen = "8080"
"""


def write(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "fastmux.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_whole_file_is_understood(tmp_path: Path) -> None:
    found = read_configuration(write(tmp_path, WHOLE))
    assert found == Configuration(
        path=tmp_path / "fastmux.toml",
        server=Server(
            listen=(("0.0.0.0", 4433), ("::", 4433)),
            workers=2,
            metrics=("127.0.0.1", 9101),
            control=str(tmp_path / "run/ctl.sock"),
            log_format="json",
            drain_timeout=30,
        ),
        tls=TlsFiles(
            tmp_path / "server.pem",
            Path("/etc/keys/server.key"),
            tmp_path / "ca.pem",
            pins=("sha256//" + "A" * 43 + "=",),
            reload=False,
        ),
        limits=Limits(125_000_000, 10_000_000, 64, 100),
        rules=(
            parse_rule("laptop=10.0.0.0/8:22"),
            parse_destination("unix:/run/a=b.sock", parse_identity("laptop")),
            parse_rule("spiffe://corp/dev/*=10.0.0.0/8:22"),
            parse_destination("unix:/run/a=b.sock", parse_identity("spiffe://corp/dev/*")),
            parse_rule("*=listen:127.0.0.1:2200-2299"),
        ),
        revoked=Revoked(parse_revoked(["old-laptop"], ["0a1b"]), tmp_path / "crl.pem"),
        client=Client(
            server=("gw.example", 4433),
            server_name="gateway.example",
            limit=500_000,
            retry_max=60,
            control="none",
            forwards=(
                ClientForward("local", Target("udp", "127.0.0.1", 5353), Target("udp", "10.0.0.53", 53)),
                ClientForward("remote", Target("tcp", "", 2201), Target("unix", path="/run/x.sock")),
                ClientForward("local", Target("unix", path="/run/l.sock"), Target("tcp", "db", 5432)),
                ClientForward("socks5", Target("tcp", "::1", 1080), users={"ann": "secret word"}),
                ClientForward("http", Target("tcp", "127.0.0.1", 8080)),
            ),
        ),
    )


def test_an_empty_file_leaves_every_default_to_others() -> None:
    assert parse_configuration(b"", Path("f")) == Configuration(Path("f"))
    assert parse_configuration(b"[server]\n[client]\n", Path("f")) == Configuration(
        Path("f"), Server(), Client()
    )


def test_no_password_shows_in_a_repr(tmp_path: Path) -> None:
    assert "secret" not in repr(read_configuration(write(tmp_path, WHOLE)))


@pytest.mark.skipif(os.name != "posix", reason="no permission bits")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o660])
def test_a_file_with_passwords_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InvalidConfiguration, match=f"passwords, and with permissions {mode:04o}.*chmod 600"):
        read_configuration(write(tmp_path, WHOLE, mode))


@pytest.mark.skipif(os.name != "posix", reason="no permission bits")
def test_a_file_without_passwords_may_be_read_by_all_and_written_by_no_stranger(tmp_path: Path) -> None:
    for mode in (0o644, 0o664):
        assert read_configuration(write(tmp_path, "[server]", mode)).server == Server()
    with pytest.raises(InvalidConfiguration, match="anybody can write .* chmod o-w"):
        read_configuration(write(tmp_path, "[server]", 0o646))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root for chown")
def test_a_file_with_passwords_of_another_user_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    os.chown(path, 12345, 12345)
    with pytest.raises(InvalidConfiguration, match=r"another user \(uid 12345\)"):
        read_configuration(path)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"x", "Expected '=' after a key"),
        (b"\xff", "utf-8"),
        (b"[server]\nworker = 1", "f: server: the key 'worker' is unknown"),
        (b"a = " + b"[" * 100_000, "f: "),
    ],
)
def test_what_is_no_configuration_is_refused_with_the_name_of_the_file(data: bytes, match: str) -> None:
    with pytest.raises(InvalidConfiguration, match=match) as refusal:
        parse_configuration(data, Path("f"))
    assert str(refusal.value).startswith("f: ")


def test_every_fault_is_named_at_once() -> None:
    text = b'[server]\nlisten = ["x y", "1:2:3"]\ndrain_timeout = "soon"\n[client]\nserver = ""\n'
    with pytest.raises(InvalidConfiguration) as refusal:
        parse_configuration(text, Path("f"))
    places = [line.split(": ")[1] for line in str(refusal.value).splitlines()]
    assert places == ["server.listen[0]", "server.listen[1]", "server.drain_timeout", "client.server"]


def test_a_file_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "MAX_CONFIGURATION_SIZE", 100)
    assert read_configuration(write(tmp_path, "#" * 100)).server is None
    with pytest.raises(InvalidConfiguration, match="larger than 100 bytes"):
        read_configuration(write(tmp_path, "#" * 101))


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_configuration(tmp_path / "none.toml")


def test_a_missing_extra_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("configuration_file", "configuration_reader"):
        monkeypatch.delitem(sys.modules, f"fastmux.tunnel.settings.{name}", raising=False)
    real_import = builtins.__import__

    def without_msgspec(name: str, *args: Any, **options: Any) -> Any:
        if name == "msgspec":
            raise ModuleNotFoundError("No module named 'msgspec'", name="msgspec")
        return real_import(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_msgspec)
    with pytest.raises(InvalidConfiguration, match=r"pip install 'fastmux\[tunnel\]'"):
        parse_configuration(b"", Path("f"))


def test_the_settings_load_no_msgspec() -> None:
    """Guards every start without a configuration file, and those who did not install the extra."""
    code = "import sys, fastmux.tunnel.settings.configuration; print('msgspec' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_revocation_list_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    listed = parse_revoked(["a"], [])
    assert Revoked(listed).load(tmp_path / "ca.pem") == listed
    with pytest.raises(FileNotFoundError):
        Revoked(listed, tmp_path / "crl.pem").load(tmp_path / "ca.pem")


KEYS = st.sampled_from(
    ["server", "client", "tls", "allow", "listen", "to", "type", "users", "forward", "rules", "x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("local"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def toml(value: object) -> str:
    """A value in TOML, inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    return '"' + "".join(f"\\U{ord(each):08x}" for each in text) + '"'


@given(st.dictionaries(KEYS, VALUES, max_size=4) | st.binary(max_size=20))
def test_only_invalid_configuration_leaves_the_parser(content: dict[str, object] | bytes) -> None:
    data = content
    if isinstance(data, dict):
        data = "\n".join(f"{key} = {toml(value)}" for key, value in data.items()).encode()
    try:
        parse_configuration(data, Path("f"))
    except InvalidConfiguration as error:
        assert str(error)
