"""How settings are split: a budget is shared, and what cannot work is said with its remedy."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.portmux.messages import Hello
from fastmux.portmux.terms import make_terms
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.routable_ids import RoutableIds


def test_all_ports_together_hold_no_more_than_the_budget() -> None:
    for max_ports in (1, 8, 32, 1000):
        port = make_terms(max_ports).port
        assert 2 * max_ports * port.budget <= c.CONNECTION_BUDGET
        assert port.max_connection_window + port.max_message_size <= port.budget
        assert port.channel_window <= port.connection_window <= port.max_connection_window


def test_few_ports_have_the_windows_of_a_connection() -> None:
    port = make_terms(1, budget=256 * 2**20).port
    assert port.max_channel_window == c.MAX_CHANNEL_WINDOW
    assert port.max_message_size == c.MAX_MESSAGE_SIZE


def test_a_budget_that_is_too_small_names_one_that_is_not() -> None:
    with pytest.raises(ValueError, match="budget=") as caught:
        make_terms(32, max_message_size=2**20)
    budget = int(str(caught.value).partition("budget=")[2].split()[0])
    make_terms(32, max_message_size=2**20, budget=budget)


def test_the_control_connection_takes_nothing_but_its_channel() -> None:
    terms = make_terms(8, congestion="bbr", idle_timeout=7.0, budget=2**26)
    control = Configuration(**terms.control)
    assert (control.congestion, control.idle_timeout) == ("bbr", 7.0)
    assert (control.max_streams, control.max_message_channels) == (0, 0)
    assert control.budget == 2 * c.PORTMUX_WINDOW
    assert (terms.port.congestion, terms.port.idle_timeout) == ("bbr", 7.0)


def test_a_port_takes_the_one_channel_that_was_agreed_on() -> None:
    terms = make_terms(8)
    kinds = [terms.configuration(accepts, 0.02) for accepts in (None, c.KIND_STREAM, c.KIND_MESSAGE)]
    assert [(it.max_streams, it.max_message_channels) for it in kinds] == [(0, 0), (1, 0), (0, 1)]
    assert {it.initial_rtt for it in kinds} == {0.02}


def test_ports_have_random_ids_whatever_the_balancer_wants_of_the_control_connection() -> None:
    ids = RoutableIds(b"\x01\x02", key=bytes(16))
    terms = make_terms(8, connection_ids=ids)
    assert terms.control["connection_ids"] is ids
    assert terms.port.connection_ids.size == c.DEFAULT_CONNECTION_ID_SIZE


def test_the_greeting_tells_the_limits() -> None:
    hello = make_terms(5, max_message_size=1000).hello()
    assert isinstance(hello, Hello)
    assert (hello.version, hello.max_ports) == (c.PORTMUX_VERSION, 5)
    limits = hello.limits
    assert (limits.initial_max_streams, limits.initial_max_message_channels) == (1, 1)
    assert (limits.max_message_size, limits.max_datagram_frame_size) == (1000, 0)
    assert len(hello.parameters) < c.PORTMUX_MESSAGE_SIZE


@pytest.mark.parametrize("max_ports", [0, c.MAX_PORTS_LIMIT + 1])
def test_a_number_of_ports_that_cannot_be_is_refused(max_ports: int) -> None:
    with pytest.raises(ValueError, match="max_ports must be"):
        make_terms(max_ports)


def test_limits_of_the_other_way_are_refused() -> None:
    with pytest.raises(ValueError, match="max_streams is no setting of portmux"):
        make_terms(8, max_streams=4)
