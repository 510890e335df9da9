"""Connection ids that carry the id of the server, for a load balancer in front of many hosts.

Owns: the layout and the encryption of QUIC-LB (draft-ietf-quic-load-balancers-21, §5). May not know: the
balancer, which hosts there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fastmux import constants as c
from fastmux.protocol.connection_ids import check_size

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

_BLOCK_SIZE: Final = 16  # of AES; ids with so many bytes behind the first are one block
_UNROUTABLE: Final = 7  # the configuration that says that nothing can be read from the id (§3.1)


@dataclass(frozen=True, slots=True)
class RoutableIds:
    """Ids of `size` bytes: first octet, server id, nonce (draft-ietf-quic-load-balancers-21 §5).

    The first octet is `configuration` (0 to 6, the draft's config rotation: it changes when the fleet's
    layout or key does) in its upper three bits and the number of bytes that follow in the others. The rest
    is random, at least 4 bytes. With `key` (16 bytes, one for the fleet) server id and nonce are encrypted
    by AES-128: in one pass if they are 16 bytes, else in the four passes of §5.4.2, so that only who has
    the key can tell which connections share a server. Without it anybody can.

    Raises `ValueError` for a part of a size that cannot be.
    """

    server_id: bytes
    size: int = c.DEFAULT_CONNECTION_ID_SIZE
    configuration: int = 0
    key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_size(self.size)
        if not 0 <= self.configuration < _UNROUTABLE:
            raise ValueError(f"configuration must be 0 to 6, not {self.configuration}")
        if not self.server_id:
            raise ValueError("server_id must have at least one byte")
        if self.nonce_size < c.MIN_NONCE_SIZE:
            raise ValueError(
                f"ids of {self.size} bytes leave {self.nonce_size} random ones beside the server id;"
                f" at least {c.MIN_NONCE_SIZE} are needed"
            )
        if self.key is not None and len(self.key) != _BLOCK_SIZE:
            raise ValueError(f"key must have 16 bytes, not {len(self.key)}")

    @property
    def nonce_size(self) -> int:
        """How many random bytes each id has."""
        return self.size - 1 - len(self.server_id)

    @property
    def fixed_size(self) -> int:
        """The first octet, and the server id unless it is encrypted."""
        return 1 if self.key is not None else 1 + len(self.server_id)

    @property
    def _first_octet(self) -> int:
        return self.configuration << 5 | self.size - 1

    def make(self, random_bytes: Callable[[int], bytes]) -> bytes:
        """Make an id."""
        plain = self.server_id + random_bytes(self.nonce_size)
        return bytes((self._first_octet,)) + (plain if self.key is None else _encrypt(self.key, plain))

    def server_of(self, connection_id: bytes) -> bytes | None:
        """Read the server id from an id as a balancer does, None if it is not of this scheme.

        `connection_id` may run on behind the id, as it does in a packet with a short header.
        """
        if len(connection_id) < self.size or connection_id[0] != self._first_octet:
            return None
        rest = connection_id[1 : self.size]
        plain = rest if self.key is None else _decrypt(self.key, rest)
        return plain[: len(self.server_id)]


def _encrypt(key: bytes, plain: bytes) -> bytes:
    if len(plain) == _BLOCK_SIZE:
        return _cipher(key).encryptor().update(plain)
    return _four_passes(key, plain, (1, 2, 3, 4))


def _decrypt(key: bytes, encrypted: bytes) -> bytes:
    if len(encrypted) == _BLOCK_SIZE:
        return _cipher(key).decryptor().update(encrypted)
    return _four_passes(key, encrypted, (4, 3, 2, 1))


def _cipher(key: bytes) -> Cipher[modes.ECB]:
    """AES-128 of single blocks; loaded late, for few need it."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES128(key), modes.ECB())


def _four_passes(key: bytes, data: bytes, passes: tuple[int, ...]) -> bytes:
    """The Feistel network of §5.4.2, in the given order of its passes: backwards it undoes itself.

    The halves are numbers of 4 bits for each byte of `data`: an odd byte is split, and the missing 4 bits
    of either half are zero where the cut was. Odd passes change the right half by the left one, even passes
    the left half by the right one. What is encrypted is the half that is read, zeros, the size of `data`,
    and the pass.
    """
    encrypt = _cipher(key).encryptor().update
    half_bits = 4 * len(data)
    padding = half_bits % 8
    left, right = divmod(int.from_bytes(data, "big"), 1 << half_bits)
    for number in passes:
        half = left << padding if number % 2 else right
        start = half.to_bytes((half_bits + padding) // 8, "big")
        block = start.ljust(_BLOCK_SIZE - 2, b"\0") + bytes((len(data), number))
        mask = int.from_bytes(encrypt(block)[: len(start)], "big")
        if number % 2:
            right ^= mask % (1 << half_bits)
        else:
            left ^= mask >> padding
    return (left << half_bits | right).to_bytes(len(data), "big")
