"""How often the event loop of a worker was woken, and for how many sockets each time.

Owns the counting. Knows no transport.
"""

import asyncio
import selectors

from bench import worker

GB = 1e9


class CountingSelector(selectors.DefaultSelector):
    """Counts the calls that found something to read, and the descriptors that they found."""

    def __init__(self) -> None:
        super().__init__()
        self.wakeups = 0
        self.found = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the selector below."""
        ready = super().select(timeout)
        if ready:
            self.wakeups += 1
            self.found += len(ready)
        return ready


_counters: list[CountingSelector] = []


def counting_loop() -> asyncio.AbstractEventLoop:
    """asyncio's loop, with wake-ups counted from now on in this process."""
    _counters.append(CountingSelector())
    return asyncio.SelectorEventLoop(_counters[-1])


def added_to(result: worker.Result) -> worker.Result:
    """The result with what its detail has besides: wake-ups and ready sockets per GB or per operation."""
    detail, done = result.get("detail"), _done(result)
    if _counters and isinstance(detail, dict) and done:
        detail["wakeups"] = sum(counter.wakeups for counter in _counters) / done
        detail["ready"] = sum(counter.found for counter in _counters) / done
    return result


def _done(result: worker.Result) -> float:
    """GB or operations of the whole run."""
    size, operations = result.get("total_size"), result.get("total_operations")
    if isinstance(size, int):
        return size / GB
    return float(operations) if isinstance(operations, int) else 0.0
