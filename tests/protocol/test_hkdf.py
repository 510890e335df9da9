"""HKDF from plain hashes, held against `hmac`, `cryptography` and published vectors."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from fastmux.protocol.hkdf import expand_label, hmac_digest

ALGORITHMS = {"sha256": (hashes.SHA256(), 64), "sha384": (hashes.SHA384(), 128)}


def test_hmac_gives_the_vector_of_rfc_4231() -> None:
    digest = hmac_digest(b"Jefe", b"what do ya want for nothing?", "sha256")
    assert digest.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_hmac_is_that_of_the_standard_library_for_every_key_size(algorithm: str) -> None:
    for size in range(ALGORITHMS[algorithm][1] + 1):
        key, message = bytes(range(size)), bytes(3 * size)
        assert hmac_digest(key, message, algorithm) == hmac.digest(key, message, algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_longer_than_a_block_is_refused(algorithm: str) -> None:
    with pytest.raises(ValueError, match="longer"):
        hmac_digest(bytes(ALGORITHMS[algorithm][1] + 1), b"", algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_expand_label_is_the_one_of_tls(algorithm: str) -> None:
    digest = ALGORITHMS[algorithm][0]
    secret = bytes(range(digest.digest_size))
    for label in (b"fastmux key", b"fastmux iv", b"client hs", b""):
        for size in (1, 12, 16, 32, digest.digest_size):
            full = b"tls13 " + label
            info = size.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0"
            expected = HKDFExpand(digest, size, info).derive(secret)
            assert expand_label(secret, label, size, algorithm) == expected
