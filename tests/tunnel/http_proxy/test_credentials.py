"""Reading `Proxy-Authorization: Basic`."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.http_proxy.credentials import login_required, parse_basic


@given(st.binary().filter(lambda name: b":" not in name), st.binary())
def test_a_name_and_a_password_are_read(name: bytes, password: bytes) -> None:
    token = base64.b64encode(name + b":" + password)
    assert parse_basic(b"Basic " + token) == (name, password)
    assert parse_basic(b"bASIC  " + token) == (name, password)


@given(st.binary())
def test_nothing_leaves_but_none(value: bytes) -> None:
    parse_basic(value)
    parse_basic(b"Basic " + value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Basic",
        b"Basic ",
        b"Basic YW5uOnNlY3JldA",
        b"Basic YW5u:OnNlY3JldA==",
        b"Basic " + base64.b64encode(b"ann"),
        b"Bearer YW5uOnNlY3JldA==",
        b"Basic\tYW5uOnNlY3JldA==",
        b"Basic YW5uOnNlY3JldA== x",
    ],
)
def test_what_is_not_basic_or_not_whole_is_none(value: bytes) -> None:
    assert parse_basic(value) is None


def test_a_client_is_asked_for_basic() -> None:
    refusal = login_required("please")
    assert refusal.status == 407
    assert refusal.fields[0][1].startswith("Basic realm=")
