"""Both sides of a stream, in both cores, against plain bytes."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twins.twins import Twins, octets

SIZE = 20_000
DATA = octets(SIZE)
offsets = st.one_of(st.integers(0, 300), st.integers(0, SIZE))
sizes = st.one_of(st.integers(0, 20), st.integers(0, 6000))


class ReceiveMachine(RuleBasedStateMachine):
    """The model is the set of offsets that came, and how far was read."""

    def __init__(self) -> None:
        super().__init__()
        self.twins = Twins(lambda core: core.ReceiveStream())
        self.came: set[int] = set()
        self.consumed = self.highest = 0
        self.final: int | None = None
        self.is_reset = False

    def allowed(self, stop: int, fin: bool) -> bool:
        """Whether the end of the stream permits data up to `stop`."""
        if self.final is not None and (stop > self.final or (fin and stop != self.final)):
            return False
        return not fin or stop >= self.highest

    @rule(offset=offsets, size=sizes, fin=st.booleans())
    def receive(self, offset: int, size: int, fin: bool) -> None:
        stop = min(SIZE, offset + size)
        offset, fin = min(offset, stop), fin and size % 7 == 0
        kind, advance = self.twins.call("receive", offset, DATA[offset:stop], fin)
        assert (kind == "value") == self.allowed(stop, fin)
        if kind == "value":
            assert advance == max(0, stop - self.highest)
            self.highest = max(self.highest, stop)
            self.final = stop if fin else self.final
            self.came |= {*range(offset, stop)}
            if self.is_reset:
                self.consumed = self.highest

    @rule(size=sizes)
    def read(self, size: int) -> None:
        data = self.twins.value("read", size)
        if data:
            assert data == DATA[self.consumed : self.consumed + len(data)]
            self.consumed += len(data)
        elif size:
            assert (data is None) == (self.consumed == self.final)

    @rule(size=sizes)
    def read_into(self, size: int) -> None:
        buffers = [bytearray(size), bytearray(size)]
        counts = [item.read_into(buffer) for item, buffer in zip(self.twins.objects, buffers, strict=True)]
        assert (counts[0], buffers[0]) == (counts[1], buffers[1])
        if counts[0] > 0:
            assert buffers[0][: counts[0]] == DATA[self.consumed : self.consumed + counts[0]]
            self.consumed += counts[0]

    @rule(size=offsets, really=st.integers(0, 9))
    def reset(self, size: int, really: int) -> None:
        if really:
            return
        allowed, before = self.allowed(size, True), self.consumed
        kind, returned = self.twins.call("reset", size)
        assert (kind == "value") == allowed
        if kind == "value":
            assert returned == size - before
            self.final = self.highest = self.consumed = size
            self.is_reset = True

    @invariant()
    def same(self) -> None:
        readable = self.twins.get("readable_size")
        if not self.is_reset:
            stop = self.consumed
            while stop in self.came:
                stop += 1
            assert readable == stop - self.consumed
        assert self.twins.get("highest_offset") == self.highest
        assert self.twins.get("consumed") == self.consumed
        assert self.twins.get("final_size") == self.final
        assert self.twins.get("is_finished") == (self.consumed == self.final)
        held = {offset // 4096 for offset in self.came if offset >= self.consumed}
        assert self.twins.get("held_size") == (0 if self.is_reset else 4096 * len(held))
        self.twins.get("span_count")


class SendMachine(RuleBasedStateMachine):
    """The model is what was written, what is in flight, and which offsets were acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.twins = Twins(lambda core: core.SendStream())
        self.written = b""
        self.flight: list[tuple[int, int, bool]] = []
        self.acked: set[int] = set()
        self.finished = self.fin_acked = False

    @rule(size=sizes)
    def write(self, size: int) -> None:
        data = octets(size)
        kind, unsent = self.twins.call("write", data)
        assert (kind == "value") != self.finished
        if kind == "value":
            self.written += data
            assert unsent == self.twins.get("unsent_size")

    @rule(rarely=st.integers(0, 5))
    def finish(self, rarely: int) -> None:
        if not rarely:
            self.twins.value("finish")
            self.finished = True

    @rule(size=st.integers(0, 1500), limit=st.one_of(st.just(2**62 - 1), offsets))
    def next_range(self, size: int, limit: int) -> None:
        run = self.twins.value("next_range", size, limit)
        if run is not None:
            offset, data, fin = run
            assert data == self.written[offset : offset + len(data)]
            assert not fin or (self.finished and offset + len(data) == len(self.written))
            assert not self.acked & {*range(offset, offset + len(data))}
            self.flight.append((offset, offset + len(data), fin))

    @rule(choice=st.integers(0, 50), is_lost=st.booleans())
    def settle(self, choice: int, is_lost: bool) -> None:
        if self.flight:
            start, stop, fin = self.flight.pop(choice % len(self.flight))
            self.twins.value("on_lost" if is_lost else "on_acked", start, stop, fin)
            if not is_lost:
                self.acked |= {*range(start, stop)}
                self.fin_acked = self.fin_acked or fin

    @invariant()
    def same(self) -> None:
        base = 0
        while base in self.acked:
            base += 1
        assert self.twins.get("held_size") == len(self.written) - base
        assert self.twins.get("is_delivered") == (self.fin_acked and base == len(self.written))
        assert self.twins.get("unsent_size") == len(self.written) - self.twins.get("sent_size")


TestReceiveStreams = ReceiveMachine.TestCase
TestSendStreams = SendMachine.TestCase
