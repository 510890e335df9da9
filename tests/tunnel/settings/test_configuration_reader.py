"""Each text of a configuration file is understood, or refused at its place."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fastmux.tunnel.settings import configuration_reader
from fastmux.tunnel.settings.configuration import Configuration
from fastmux.tunnel.settings.configuration_file import parse_tables
from fastmux.tunnel.settings.configuration_reader import ConfigurationReader


def read(text: str, path: Path = Path("/etc/fastmux/f.toml")) -> tuple[Configuration, list[str]]:
    reader = ConfigurationReader(path)
    return reader.configuration(parse_tables(tomllib.loads(text))), reader.faults


def forward(kind: str, **keys: str) -> str:
    lines = [f"{key} = {value!r}" for key, value in keys.items()]
    return "\n".join(["[[client.forward]]", f"type = {kind!r}", *lines, ""])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[server]\nlisten = 'a b:1'", "server.listen: 'a b'"),
        ("[server]\nworkers = 0", "server.workers: 0 is not a number from 1 to 256"),
        ("[server]\nworkers = 257", "server.workers: 257 is not"),
        ("[server]\nmetrics = 'x'", "server.metrics: 'x' lacks its port: write a port, or bind:port"),
        ("[server]\ncontrol = ''", "server.control: '' is not the name of a file"),
        ("[server]\nlog_format = 'xml'", "server.log_format: 'xml' is none of text, json"),
        ("[server]\nretry = 'maybe'", "server.retry: 'maybe' is none of auto, always, never"),
        ("[client]\ncongestion = 'x'", "client.congestion: 'x' is none of cubic, newreno, bbr"),
        ("[server]\ndrain_timeout = '0s'", "server.drain_timeout: '0s'"),
        ("[tls]\ncert = ''", "tls.cert: '' is not the name of a file"),
        ("[tls]\npins = ['sha256//x']", "tls.pins[0]: 'sha256//x' is not a pin"),
        (
            "[tls]\npins = ['laptop']",
            "tls.pins[0]: 'laptop' is not a pin; `fastmux cert pin FILE` prints one",
        ),
        ("[limits]\ntotal = '10 M'", "limits.total: '10 M' is not a rate"),
        ("[limits]\nper_identity = '0'", "limits.per_identity: '0'"),
        ("[limits]\nsockets_per_identity = 0", "limits.sockets_per_identity: 0"),
        ("[limits]\nmax_connections = -1", "limits.max_connections: -1"),
        ("[[allow]]\nidentity = 'a*'\nrules = ['b:1']", "allow[0].identity: 'a*'"),
        ("[[allow]]\nidentity = 'a'\nrules = ['b:1', 'b']", "allow[0].rules[1]: 'b' has no ports"),
        ("[[allow]]\nidentity = 'a'\nrules = ['b=c:1']", "allow[0].rules[0]: 'b=c' is neither"),
        ("[[allow]]\nidentity = 'a'\nrules = []", "allow[0]: 'identity' and 'rules' hold at least one each"),
        ("[[allow]]\nidentity = []\nrules = ['b:1']", "allow[0]: 'identity' and 'rules' hold"),
        ("[revoked]\nidentities = ['*']", "revoked: * would revoke everybody"),
        ("[revoked]\nserials = ['x']", "revoked: 'x' is not a serial number"),
        ("[client]\nserver = 'gw:0'", "client.server: '0' is not a port"),
        ("[client]\nserver = '*:1'", "client.server: '*' is neither"),
        ("[client]\nserver_name = 'a b'", "client.server_name: 'a b'"),
        ("[client]\nlimit = 'fast'", "client.limit: 'fast' is not a rate"),
        ("[client]\nretry_max = 'x'", "client.retry_max: 'x' is not a time"),
        (forward("local", listen="x", to="db:1"), "client.forward[0].listen: 'x' lacks its port"),
        (forward("local", listen="1", to="127.1:1"), "client.forward[0].to: '127.1' is neither"),
        (forward("remote", listen="1", to="db"), "client.forward[0].to: 'db' lacks its port"),
        (forward("local", listen="/run/x", to="d:1/udp"), "client.forward[0].listen: UDP listens on a port"),
        (forward("socks5", listen="/run/x"), "client.forward[0].listen: '/run/x' lacks its port"),
        (forward("http", listen="db"), "client.forward[0].listen: 'db' lacks its port"),
    ],
)
def test_a_text_that_cannot_be_is_a_fault_at_its_place(text: str, fault: str) -> None:
    _, faults = read(text)
    assert len(faults) == 1 and faults[0].startswith(fault)


@pytest.mark.parametrize(
    ("users", "fault"),
    [
        ("{ '' = 'x' }", "user '': name and password have at least one character"),
        ("{ ann = '' }", "user 'ann': name and password have at least one"),
        ("{ 'a:b' = 'x' }", "user 'a:b': a name has no colon"),
        ('{ ann = "hidden\\n" }', "user 'ann': a name has no colon, and neither has control characters"),
        ("{ ann = '" + "hidden" * 50 + "' }", "user 'ann': name and password have at most 255 bytes"),
    ],
)
def test_credentials_that_no_client_could_send_are_refused_and_not_shown(users: str, fault: str) -> None:
    _, faults = read(f"[[client.forward]]\ntype = 'socks5'\nlisten = '1080'\nusers = {users}")
    assert len(faults) == 1 and faults[0].startswith(f"client.forward[0].users: {fault}")
    assert "hidden" not in faults[0]


def test_a_fault_in_a_rule_for_several_identities_is_told_once() -> None:
    _, faults = read("[[allow]]\nidentity = ['a', 'b']\nrules = ['x']")
    assert len(faults) == 1


def test_an_identity_in_a_rule_is_told_where_it_belongs() -> None:
    _, faults = read("[[allow]]\nidentity = 'a'\nrules = ['b=c:1']")
    assert faults[0].endswith("the identity stands in 'identity', not here")


def test_files_are_relative_to_the_configuration_and_the_home_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    found, faults = read("[tls]\ncert = '../tls/a.pem'\nkey = '~/a.key'\nca = '/ca.pem'")
    assert not faults
    tls = found.tls
    assert [str(path) for path in (tls.cert, tls.key, tls.ca)] == [
        "/etc/tls/a.pem",
        "/home/ann/a.key",
        "/ca.pem",
    ]


def test_so_many_rules_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_reader, "MAX_RULES", 4)
    assert not read("[[allow]]\nidentity = ['a', 'b']\nrules = ['c:1', 'd:1']")[1]
    _, faults = read("[[allow]]\nidentity = ['a', 'b', 'e']\nrules = ['c:1', 'd:1']")
    assert faults == ["allow: more than 4 rules (each identity counts its own)"]


def test_a_host_alone_is_a_server_and_a_port_alone_listens() -> None:
    found, faults = read("[client]\nserver = '[::1]'\nmetrics = '9'\n[server]\nlisten = '4433'")
    assert not faults and found.client is not None and found.server is not None
    assert found.client.server == ("::1", 4433)
    assert found.client.metrics == ("127.0.0.1", 9)
    assert found.server.listen == (("", 4433),)
