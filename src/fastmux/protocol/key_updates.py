"""When keys are updated, and how long the old ones are kept (RFC 9001 §6).

Owns: the count of packets under a key, the waits between updates, the secrets that lead to the next keys, and
how often a peer may update. May not know: packets, phases (the core changes keys by itself), the handshake.
"""

from __future__ import annotations

from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.glitches import GlitchLimit
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.ratchet import can_ratchet, next_keys
from fastmux.protocol.traffic import Traffic

_KEY_RESERVE: Final = 2 * c.MAX_TRAIN_SEGMENTS  # so that the last train and the close still fit under a key
_URGENT: Final = c.AES_GCM_PACKET_LIMIT * 3 // 4  # packets under one key: no more waiting than one must


class KeyUpdates:
    """Begins updates when a key has sealed enough, and does what follows an update of either end.

    Invariant: from `install` on the core has the keys of the next phase, or `on_updated` is about to give it
    some; `_latest` holds the secrets of these and of nothing older. `_drop_at` is set while the core may hold
    old keys.
    """

    __slots__ = (
        "_begin_at",
        "_data_path",
        "_drop_at",
        "_interval",
        "_is_begun",
        "_is_confirmed",
        "_key_since",
        "_latest",
        "_limit",
        "_peer_updates",
        "_traffic",
        "look_at",
    )

    def __init__(self, data_path: core.DataPath, traffic: Traffic, configuration: Configuration) -> None:
        self._data_path = data_path
        self._traffic = traffic
        self._interval = configuration.key_update_interval
        self._limit: int | None = None  # of packets under one key
        self._latest: PacketKeys | None = None
        self._key_since = 0  # the number of packets sent when the present sending key came
        self._is_begun = False  # by this end, and not answered yet
        self._is_confirmed = False
        self._begin_at = 0.0
        self._drop_at: float | None = None
        self._peer_updates = GlitchLimit(c.KEY_UPDATE_BURST, c.KEY_UPDATE_RATE)
        self.look_at = 0  # packets sent, before which no key has sealed enough for anything to be due
        self._use_new_key(0)

    def _use_new_key(self, since: int) -> None:
        """The sending key is a new one since that packet."""
        self._key_since = since
        enough = self._interval if self._limit is None else min(self._interval, self._limit)
        self.look_at = since + enough

    def install(self, keys: PacketKeys) -> None:
        """The data path has its first keys: give it the next ones too."""
        is_gcm = keys.suite in (c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM)
        self._limit = c.AES_GCM_PACKET_LIMIT - _KEY_RESERVE if is_gcm else None
        self._use_new_key(self._key_since)
        if can_ratchet(keys):
            self._supply(keys)

    def on_confirmed(self) -> None:
        """The handshake is confirmed: updates may begin (RFC 9001 §6.1)."""
        self._is_confirmed = True

    @property
    def is_exhausted(self) -> bool:
        """True if the sending key has sealed all it may (RFC 9001 §6.6): no update came through in time."""
        return self._limit is not None and self._sealed >= self._limit

    # --- beginning an update --------------------------------------------------------------------------

    def begin_if_due(self, now: float) -> None:
        """Begin an update if the sending key has sealed as much as it should."""
        if self._sealed >= self._interval and not self._is_begun:
            self.begin(now)

    def begin(self, now: float) -> bool:
        """Use the next keys from the next packet on; False if that is too soon, or there are none.

        The last update must be acknowledged (the core knows), and that some time ago (RFC 9001 §6.5).
        """
        is_late_enough = now >= self._begin_at or self._sealed >= _URGENT
        if not (self._is_confirmed and is_late_enough and self._data_path.update_keys()):
            return False
        self._is_begun = True
        self._use_new_key(self._traffic.sent_packets)
        return True

    @property
    def _sealed(self) -> int:
        return self._traffic.sent_packets - self._key_since

    # --- after an update --------------------------------------------------------------------------------

    def on_updated(self, now: float) -> None:
        """Both directions use new keys. Raises `ProtocolError` if the peer does that too often."""
        if not self._is_begun:
            self._use_new_key(self._traffic.sent_packets)
            if self._peer_updates.add(1, now):
                raise ProtocolError(c.KEY_UPDATE_ERROR, "too many key updates")
        self._is_begun = False
        wait = c.OLD_KEYS_PTOS * self._traffic.pto()
        self._drop_at = now + wait
        self._begin_at = now + max(wait, c.KEY_UPDATE_GAP)
        if self._latest is not None:
            if self._latest.log is not None:
                count = self._data_path.counters()["key_updates"]
                self._latest.log(count, self._latest.send_secret, self._latest.receive_secret)
            self._supply(self._latest)

    def _supply(self, keys: PacketKeys) -> None:
        following = next_keys(keys)
        secrets = (following.send_secret, following.receive_secret)
        self._latest = PacketKeys(following.suite, b"", b"", b"", b"", *secrets, following.log)
        self._data_path.set_next_keys(
            following.send_key, following.send_iv, following.receive_key, following.receive_iv
        )

    def deadline(self) -> float | None:
        """When to call `handle_timeout`."""
        return self._drop_at

    def handle_timeout(self, now: float) -> None:
        """Drop the old keys if their time is over."""
        if self._drop_at is not None and now >= self._drop_at:
            self._drop_at = None
            self._data_path.drop_old_keys()
