"""HKDF-Expand-Label held against `cryptography`."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from fastmux.protocol.hkdf import expand_label

ALGORITHMS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_expand_label_is_the_one_of_tls(algorithm: str) -> None:
    digest = ALGORITHMS[algorithm]
    secret = bytes(range(digest.digest_size))
    for label in (b"fastmux key", b"fastmux iv", b"client hs", b""):
        for size in (1, 12, 16, 32, digest.digest_size):
            full = b"tls13 " + label
            info = size.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0"
            expected = HKDFExpand(digest, size, info).derive(secret)
            assert expand_label(secret, label, size, algorithm) == expected
