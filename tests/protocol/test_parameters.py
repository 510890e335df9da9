"""The PARAMETERS blob (docs/wire-format.md §6.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.parameters import (
    Parameters,
    decode_parameters,
    encode_parameters,
    parameters_of,
)


def entry(number: int, value: bytes) -> bytes:
    return core.encode_varint(number) + core.encode_varint(len(value)) + value


def integer(number: int, value: int) -> bytes:
    return entry(number, core.encode_varint(value))


def refusal(blob: bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        decode_parameters(blob)
    return caught.value


def test_what_was_encoded_is_decoded() -> None:
    parameters = Parameters(
        max_idle_timeout=30.0,
        max_datagram_size=1452,
        initial_max_data=1 << 20,
        initial_max_channel_data=65536,
        initial_max_streams=1024,
        initial_max_message_channels=7,
        max_ack_delay=0.01,
        active_id_limit=4,
        max_message_size=1 << 24,
        max_datagram_frame_size=65000,
        min_ack_delay=0.001,
        extension_frames=True,
    )
    assert decode_parameters(encode_parameters(parameters)) == parameters


def test_an_empty_blob_means_the_defaults() -> None:
    assert decode_parameters(b"") == Parameters()


def test_the_parameters_of_a_configuration_fit_into_one_packet() -> None:
    blob = encode_parameters(parameters_of(Configuration()), grease=bytes(range(255, 250, -1)))
    assert len(blob) < 200
    assert decode_parameters(blob) == parameters_of(Configuration())


@given(st.binary(min_size=1, max_size=20))
def test_a_greased_parameter_is_ignored_whatever_its_bytes(grease: bytes) -> None:
    assert decode_parameters(encode_parameters(Parameters(), grease)) == Parameters()


def test_no_idle_timeout_is_zero_and_a_tiny_one_is_not() -> None:
    assert decode_parameters(encode_parameters(Parameters())).max_idle_timeout == 0
    assert parameters_of(Configuration(idle_timeout=None)).max_idle_timeout == 0
    tiny = encode_parameters(Parameters(max_idle_timeout=0.0001))
    assert decode_parameters(tiny).max_idle_timeout == 0.001


def test_an_unknown_parameter_is_ignored() -> None:
    assert decode_parameters(entry(0x3FFF, b"whatever")) == Parameters()


def test_a_parameter_that_comes_twice_is_an_error() -> None:
    blob = integer(c.PARAMETER_INITIAL_MAX_DATA, 5)
    assert "twice" in refusal(blob + blob).reason


def test_an_unknown_parameter_that_comes_twice_is_an_error_too() -> None:
    assert "twice" in refusal(entry(0x99, b"") * 2).reason


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (integer(c.PARAMETER_MAX_DATAGRAM_SIZE, 1199), "is 1199"),
        (integer(c.PARAMETER_ACTIVE_ID_LIMIT, 1), "is 1"),
        (integer(c.PARAMETER_MAX_ACK_DELAY, 1 << 14), "is 16384"),
        (integer(c.PARAMETER_INITIAL_MAX_STREAMS, (1 << 60) + 1), "not 0 to"),
        (entry(c.PARAMETER_INITIAL_MAX_DATA, b""), "truncated"),
        (entry(c.PARAMETER_INITIAL_MAX_DATA, b"\x01\x02"), "not one integer"),
        (entry(c.PARAMETER_EXTENSION_FRAMES, b"x"), "has a value"),
        (b"\x01", "truncated"),
        (b"\x01\x05abc", "truncated"),
        (b"\x7f", "truncated"),
        (entry(0x99, bytes(c.MAX_PARAMETERS_SIZE)), "bytes of parameters"),
    ],
)
def test_a_malformed_value_is_an_error(blob: bytes, reason: str) -> None:
    error = refusal(blob)
    assert error.code == c.PARAMETER_ERROR
    assert reason in error.reason


@given(st.binary(max_size=1100))
def test_only_a_protocol_error_leaves_the_decoder(blob: bytes) -> None:
    try:
        decode_parameters(blob)
    except ProtocolError as error:
        assert error.code == c.PARAMETER_ERROR


def test_a_least_ack_delay_above_the_largest_is_an_error() -> None:
    blob = integer(c.PARAMETER_MAX_ACK_DELAY, 1)
    assert decode_parameters(blob + integer(c.PARAMETER_MIN_ACK_DELAY, 1000)).min_ack_delay == 0.001
    error = refusal(blob + integer(c.PARAMETER_MIN_ACK_DELAY, 1001))
    assert error.code == c.PARAMETER_ERROR


@pytest.mark.parametrize("delay", [0.0, 0.0004, 0.0006, 0.001, 0.025])
def test_the_extension_is_offered_with_a_delay_that_peers_accept(delay: float) -> None:
    parameters = parameters_of(Configuration(max_ack_delay=delay))
    assert parameters.min_ack_delay is not None
    assert parameters.min_ack_delay <= c.MIN_ACK_DELAY
    assert decode_parameters(encode_parameters(parameters)).min_ack_delay == parameters.min_ack_delay
