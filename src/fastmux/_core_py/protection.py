"""Packet protection (docs/wire-format.md §5.1): AEAD per packet, or the null suite's CRC-32.

Owns: one direction's key, IV and nonces. May not know: packets, frames, connections. `cryptography` is
imported when the first key is set, so that `import fastmux` does not load it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final
from zlib import crc32

from fastmux._core_py._arguments import Uncopied, integer, octets, sized
from fastmux.constants import (
    AEAD_LIMIT_REACHED,
    AES_GCM_PACKET_LIMIT,
    IV_SIZE,
    SUITE_AES_128_GCM,
    SUITE_AES_256_GCM,
    SUITE_CHACHA20_POLY1305,
    SUITE_KEY_SIZES,
    SUITE_NULL,
    TAG_SIZE,
)
from fastmux.exceptions import ProtocolError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    from typing_extensions import Buffer


@final
class PacketProtection(Uncopied):
    """One key and IV of one direction. Nonce = IV xor packet number (path id 0).

    `sealed` packets count as sealed under the key already.
    """

    __slots__ = ("_cipher", "_iv", "_sealed", "_suite")

    def __init__(self, suite: int, key: Buffer, iv: Buffer, *, sealed: int = 0) -> None:
        self._suite = integer(suite)
        if self._suite not in SUITE_KEY_SIZES:
            raise ValueError("unknown suite")
        size = SUITE_KEY_SIZES[self._suite]
        self._cipher = _cipher(self._suite, sized("key", key, size, size))
        self._iv = int.from_bytes(sized("iv", iv, IV_SIZE, IV_SIZE), "big")
        self._sealed = integer(sealed)

    def seal(self, packet_number: int, header: Buffer, payload: Buffer) -> bytes:
        """The protected payload: ciphertext and 16-byte tag, `header` authenticated with it.

        ProtocolError(AEAD_LIMIT_REACHED) at the suite's limit (RFC 9001 §6.6).
        """
        return self._seal(integer(packet_number), bytes(octets(header)), octets(payload))

    def open(self, packet_number: int, header: Buffer, payload: Buffer) -> bytes | None:
        """The payload, None if it does not authenticate."""
        return self._open(integer(packet_number), bytes(octets(header)), octets(payload))

    # --- for the core -----------------------------------------------------------------------------

    @property
    def _remaining(self) -> int:
        """Packets that may still be sealed under this key."""
        if self._suite in (SUITE_AES_128_GCM, SUITE_AES_256_GCM):
            return AES_GCM_PACKET_LIMIT - self._sealed
        return AES_GCM_PACKET_LIMIT

    def _seal(self, packet_number: int, header: bytes, payload: bytearray | memoryview) -> bytes:
        if self._remaining <= 0:
            raise ProtocolError(AEAD_LIMIT_REACHED, "too many packets under one key")
        self._sealed += 1
        nonce = (self._iv ^ packet_number).to_bytes(IV_SIZE, "big")
        if self._cipher is None:
            return bytes(payload) + _null_tag(nonce, header, payload)
        return self._cipher.encrypt(nonce, payload, header)

    def _open(self, packet_number: int, header: bytes, payload: memoryview) -> bytes | None:
        if len(payload) < TAG_SIZE:
            return None
        nonce = (self._iv ^ packet_number).to_bytes(IV_SIZE, "big")
        if self._cipher is None:
            body = payload[:-TAG_SIZE]
            return bytes(body) if payload[-TAG_SIZE:] == _null_tag(nonce, header, body) else None
        try:
            return self._cipher.decrypt(nonce, payload, header)
        except _invalid_tag():
            return None


def _null_tag(nonce: bytes, header: bytes, payload: bytearray | memoryview) -> bytes:
    return crc32(payload, crc32(nonce + header)).to_bytes(4, "big") + nonce


def _cipher(suite: int, key: bytes) -> AESGCM | ChaCha20Poly1305 | None:
    if suite == SUITE_NULL:
        return None
    from cryptography.hazmat.primitives.ciphers import aead

    return aead.ChaCha20Poly1305(key) if suite == SUITE_CHACHA20_POLY1305 else aead.AESGCM(key)


def _invalid_tag() -> type[Exception]:
    from cryptography.exceptions import InvalidTag

    return InvalidTag
