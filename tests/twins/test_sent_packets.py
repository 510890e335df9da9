"""Both ledgers and a dict of packets do the same."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twins.twins import Twins

ranges = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 8)), max_size=5)


class Machine(RuleBasedStateMachine):
    """The model maps numbers in flight to (size, time, ack-eliciting, in flight)."""

    def __init__(self) -> None:
        super().__init__()
        self.twins = Twins(lambda core: core.SentPackets())
        self.model: dict[int, tuple[int, float, bool, bool]] = {}
        self.skipped: set[int] = set()
        self.next = 0
        self.largest_acked = self.largest_lost = -1
        self.now = 1.0

    @rule(
        size=st.integers(0, 1500),
        gap=st.sampled_from([0.0, 0.001, 0.5]),
        eliciting=st.booleans(),
        in_flight=st.booleans(),
    )
    def add(self, size: int, gap: float, eliciting: bool, in_flight: bool) -> None:
        self.now += gap
        assert self.twins.value("add", size, self.now, eliciting, in_flight) == self.next
        if eliciting or in_flight:
            self.model[self.next] = (size, self.now, eliciting, in_flight)
        self.next += 1

    @rule(count=st.integers(1, 20))
    def add_many(self, count: int) -> None:
        for _ in range(count):
            self.add(1200, 0.001, True, True)

    @rule()
    def skip(self) -> None:
        assert self.twins.value("skip") == self.next
        self.skipped.add(self.next)
        self.next += 1

    @rule(drawn=ranges, gap=st.sampled_from([0.0, 0.01, 0.3]), delay=st.sampled_from([0.0, 0.005]))
    def acknowledge(self, drawn: list[tuple[int, int]], gap: float, delay: float) -> None:
        self.now += gap
        at, found = self.next + 1, []
        for distance, size in drawn:  # newest first, never adjacent; the first may be too new
            stop = at - distance
            if stop - size < 0:
                break
            found.append((stop - size, stop))
            at = stop - size
        kind, newly = self.twins.call("acknowledge", found, delay, self.now)
        named = {n for start, stop in found for n in range(start, stop)}
        if kind == "value":
            assert not named & self.skipped
            assert newly == sorted(named & self.model.keys())
            self.largest_acked = max(self.largest_acked, *named)
            for number in newly:
                del self.model[number]
        else:
            assert not named or named & self.skipped or max(named) >= self.next

    @rule(gap=st.sampled_from([0.0, 0.02, 1.0]), loss_delay=st.sampled_from([0.001, 0.1, 2.0]))
    def detect_losses(self, gap: float, loss_delay: float) -> None:
        self.now += gap
        lost = self.twins.value("detect_losses", loss_delay, self.now)
        below = [n for n in sorted(self.model) if n < self.largest_acked]
        late = [n for n in below if n <= self.largest_acked - 3 or self.model[n][1] + loss_delay <= self.now]
        assert lost == late
        self.largest_lost = max([self.largest_lost, *lost])
        for number in lost:
            del self.model[number]
        rest = [n for n in below if n in self.model]
        assert self.twins.get("loss_at") == (self.model[rest[0]][1] + loss_delay if rest else None)

    @rule()
    def take_summary(self) -> None:
        self.twins.value("take_summary")

    @rule()
    def set_app_limited(self) -> None:
        self.twins.value("set_app_limited")

    @invariant()
    def same(self) -> None:
        flight = [packet for packet in self.model.values() if packet[3]]
        assert self.twins.get("bytes_in_flight") == sum(packet[0] for packet in flight)
        assert self.twins.value("__len__") == len(self.model)
        assert self.twins.get("next_packet_number") == self.next
        assert self.twins.get("largest_acked") == self.largest_acked
        assert self.twins.get("largest_lost") == self.largest_lost
        at = self.twins.get("last_eliciting_sent_at")
        assert (at is None) == (not any(packet[2] for packet in flight))


TestSentPackets = Machine.TestCase
