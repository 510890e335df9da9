"""Who may come in: which knocks are answered by a Retry, which begin a handshake (wire-format §3.5; H2, H3).

Owns: the half-open limits, the rates of handshakes, and the tokens that prove an address. May not know: what
a connection is, how a packet is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Generic

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Address
from fastmux.protocol.gate import Gate, Guest
from fastmux.protocol.rates import PrefixRates, TokenBucket
from fastmux.protocol.retry import Retry, RetryTokens


class Verdict(Enum):
    """What becomes of a knock."""

    ADMIT = "a handshake may begin"
    RETRY = "its address must be proved first"
    REFUSE = "it is ignored"


class Admission(Generic[Guest]):
    """The limits of one endpoint. Times are seconds.

    Under `retry="auto"` addresses are proved as soon as a share of a half-open limit is taken, or more knocks
    than usual come. A limit for one network then only counts against who has proved to be there: nobody can
    use up what belongs to another. With `retry="never"` the rates hold for all.

    What is for all is shared by network once it runs short: of the places the network with the most gives
    one to a newcomer who has proved his address, and the last part of the rate is for those who began few
    handshakes lately.

    Invariant: `gate` holds the half-open connections. The buckets exist once somebody has knocked.
    """

    def __init__(self, configuration: Configuration, random_bytes: Callable[[int], bytes]) -> None:
        self.gate: Gate[Guest] = Gate(configuration)
        self._configuration = configuration
        self._tokens = RetryTokens(random_bytes)
        self._free: TokenBucket | None = None
        self._all: TokenBucket | None = None
        rate = configuration.max_handshake_rate_per_address
        burst = float(configuration.max_half_open_per_address)
        self._each = None if rate is None else PrefixRates(burst, rate)
        self._quiet = PrefixRates(c.QUIET_BURST, c.QUIET_RATE, bits=c.SHARED_PREFIX_BITS)
        self._reserve = configuration.max_half_open / c.RETRY_SHARE  # of `_all`, for the quiet ones

    def judge(self, address: Address, is_proved: bool, connections: int, now: float) -> Verdict:
        """Say what becomes of a knock, with so many connections there already; it does not count yet."""
        if not self.gate.admits(address, connections) and not (
            self.gate.bears(address, connections) and self._may_displace(address, is_proved, now)
        ):
            return Verdict.REFUSE
        if not is_proved and self._asks_for_proof(address, now):
            return Verdict.RETRY
        return Verdict.ADMIT if self._is_within_rates(address, is_proved, now) else Verdict.REFUSE

    def _may_displace(self, address: Address, is_proved: bool, now: float) -> bool:
        """With all places taken: one who has not proved his address is asked to, and it is seen then."""
        if self._configuration.retry == "never":
            return False
        return not is_proved or self.gate.who_yields(address, now) is not None

    def enter(self, guest: Guest, address: Address, token: bytes, now: float) -> Guest | None:
        """A handshake begins, for a knock that was judged ADMIT just now. Gives who lost his place by it."""
        yielding = self.gate.who_yields(address, now) if self.gate.is_full else None
        if yielding is not None:
            self.gate.leave(yielding)
        self.gate.enter(guest, address, now)
        if self._all is not None:
            self._all.take(now)
        if token or self._configuration.retry == "never":
            self._quiet.take(address, now)
            if self._each is not None:
                self._each.take(address, now)
        elif self._free is not None:
            self._free.take(now)
        return yielding

    def _asks_for_proof(self, address: Address, now: float) -> bool:
        if self._configuration.retry != "auto":
            return self._configuration.retry == "always"
        if self._configuration.max_handshake_rate is None:
            return self.gate.is_crowded(address)
        if self._free is None:
            self._free = TokenBucket(c.RETRY_FREE_BURST, c.RETRY_FREE_RATE, now)
        return self.gate.is_crowded(address) or not self._free.has(now) or self._is_short(now)

    def _is_short(self, now: float) -> bool:
        """True if the rate of all is nearly used up: what is left is for who has proved to be somewhere."""
        return self._all is not None and not self._all.has(now, self._reserve)

    def _is_within_rates(self, address: Address, is_proved: bool, now: float) -> bool:
        rate = self._configuration.max_handshake_rate
        if rate is not None and self._all is None:
            self._all = TokenBucket(float(self._configuration.max_half_open), rate, now)
        if self._all is not None and not self._all.has(now):
            return False
        if self._is_short(now) and not self._quiet.has(address, now):
            return False
        counts = is_proved or self._configuration.retry == "never"
        return self._each is None or not counts or self._each.has(address, now)

    # --- tokens -------------------------------------------------------------------------------------

    def make_retry(self, address: Address, first_id: bytes, source_id: bytes, now: float) -> Retry:
        """Make the Retry for a client whose first packet went to `first_id`."""
        return Retry(source_id, self._tokens.issue(address, first_id, source_id, now))

    def first_id(self, token: bytes, address: Address, source_id: bytes, now: float) -> bytes | None:
        """What a good token that came to `source_id` says; None for any other."""
        return self._tokens.check(token, address, source_id, now)

    def spend(self, token: bytes, now: float) -> bool:
        """Take a token for good; False if too many were taken lately."""
        return self._tokens.spend(token, now)
