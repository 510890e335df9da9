"""Every outside error has an exit code and a sentence; an error of the program has none."""

from __future__ import annotations

import socket

import pytest

from fastmux.exceptions import AuthenticationError, ChannelReset, ConnectionClosed, HandshakeError
from fastmux.tunnel import exits
from fastmux.tunnel.constants import ACCESS_DENIED


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (exits.ConfigurationError("no such file"), 3, "no such file"),
        (exits.CommandError(5, "refused"), 5, "refused"),
        (AuthenticationError("the peer refused our certificate"), 4, "refused our certificate"),
        (ConnectionClosed(ACCESS_DENIED, "no rule", True), 4, "refuses this identity: no rule"),
        (ConnectionClosed(ACCESS_DENIED, "no rule", False), 255, "no rule"),
        (ConnectionClosed(0x13, "silent"), 255, "silent"),
        (ChannelReset(0x14), 255, "reset by the peer"),
        (HandshakeError("the peer does not speak TLS"), 5, "does not speak TLS"),
        (TimeoutError("no connection to gw port 4433 within 10 s"), 5, "is `fastmux serve` running"),
        (socket.gaierror(-2, "Name or service not known"), 5, "cannot be resolved: Name or service"),
        (socket.gaierror(-2, "unknown", "gw\x1b"), 5, "the name 'gw?' cannot be resolved: unknown"),
        (ConnectionRefusedError(111, "Connection refused"), 5, "Connection refused"),
        (ConnectionError("the far end ended the channel"), 255, "the far end ended the channel"),
        (ModuleNotFoundError("No module named 'h11'", name="h11"), 3, "pip install 'fastmux[tunnel]'"),
        (ModuleNotFoundError("No module named 'rich'", name="rich"), 3, "pip install 'fastmux[rich]'"),
    ],
)
def test_an_outside_error_has_a_code_and_says_what_is_wrong(error: Exception, code: int, text: str) -> None:
    found = exits.command_error(error)
    assert found is not None
    assert found.code == code
    assert text in str(found)


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError(), ModuleNotFoundError(name="fastmux.oops")])
def test_an_error_of_the_program_has_none(error: Exception) -> None:
    assert exits.command_error(error) is None


def test_a_wrong_name_says_by_which_option_another_is_given() -> None:
    error = exits.command_error(AuthenticationError("the peer's certificate is for a, b, not c"))
    assert "--server-name" in str(error)


def test_a_wrong_pin_says_how_pins_are_shown() -> None:
    text = "the peer's public key is sha256//x, which is none of the configured pins"
    assert "fastmux cert pin" in str(exits.command_error(AuthenticationError(text)))


def test_what_the_peer_gives_as_a_reason_is_printable() -> None:
    error = exits.command_error(ConnectionClosed(ACCESS_DENIED, "\x1b[31mred", True))
    assert "\x1b" not in str(error)


def test_a_look_up_that_fails_names_the_host() -> None:
    with pytest.raises(socket.gaierror) as caught, exits.naming("gw.example"):
        raise socket.gaierror(-2, "Name or service not known")
    assert str(exits.command_error(caught.value)).startswith("the name 'gw.example' cannot be resolved: Name")
    with pytest.raises(ConnectionError, match="other"), exits.naming("gw.example"):
        raise ConnectionError("other")
