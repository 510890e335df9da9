"""The key context (docs/wire-format.md §5.3)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from fastmux.protocol.context import key_context

PARTS: dict[str, Any] = {
    "version": 0x664D7801,
    "offered_versions": (0x664D7801,),
    "client_parameters": b"client",
    "server_parameters": b"server",
    "first_destination_id": b"12345678",
    "retry_source_id": b"",
    "token": b"",
}


def test_the_context_is_the_hash_of_the_parts_with_their_lengths() -> None:
    parts = (
        b"fastmux 1",
        b"\x66\x4d\x78\x01",
        b"\x66\x4d\x78\x01",
        b"client",
        b"server",
        b"12345678",
        b"",
        b"",
    )
    expected = hashlib.sha256(b"".join(len(p).to_bytes(4, "big") + p for p in parts)).digest()
    assert key_context(**PARTS) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 0x664D78F1),
        ("offered_versions", (0x664D7801, 0x664D7802)),
        ("client_parameters", b"clienT"),
        ("server_parameters", b"serveR"),
        ("first_destination_id", b"12345679"),
        ("retry_source_id", b"abcdefgh"),
        ("token", b"token"),
    ],
)
def test_every_part_changes_the_context(name: str, value: Any) -> None:
    assert key_context(**{**PARTS, name: value}) != key_context(**PARTS)


def test_a_byte_moved_from_one_part_to_the_next_changes_the_context() -> None:
    moved = {**PARTS, "client_parameters": b"clients", "server_parameters": b"erver"}
    assert key_context(**moved) != key_context(**PARTS)
