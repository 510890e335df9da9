"""What failing costs: each source pays for itself, and everything is bounded."""

from __future__ import annotations

from fastmux.tunnel import constants as c
from fastmux.tunnel.proxies.attempts import Attempts


def fail(attempts: Attempts, source: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        attempts.begin(source, now)
        attempts.end(source, now, succeeded=False)


def test_a_source_that_does_not_fail_never_waits_and_is_not_remembered() -> None:
    attempts = Attempts()
    for _ in range(1000):
        assert attempts.begin("a", 0.0) == 0
        attempts.end("a", 0.0, succeeded=True)
    assert len(attempts) == 0


def test_many_right_logins_at_once_do_not_refuse_one_another() -> None:
    attempts = Attempts()
    delays = [attempts.begin("a", 0.0) for _ in range(c.FREE_FAILURES)]
    assert delays == [0] * c.FREE_FAILURES


def test_a_source_that_goes_on_failing_waits_longer_and_longer_up_to_a_limit() -> None:
    attempts = Attempts()
    fail(attempts, "a", c.FREE_FAILURES)
    delays = []
    for _ in range(20):
        delays.append(attempts.begin("a", 0.0))
        attempts.end("a", 0.0, succeeded=False)
    assert delays[0] == 1
    assert delays == sorted(delays, key=lambda delay: delay or 0)
    assert delays[-1] == c.MAX_LOGIN_DELAY


def test_attempts_at_once_count_as_failures_of_each_other() -> None:
    attempts = Attempts()
    delays = [attempts.begin("a", 0.0) for _ in range(100)]
    assert delays[: c.FREE_FAILURES] == [0] * c.FREE_FAILURES
    assert delays[c.FREE_FAILURES] == 1
    assert delays[c.MAX_LOGINS_AT_ONCE :] == [None] * (100 - c.MAX_LOGINS_AT_ONCE)


def test_another_source_does_not_pay() -> None:
    attempts = Attempts()
    fail(attempts, "a", 100)
    assert attempts.begin("b", 0.0) == 0


def test_failures_are_forgotten_after_a_while() -> None:
    attempts = Attempts()
    fail(attempts, "a", 100)
    assert attempts.begin("a", c.FAILURES_FORGOTTEN_AFTER) == c.MAX_LOGIN_DELAY
    attempts.end("a", c.FAILURES_FORGOTTEN_AFTER, succeeded=True)
    assert attempts.begin("a", 3 * c.FAILURES_FORGOTTEN_AFTER) == 0


def test_only_so_many_sources_are_remembered() -> None:
    attempts = Attempts()
    for number in range(10 * c.MAX_FAILING_SOURCES):
        fail(attempts, str(number), 1)
    assert len(attempts) == c.MAX_FAILING_SOURCES
    attempts.end("0", 0.0, succeeded=False)  # forgotten meanwhile: nothing happens
