"""What the commands share: certificates, logs, units, and how an error ends a command."""

from __future__ import annotations

import logging
from typing import Any

import click
import pytest
from click.testing import CliRunner

from fastmux.tunnel.command_line import options as o
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.settings.credentials import Credentials


def given(*arguments: str, **environment: str) -> dict[str, Any]:
    """What a command gets of these arguments."""
    got: dict[str, Any] = {}

    @click.command()
    @click.option("--rate", type=o.RATE)
    @click.option("--wait", type=o.DURATION)
    @click.option("--server", type=o.SERVER)
    @o.credential_options(is_client=True)
    @o.config_option
    @o.control_option
    @o.log_options
    def command(**options: Any) -> None:
        got.update(options)

    result = CliRunner().invoke(command, arguments, env=environment)
    if result.exit_code:
        raise click.UsageError(result.output)
    return got


def test_certificates_come_as_one_with_those_of_the_environment_below() -> None:
    got = given("--cert", "a.pem", "--pin", "p", "--pin", "q", "--server-name", "gw", FASTMUX_KEY="b.key")
    assert got["credentials"] == Credentials("a.pem", "b.key", "", "gw", ("p", "q"))
    assert given("--key", "c.key", FASTMUX_KEY="b.key")["credentials"].key == "c.key"


def test_verbosity_counts_and_the_form_is_open_until_it_is_given() -> None:
    assert given()["log"] == o.Log(0, "")
    assert given("-vv", "-q", "--log-format", "json")["log"] == o.Log(1, "json")


def test_units_are_parsed() -> None:
    got = given("--rate", "10M", "--wait", "1m", "--server", "[::1]")
    assert (got["rate"], got["wait"], got["server"]) == (10_000_000, 60.0, ("::1", 4433))
    assert given("--server", "gw:99")["server"] == ("gw", 99)


@pytest.mark.parametrize(
    ("option", "text"), [("--rate", "fast"), ("--wait", "soon"), ("--server", "gw:0"), ("--server", "a b")]
)
def test_what_is_no_unit_is_a_usage_error_with_the_text(option: str, text: str) -> None:
    with pytest.raises(click.UsageError, match=option):
        given(option, text)
    with pytest.raises(click.UsageError, match="Invalid value"):
        given(option, text)


def test_the_log_is_set_up_by_options_then_by_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    o.start_logging(o.Log(), form="json")
    logging.getLogger("fastmux.tunnel").info("hello")
    assert '"message": "hello"' in capsys.readouterr().err
    assert logging.getLogger("fastmux").level == logging.INFO
    o.start_logging(o.Log(1), base=-1)
    assert logging.getLogger("fastmux").level == logging.INFO


def test_without_a_configuration_file_the_options_stand_alone() -> None:
    """Nor is anything of `init` looked for where one of them is given."""
    assert o.merged_credentials(Credentials("a"), None) == Credentials("a")


def test_a_target_becomes_a_label() -> None:
    assert o.stream_label("host:22") == "fastmux:tcp:host:22"
    assert o.stream_label("[::1]:22") == "fastmux:tcp:[::1]:22"
    assert o.stream_label("/run/a.sock") == "fastmux:unix:/run/a.sock"


@pytest.mark.parametrize("text", ["host", "host:22/udp", "host:x", "a" * 300 + ":1"])
def test_what_is_no_target_of_a_stream_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        o.stream_label(text)
