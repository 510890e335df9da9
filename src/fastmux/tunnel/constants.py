"""Every limit of the tunnel, once, with its reason; one block a room.

Owns: numbers. May not know: anything else of fastmux.
"""

from __future__ import annotations

from typing import Final

# --- Access, identity and configuration ---------------------------------------------------------------
MAX_HOST_SIZE: Final = 253  # characters of a DNS name in text (RFC 1035 §2.3.4), which no address exceeds
MAX_SOCKET_PATH_SIZE: Final = 107  # bytes of a Unix socket's path: Linux's sun_path without the final NUL
MAX_RULE_SIZE: Final = 1024  # characters: the longest URI identity that is of use, and the longest host
MAX_RULES: Final = 4096  # each that is for the same identity costs about a microsecond a channel
MAX_PORT_RANGES: Final = 64  # in one rule; a list longer than that is better several rules
MAX_KNOWN_PEERS: Final = 1024  # identities whose rules are remembered; the least used one is found anew
RESOLVE_TIMEOUT: Final = 10.0  # seconds: two tries of five, as resolv.conf's defaults
MAX_LOOKUPS_PER_IDENTITY: Final = 3  # at once: the event loop has five threads at least, for everybody
MAX_WAITING_LOOKUPS: Final = 256  # of an identity, behind those; its sockets are as many
MAX_RESOLVED_ADDRESSES: Final = 32  # looked at for one name: more are not tried within anybody's patience
MAX_CONFIGURATION_SIZE: Final = 2**20  # bytes: a larger file is a mistake
MAX_REVOKED: Final = 100_000  # names, pins and serial numbers; a CRL of a MiB has a quarter of that
CERTIFICATE_WARNING_DAYS: Final = 30  # `check-config` warns of a certificate that ends within these
DEFAULT_PORT: Final = 4433  # of a server (UDP), where none is given
