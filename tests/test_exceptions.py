"""The errors: their places in Python's tree, what they carry, what they say."""

from __future__ import annotations

import pickle

import pytest

from fastmux import exceptions as e


def test_a_lost_connection_is_a_connection_error_that_says_who_and_why() -> None:
    error = e.ConnectionClosed(7, "too late", remote=True)
    assert isinstance(error, ConnectionError)
    assert (error.code, error.reason, error.remote) == (7, "too late", True)
    assert str(error) == "connection closed by the peer (code 0x7): too late"
    assert "by this end" in str(e.ConnectionClosed())


def test_a_failed_proof_is_a_failed_handshake() -> None:
    assert issubclass(e.AuthenticationError, e.HandshakeError)
    assert issubclass(e.HandshakeError, ConnectionError)


def test_a_reset_names_its_code() -> None:
    error = e.ChannelReset(0x14)
    assert isinstance(error, ConnectionError)
    assert "0x14" in str(error)


def test_the_end_of_a_stream_is_no_connection_error() -> None:
    assert not issubclass(e.EndOfStream, ConnectionError)


def test_a_message_too_big_is_a_value_error() -> None:
    assert issubclass(e.MessageTooBig, ValueError)


@pytest.mark.parametrize(
    "error",
    [e.ConnectionClosed(3, "why", True), e.ProtocolError(10, "rule"), e.ChannelReset(5)],
    ids=lambda error: type(error).__name__,
)
def test_errors_with_fields_survive_a_process_boundary(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)
