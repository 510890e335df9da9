"""Somebody on the path: sees every datagram, and holds no key.

Owns: what such a one can do: copy, hold back, damage, make up, and put any source address on it. May not
know: what was agreed between the ends, nor when anything is to happen (`Attack` says so).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

from fastmux import constants as c
from fastmux.protocol.events import Address
from network.world import Network, Way

SEEN: Final = 64  # datagrams of each direction that are remembered, the newest
HELD_TIME: Final = 0.05  # seconds by which a copy with another source overtakes
MAX_STOLEN_TIME: Final = 2.0
MAX_JUNK_SIZE: Final = 1500
RESET_SIZE: Final = 38


class Kind(Enum):
    """What the attacker does."""

    REPLAY = "sends again what it saw"
    SPOOF = "sends again what it saw, from another address"
    RACE = "lets copies from another address arrive before the originals"
    FORGE = "sends altered copies"
    JUNK = "sends random bytes under an id that it saw"
    STEAL = "holds datagrams back"
    RESET = "makes up stateless resets"
    VERSION = "makes up version negotiation packets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One act, on `count` datagrams of one direction; `seed` is its dice.

    `after` seconds after the start, or (`is_late`) after the client opened.
    """

    kind: Kind
    to_server: bool
    after: float
    is_late: bool
    count: int
    seed: int


class Attacker:
    """Acts when told to; `server` is the address of the one end that never moves.

    Invariant: `_seen` holds what the ends really sent, with its way; what is made up here is never in it.
    """

    def __init__(self, network: Network, server: Address) -> None:
        self._network = network
        self._server = server
        self._seen: dict[bool, deque[tuple[Way, bytes]]] = {
            to_server: deque(maxlen=SEEN) for to_server in (False, True)
        }
        self._under_way: dict[bool, list[tuple[Attack, Random]]] = {False: [], True: []}
        self.addresses: set[Address] = set()  # that it made up as sources

    def pass_on(self, way: Way, data: bytes, now: float) -> float:
        """See a datagram, and hold it back if that is under way."""
        to_server = way.target == self._server
        self._seen[to_server].append((way, data))
        pending = self._under_way[to_server]
        if not pending:
            return 0.0
        attack, random = pending.pop(0)
        if attack.kind is Kind.RACE:
            self._network.put(data, Way(self._address(attack), way.target), 0.0)
            return HELD_TIME
        return random.uniform(0.0, MAX_STOLEN_TIME)

    def act(self, attack: Attack) -> None:
        """Do it now, or begin with the next datagram."""
        random = Random(attack.seed)
        if attack.kind in (Kind.STEAL, Kind.RACE):
            self._under_way[attack.to_server] += [(attack, random)] * attack.count
            return
        seen = self._seen[attack.to_server]
        for _ in range(attack.count if seen else 0):
            way, data = seen[random.randrange(len(seen))]
            if attack.kind is Kind.SPOOF:
                way = Way(self._address(attack), way.target)
            self._network.put(self._make(attack.kind, data, random), way, random.uniform(0.0, HELD_TIME))

    def _address(self, attack: Attack) -> Address:
        address = (f"203.0.113.{attack.seed % 250 + 1}", 6666)
        self.addresses.add(address)
        return address

    def _make(self, kind: Kind, data: bytes, random: Random) -> bytes:
        """What is sent, made of something that was seen."""
        if kind is Kind.FORGE:
            return _alter(data, random)
        if kind is Kind.JUNK:
            head = data[: random.randrange(min(len(data), 30))]
            return head + random.randbytes(random.randint(1, MAX_JUNK_SIZE))
        if kind is Kind.RESET:
            return bytes((c.FIXED_BIT,)) + random.randbytes(RESET_SIZE)
        if kind is Kind.VERSION:
            first = c.FORM_LONG | c.FIXED_BIT | random.randrange(64)
            ids = b"".join(bytes((8,)) + random.randbytes(8) for _ in range(2))
            return bytes((first,)) + bytes(4) + ids + random.randbytes(4 * random.randint(1, 4))
        return data


def _alter(data: bytes, random: Random) -> bytes:
    """Another packet number, another first byte, some bytes changed, less or more at the end."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 10))):
        # the head is where most of the meaning is
        place = random.randrange(min(len(changed), 30) if random.random() < 0.5 else len(changed))
        changed[place] ^= random.randint(1, 255)
    if random.random() < 0.3:
        del changed[random.randint(1, len(changed)) :]
    elif random.random() < 0.3:
        changed += random.randbytes(random.randint(1, 64))
    return bytes(changed)
