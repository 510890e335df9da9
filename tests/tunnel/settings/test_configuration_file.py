"""The tables and keys of a configuration file: unknown ones are refused, with their place."""

from __future__ import annotations

import tomllib

import pytest

from fastmux.tunnel.settings.configuration_file import HttpTable, parse_tables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("serve = 1", "the key 'serve' is unknown; is 'server' meant?"),
        ("[x]", "the key 'x' is unknown; there are allow, client, limits, revoked, server, tls"),
        ("[server]\nworker = 1", "server: the key 'worker' is unknown; is 'workers' meant?"),
        (
            "[tls]\nclient_ca = 'x'",
            "tls: the key 'client_ca' is unknown; there are ca, cert, key, pins, reload",
        ),
        ("[limits]\nper_client = '1M'", "limits: the key 'per_client' is unknown"),
        ("[revoked]\npins = []", "revoked: the key 'pins' is unknown"),
        (
            "[[allow]]\nidentity = 'a'\nrules = []\nrule = 1",
            "allow[0]: the key 'rule' is unknown; is 'rules' meant?",
        ),
        ("[[allow]]\nidentity = 'a'", "allow[0]: the key 'rules' is missing"),
        (
            "[server]\nlisten = 1",
            "server.listen: this is a whole number, and should be a text in quotes or a list",
        ),
        ("[server]\nworkers = '2'", "server.workers: this is a text in quotes, and should be a whole number"),
        ("[server]\nworkers = 2.5", "server.workers: this is a number, and should be a whole number"),
        ("[tls]\nreload = 'yes'", "tls.reload: this is a text in quotes, and should be true or false"),
        ("[tls]\nreload = 1", "tls.reload: this is a whole number, and should be true or false"),
        ("[tls]\npins = [1]", "tls.pins[0]: this is a whole number"),
        ("server = []", "server: this is a list in brackets, and should be a table"),
        ("[client]\nforward = {}", "client.forward: this is a table, and should be a list"),
        ("[[client.forward]]\nlisten = '1'", "client.forward[0]: the key 'type' is missing"),
        (
            "[client]\nforward = [{type = 'http', listen = '1'}, {type = 'sock', listen = '1'}]",
            "client.forward[1].type: 'sock' is none of local, remote, socks5, http",
        ),
        (
            "[[client.forward]]\ntype = 'http'\nlisten = '1'\nto = 'x'",
            "client.forward[0]: the key 'to' is unknown; there are listen, type, users",
        ),
        (
            "[[client.forward]]\ntype = 'local'\nlisten = '1'\nusers = {}",
            "client.forward[0]: the key 'users' is unknown; there are listen, to, type",
        ),
        ("[[client.forward]]\ntype = 'local'\nlisten = '1'", "client.forward[0]: the key 'to' is missing"),
        ("[[client.forward]]\ntype = 'http'\nlisten = '1'\nusers = {a = 5}", "client.forward[0].users"),
        ("[[client.forward]]\ntype = 5\nlisten = '1'", "client.forward[0].type"),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_tables(tomllib.loads(text))
    assert str(refusal.value).startswith(message)


def test_the_kind_of_a_forward_is_its_type() -> None:
    text = "[[client.forward]]\ntype = 'http'\nlisten = '8080'\nusers = {ann = 'x'}"
    client = parse_tables(tomllib.loads(text)).client
    assert client is not None and client.forward == [HttpTable(listen="8080", users={"ann": "x"})]


def test_no_value_of_a_password_gets_into_a_message() -> None:
    text = "[[client.forward]]\ntype = 'http'\nlisten = '1'\nusers = {ann = ['hidden']}"
    with pytest.raises(ValueError) as refusal:
        parse_tables(tomllib.loads(text))
    assert "hidden" not in str(refusal.value)
