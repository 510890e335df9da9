"""Sets of ports: what is written is what they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.constants import MAX_PORT_RANGES
from fastmux.tunnel.notation.ports import ALL_PORTS, parse_port, parse_ports


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("22", "22"), ("80,443", "80,443"), ("443,80", "80,443"), ("2200-2299", "2200-2299"), ("*", "*")]
    + [("1-65535", "*"), ("1-5,6", "1-6"), ("1-9,3-4", "1-9"), ("7,7", "7"), ("5-5", "5")],
)
def test_ports_are_sorted_and_joined(text: str, canonical: str) -> None:
    assert str(parse_ports(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "0",
            "65536",
            "0-5",
            "5-4",
            "1-",
            "-1",
            "1,,2",
            "1,",
            " 1",
            "1 ",
            "ssh",
            "+1",
            "1-2-3",
            "**",
            "*,1",
        )
    ]
    + ["1e3", "0x16", "\u0661", "000022", "99999999999999999999", "1\n"],
)
def test_what_is_no_list_of_ports_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_ports(text)


def test_a_rule_has_so_many_ranges_and_no_more() -> None:
    ports = [str(2 * number) for number in range(1, MAX_PORT_RANGES + 1)]
    assert len(parse_ports(",".join(ports)).ranges) == MAX_PORT_RANGES
    with pytest.raises(ValueError, match="write several rules"):
        parse_ports(",".join([*ports, "9999"]))


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 20)), min_size=1, max_size=10))
def test_a_set_holds_what_a_plain_set_would(parts: list[tuple[int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}" for first, more in parts)
    model = {port for first, more in parts for port in range(first, first + more + 1)}
    ports = parse_ports(text)
    assert {port for port in range(200) if port in ports} == model
    assert parse_ports(str(ports)) == ports
    assert all(end + 1 < start for (_, end), (start, _) in zip(ports.ranges, ports.ranges[1:], strict=False))


@given(st.text())
def test_only_a_value_error_leaves_the_parsers(text: str) -> None:
    for parse in (parse_ports, parse_port):
        try:
            parse(text)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("text", "any_port"),
    [
        ("*", True),
        ("1024-65535", True),
        ("1-65535", True),
        ("1025-65535", False),
        ("1024-65534", False),
        ("0-", None),
    ],
)
def test_any_port_takes_all_that_a_system_chooses_from(text: str, any_port: bool | None) -> None:
    if any_port is None:
        with pytest.raises(ValueError):
            parse_ports(text)
    else:
        assert parse_ports(text).covers_any_port is any_port


def test_port_zero_is_never_in_a_set() -> None:
    assert 0 not in ALL_PORTS


def test_a_port_is_within_its_range() -> None:
    assert parse_port("0") == 0
    assert parse_port("65535", minimum=1) == 65535
    for text in ("65536", "-1", "", "22 ", "ssh"):
        with pytest.raises(ValueError, match="number from 0 to 65535"):
            parse_port(text)
    with pytest.raises(ValueError, match="number from 1 to 65535"):
        parse_port("0", minimum=1)
