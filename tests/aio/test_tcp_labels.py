"""Labels of places of TCP, made and read."""

from __future__ import annotations

import pytest

from fastmux.aio.tcp_labels import parse_tcp_label, same_host, tcp_label


@pytest.mark.parametrize(
    ("host", "port", "label"),
    [
        ("example.org", 22, "fastmux:tcp:example.org:22"),
        ("10.0.0.1", 65535, "fastmux:tcp:10.0.0.1:65535"),
        ("::1", 1, "fastmux:tcp:[::1]:1"),
    ],
)
def test_a_label_and_its_place_are_the_same_thing(host: str, port: int, label: str) -> None:
    assert tcp_label(host, port) == label
    assert parse_tcp_label(label) == (host, port)


@pytest.mark.parametrize("place", [("", 22), ("host", 0), ("host", 65536), ("host", -1)])
def test_a_place_that_cannot_be_has_no_label(place: tuple[str, int]) -> None:
    with pytest.raises(ValueError, match="host is missing|port is"):
        tcp_label(*place)


@pytest.mark.parametrize(
    "label",
    [
        "",
        "chat",
        "fastmux:udp:a:1",
        "fastmux:tcp:",
        "fastmux:tcp:a",
        "fastmux:tcp::1",
        "fastmux:tcp:[]:1",
        "fastmux:tcp:a:0",
        "fastmux:tcp:a:65536",
        "fastmux:tcp:a:-1",
        "fastmux:tcp:a:٣",
        "fastmux:tcp:a:" + "1" * 200,
    ],
)
def test_anything_else_is_no_place(label: str) -> None:
    assert parse_tcp_label(label) is None


def test_hosts_are_compared_by_what_they_mean() -> None:
    assert same_host("Example.ORG.") == same_host("example.org")
    assert same_host("0:0::1") == same_host("::1")
    assert same_host("a") != same_host("b")
