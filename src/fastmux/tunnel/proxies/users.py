"""Names and passwords of a proxy's clients, compared in constant time (H51).

Owns: the secrets, as keyed digests only. May not know: which protocol carried them, or what a failure costs.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping


class Users:
    """Who may use a proxy.

    Invariant: `_digests` has one keyed digest a user; no name or password is kept, so none can be printed.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        """Raises ValueError for no user at all, or one whose name has a colon (Basic could not carry it)."""
        if not users:
            raise ValueError("no user was given: name at least one, or leave passwords off with users=None")
        for name in users:
            if ":" in name or not name:
                raise ValueError(f"the user name {name!r} cannot be used: it is empty or has a colon in it")
        self._key = os.urandom(32)
        self._digests = [self._digest(name.encode(), word.encode()) for name, word in users.items()]

    def __repr__(self) -> str:
        return f"<Users: {len(self._digests)}>"

    def check(self, name: bytes, password: bytes) -> bool:
        """Whether this is a user's name and password, in UTF-8. Each user is compared with, found or not."""
        given = self._digest(name, password)
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(given, digest)
        return found

    def _digest(self, name: bytes, password: bytes) -> bytes:
        """A digest under a key of this process: its size hides theirs; the prefix keeps the two apart."""
        return hmac.digest(self._key, len(name).to_bytes(8) + name + password, "sha256")
