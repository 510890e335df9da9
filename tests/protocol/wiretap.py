"""Somebody who sees every datagram that is sent and has all the keys: each packet's key, nonce and text.

Owns: the book of keys and nonces. May not know: what the connections do. Keys are learned from the scripted
handshakes themselves, later ones by the ratchet, those of handshake packets from the clients' first ids.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from dataclasses import dataclass

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.hkdf import expand_label
from fastmux.protocol.ratchet import next_keys
from network import Conditions, Network
from protocol.pairs import Pair
from protocol.scripted import Script, ScriptedHandshake

ID_SIZE = c.DEFAULT_CONNECTION_ID_SIZE
_SHORT_HEADER_SIZE = 1 + ID_SIZE + c.PACKET_NUMBER_SIZE


@dataclass(frozen=True)
class Direction:
    """What one end seals with: `end` says whose it is, `generation` counts key updates (-1: handshake)."""

    end: str
    generation: int
    suite: int
    key: bytes
    iv: bytes

    def nonce(self, number: int) -> bytes:
        """As docs/wire-format.md §5.1 has it, written down a second time."""
        return bytes(a ^ b for a, b in zip(self.iv, number.to_bytes(c.IV_SIZE, "big"), strict=True))


class Wiretap:
    """`uses` are the datagrams by (key, nonce), `numbers` by direction; `unknown` those that no key opens."""

    def __init__(self) -> None:
        self.uses: dict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
        self.numbers: dict[Direction, list[int]] = defaultdict(list)
        self.unknown: list[bytes] = []
        self.retries = 0
        self.endpoints: list[Endpoint] = []
        self.datagrams: list[bytes] = []
        self.directions: list[Direction] = []
        self.learned: list[PacketKeys] = []
        self._protections: dict[Direction, core.PacketProtection] = {}

    # --- what is told ---------------------------------------------------------------------------------

    def learn(self, keys: PacketKeys) -> None:
        """Keys that an end was given."""
        self.learned.append(keys)

    def see(self, index: int, data: bytes) -> bool:
        """A datagram is sent: the `drop` of a network, which loses none by it."""
        self.datagrams.append(data)
        return False

    # --- what becomes of it -----------------------------------------------------------------------------

    def read(self, generations: int) -> None:
        """Open all that was sent; `generations` is how many updates there were at the most."""
        self._write_directions(generations)
        for data in self.datagrams:
            self._read(data)

    def _write_directions(self, generations: int) -> None:
        longs = [data for data in self.datagrams if data[0] & c.FORM_LONG]
        for data in longs:  # a client's first packet goes to the id that it has made up
            header = core.parse_long_header(data, 0, len(data))
            for end in ("client", "server"):
                direction = _handshake_direction(header.destination_id, end)
                if direction not in self.directions:
                    self.directions.append(direction)
        keys = self.learned[0] if self.learned else None  # both ends have the same, seen from either side
        for generation in range(generations + 2 if keys else 0):
            assert keys is not None
            mine = (keys.suite, keys.send_key, keys.send_iv)
            theirs = (keys.suite, keys.receive_key, keys.receive_iv)
            self.directions.append(Direction("first", generation, *mine))
            self.directions.append(Direction("second", generation, *theirs))
            keys = next_keys(keys)

    def _read(self, data: bytes) -> None:
        if data[0] & c.FORM_LONG:
            header = core.parse_long_header(data, 0, len(data))
            if header.type == c.LONG_RETRY:
                self.retries += 1
                return
            size, truncated, is_long = header.header_size, header.packet_number, True
        else:
            size, is_long = _SHORT_HEADER_SIZE, False
            truncated = int.from_bytes(data[1 + ID_SIZE : size], "big")
        for direction in self.directions:
            if (direction.generation < 0) is is_long and self._note(direction, truncated, size, data):
                self.directions.remove(direction)  # the next packet is likely to be of the same
                self.directions.insert(0, direction)
                return
        if data[-c.RESET_TOKEN_SIZE :] not in self._reset_tokens():
            self.unknown.append(data)

    def _reset_tokens(self) -> set[bytes]:
        """Of all ids that were ever addressed: whoever forgot a connection answers its late packets so."""
        ids = {data[1 : 1 + ID_SIZE] for data in self.datagrams if not data[0] & c.FORM_LONG}
        return {endpoint.reset_token(each) for endpoint in self.endpoints for each in ids}

    def _note(self, direction: Direction, number: int, header_size: int, data: bytes) -> bool:
        protection = self._protections.get(direction)
        if protection is None:
            protection = core.PacketProtection(direction.suite, direction.key, direction.iv)
            self._protections[direction] = protection
        if protection.open(number, data[:header_size], data[header_size:]) is None:
            return False
        self.uses[direction.key, direction.nonce(number)].append(data)
        self.numbers[direction].append(number)
        return True

    # --- what must hold -----------------------------------------------------------------------------------

    def check(self) -> None:
        """No key and nonce sealed two different packets; no two directions or phases share a key or an IV."""
        assert self.uses
        assert not self.unknown, f"{len(self.unknown)} datagrams that no key opens"
        for (key, nonce), datagrams in self.uses.items():
            assert len(set(datagrams)) == 1, (key.hex(), nonce.hex())
        used = [direction for direction in self.directions if self.numbers[direction]]
        assert len({direction.key for direction in used}) == len(used)
        assert len({direction.iv for direction in used}) == len(used)

    @property
    def repeated(self) -> int:
        """How many datagrams were sent again as they were."""
        return sum(len(datagrams) - 1 for datagrams in self.uses.values())


def _handshake_direction(first_id: bytes, end: str) -> Direction:
    """The keys of handshake packets, derived once more than the code under test does (§5.2)."""
    secret = hmac.digest(c.HANDSHAKE_SALT, first_id, hashlib.sha256)
    secret = expand_label(secret, f"{end} hs".encode(), 32)
    key, iv = expand_label(secret, b"fastmux key", 16), expand_label(secret, b"fastmux iv", 12)
    return Direction(end, -1, c.SUITE_AES_128_GCM, key, iv)


class _Tapped(ScriptedHandshake):
    """Tells its keys."""

    def __init__(self, is_client: bool, script: Script, tap: Wiretap) -> None:
        super().__init__(is_client, script)
        self._tap = tap

    def packet_keys(self, context: bytes) -> PacketKeys:
        keys = super().packet_keys(context)
        self._tap.learn(keys)
        return keys


def tapped_pair(
    seed: int, conditions: Conditions, script: Script, configuration: Configuration
) -> tuple[Pair, Wiretap]:
    """A network in which a client has begun to connect to a server, and the wiretap of all its links."""
    tap = Wiretap()
    network = Network(seed, conditions)
    network.drop = tap.see
    server = network.add("server", configuration, accept=lambda: _Tapped(False, script, tap))
    client = network.add("client", configuration)
    connection = client.endpoint.connect(server.address, _Tapped(True, script, tap), network.now)
    tap.endpoints += [server.endpoint, client.endpoint]
    return Pair(network, server, client, connection), tap
