"""Labels: what was meant comes back, what a hostile peer sends is a ValueError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.forwarding import wire
from fastmux.tunnel.forwarding.wire import Accepted, Dial, Listen, Ping, parse_label
from fastmux.tunnel.notation.targets import Target

TARGETS = [
    (Target("tcp", "example.org", 22), "tcp:example.org:22"),
    (Target("tcp", "192.0.2.7", 65535), "tcp:192.0.2.7:65535"),
    (Target("udp", "::1", 53), "udp:[::1]:53"),
    (Target("unix", path="/run/app.sock"), "unix:/run/app.sock"),
]


@pytest.mark.parametrize(("target", "text"), TARGETS)
def test_a_target_survives_its_label(target: Target, text: str) -> None:
    assert wire.label_of(target) == f"fastmux:{text}"
    assert parse_label(wire.label_of(target)) == Dial(target)
    assert wire.listen_label_of(target) == f"fastmux:listen:{text}"
    assert parse_label(wire.listen_label_of(target)) == Listen(target)


def test_a_listener_may_have_every_interface_and_any_port() -> None:
    everywhere = Target("tcp", "", 0)
    assert wire.listen_label_of(everywhere) == "fastmux:listen:tcp:*:0"
    assert parse_label("fastmux:listen:tcp:*:0") == parse_label("fastmux:listen:tcp::0") == Listen(everywhere)


@pytest.mark.parametrize("peer", [("192.0.2.7", 5), ("::1", 65535), ("", 0)])
def test_an_accepted_peer_survives_its_label(peer: tuple[str, int]) -> None:
    label = wire.accepted_label_of(12, *peer)
    assert parse_label(label) == Accepted(12, *peer)


def test_a_ping_is_a_ping() -> None:
    assert parse_label(wire.PING_LABEL) == Ping()


@pytest.mark.parametrize(
    "label",
    [
        *("", "fastmux:", "ping", "fastmux:ping:", "fastmux:sctp:a:1", "fastmux:tcp", "tcp:a:1"),
        *("fastmux:tcp:", "fastmux:accepted:1"),
        *("fastmux:tcp:a", "fastmux:tcp::22", "fastmux:tcp:*:22", "fastmux:tcp:a:0", "fastmux:tcp:a:65536"),
        *("fastmux:tcp:a:-1", "fastmux:tcp:a:+1", "fastmux:tcp:a: 1", "fastmux:tcp:a:\u0661"),
        *("fastmux:tcp:a:1_0", "fastmux:tcp:a:1 "),
        *("fastmux:tcp:::1:22", "fastmux:tcp:[a]:22", "fastmux:tcp:[127.0.0.1]:22", "fastmux:tcp:[::1:22"),
        *("fastmux:tcp:2130706433:22", "fastmux:tcp:0177.0.0.1:22", "fastmux:tcp:0x7f.1:22"),
        *("fastmux:tcp:127.1:1", "fastmux:tcp:1:1"),
        *("fastmux:tcp:a b:22", "fastmux:tcp:a\n:22", "fastmux:tcp:a/b:22", "fastmux:tcp:u@a:22"),
        *("fastmux:unix:", "fastmux:unix:relative", "fastmux:unix:/a/../b", "fastmux:unix:/a\x00"),
        *("fastmux:listen:", "fastmux:listen:tcp:a:65536", "fastmux:listen:listen:tcp:a:1"),
        *("fastmux:accepted:", "fastmux:accepted:x::0", "fastmux:accepted:-1::0", "fastmux:accepted:1:a"),
        *("fastmux:accepted:99999999999999999999::0", "fastmux:accepted:1:a:65536"),
    ],
)
def test_anything_else_is_a_value_error(label: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_label(label)


@given(st.text(max_size=80))
def test_only_value_errors_leave_the_parser(text: str) -> None:
    for prefix in ("", "fastmux:", "fastmux:tcp:", "fastmux:listen:udp:", "fastmux:accepted:"):
        try:
            parse_label(prefix + text)
        except ValueError as error:
            assert str(error)


def test_a_target_too_long_for_a_label_is_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        wire.label_of(Target("tcp", "a" * 250, 22))
