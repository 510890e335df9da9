"""By which name a peer is shown, and how many names the labels of figures may have.

Owns: the choice among a certificate's names. May not know: who shows them; rules, which never go by them.
"""

from __future__ import annotations

from typing import Final

from fastmux.constants import MAX_IDENTITY_LABELS
from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.names import printable

OTHERS: Final = "(others)"


def name_of(peer: PeerIdentity) -> str:
    """Return the one name of a peer in logs and metrics, safe to print: CN, else first other name, else pin.

    Two peers can have the same name; what they may do is decided by rules, never by this.
    """
    names = (peer.common_name, *peer.dns_names, *peer.uris, *peer.ip_addresses, peer.pin)
    return printable(next((name for name in names if name), "anonymous"))


class IdentityLabels:
    """Names of identities as label values: the first that come keep theirs, all others share one.

    Invariant: `_names` has at most `limit` names and never loses one, so that no sum falls.
    """

    def __init__(self, limit: int = MAX_IDENTITY_LABELS) -> None:
        self._limit = limit
        self._names: set[str] = set()

    def of(self, identity: str) -> str:
        """The label value of an identity."""
        if identity not in self._names:
            if len(self._names) >= self._limit:
                return OTHERS
            self._names.add(identity)
        return identity
