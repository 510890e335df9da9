"""The confirmation of the handshake's context."""

from __future__ import annotations

import pytest

from fastmux.exceptions import HandshakeError
from fastmux.security.confirmation import ConfirmationReader, encode_confirmation
from security.support import CONTEXT


def test_a_confirmation_is_a_magic_and_the_context() -> None:
    assert encode_confirmation(CONTEXT) == b"fmx1" + CONTEXT


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_context_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"has 32 bytes, not {size}"):
        encode_confirmation(bytes(size))


def test_a_confirmation_is_read_whole_or_byte_by_byte() -> None:
    whole, pieces = ConfirmationReader(), ConfirmationReader()
    whole.feed(b"fmx1" + CONTEXT)
    for byte in b"fmx1" + CONTEXT:
        assert pieces.context is None
        pieces.feed(bytes([byte]))
        pieces.feed(b"")
    assert whole.context == pieces.context == CONTEXT


@pytest.mark.parametrize("data", [b"g", b"fmx2", b"fmy", b"fmx1" + bytes(33), bytes(36)])
def test_anything_else_is_refused_at_the_first_wrong_byte(data: bytes) -> None:
    with pytest.raises(HandshakeError, match="something other than its confirmation"):
        ConfirmationReader().feed(data)


def test_nothing_may_follow() -> None:
    reader = ConfirmationReader()
    reader.feed(b"fmx1" + CONTEXT)
    with pytest.raises(HandshakeError, match="something other than its confirmation"):
        reader.feed(b"f")
    assert reader.context == CONTEXT
