"""Version negotiation packets (docs/wire-format.md §3.4; RFC 8999 §6).

Owns: their bytes. May not know: who answers, and what a client makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastmux import constants as c
from fastmux.records import LongHeader

_VERSION_SIZE: Final = 4


def encode_version_negotiation(header: LongHeader, versions: Sequence[int], random_byte: int) -> bytes:
    """Answer a packet whose version is not among `versions`, with far fewer bytes than it has."""
    first = c.FORM_LONG | c.FIXED_BIT | (random_byte & ~(c.FORM_LONG | c.FIXED_BIT))
    return b"".join(
        (
            bytes((first,)),
            c.VERSION_NEGOTIATION.to_bytes(_VERSION_SIZE, "big"),
            bytes((len(header.source_id),)),
            header.source_id,
            bytes((len(header.destination_id),)),
            header.destination_id,
            *(version.to_bytes(_VERSION_SIZE, "big") for version in versions),
        )
    )


def decode_versions(header: LongHeader, packet: bytes) -> tuple[int, ...]:
    """Give the versions that a version negotiation packet lists; an unfinished last one is left out."""
    listed = packet[header.header_size :]
    whole = len(listed) // _VERSION_SIZE * _VERSION_SIZE
    return tuple(
        int.from_bytes(listed[at : at + _VERSION_SIZE], "big") for at in range(0, whole, _VERSION_SIZE)
    )
