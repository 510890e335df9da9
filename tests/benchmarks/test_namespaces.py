"""Two namespaces and a veth pair, where this machine lets us make them; and what netem is told."""

from __future__ import annotations

import contextlib
import os
import subprocess

import pytest

from bench.linkshape import LinkShape
from bench.namespaces import CLIENT_ADDRESS, SERVER_ADDRESS, Namespaces, netem_arguments
from bench.places import PlaceUnavailable


def namespaces() -> set[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=10, check=True)
    return {line.split()[0] for line in listed.stdout.splitlines()}


def test_both_ends_see_each_other_and_nothing_is_left_behind() -> None:
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(Namespaces())
        except PlaceUnavailable as error:
            pytest.skip(str(error))
        before = namespaces()
        command = place.at_client(["ip", "-o", "route", "get", SERVER_ADDRESS])
        route = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        command = place.at_server(["ip", "-o", "link", "show", "veth-server"])
        link = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    assert f"src {CLIENT_ADDRESS}" in route
    assert "mtu 1500" in link
    assert "state UP" in link
    assert len(before - namespaces()) == 2


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PlaceUnavailable, match="root|Linux"), Namespaces():
        pass


def test_netem_is_told_the_shape_and_a_limit_in_packets() -> None:
    shape = LinkShape(rate=100e6, delay=0.01, loss=0.01, queue_size=150_000)
    # 100 packets wait, and 10 ms at 100 Mbit/s are 83 more under way.
    said = " ".join(netem_arguments("v", shape))
    assert said == "qdisc add dev v root netem limit 183 delay 10000us loss random 1% rate 100000000bit"


def test_netem_without_loss_or_rate_is_told_of_neither() -> None:
    arguments = netem_arguments("v", LinkShape(delay=0.001, queue_size=1500))
    assert "loss" not in arguments
    assert "rate" not in arguments
