"""What an attacker may guess at is compared in constant time, or looked up by a keyed hash."""

from __future__ import annotations

import ast
import hmac
from pathlib import Path
from random import Random
from typing import Any

import pytest

import fastmux
from fastmux.protocol.retry import RetryTokens
from fastmux.protocol.stateless_reset import ResetTokens
from fastmux.tunnel.proxies.users import Users

SOURCE = Path(fastmux.__file__).parent
ADDRESS = ("192.0.2.1", 5)
# Names of what is guessed at. `secret in known` and `secret == other` end at the first byte that differs.
GUESSED = frozenset({"mac", "tag", "secret", "password", "digest", "reset_token"})
# After the MAC was found good by `compare_digest`: whoever can ask has made it.
ALLOWED = {("protocol/retry.py", "mac in self._spent")}
ROOMS = ("protocol", "security", "portmux", "tunnel/proxies", "tunnel/http_proxy", "tunnel/socks", "aio")


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """What `hmac.compare_digest` is given."""
    given: list[tuple[bytes, bytes]] = []
    compare_digest = hmac.compare_digest

    def compare(first: Any, second: Any) -> bool:
        given.append((first, second))
        return compare_digest(first, second)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    return given


def test_tokens_of_retry_are_compared_whole(compared: list[tuple[bytes, bytes]]) -> None:
    tokens = RetryTokens(Random(1).randbytes)
    token = tokens.issue(ADDRESS, b"first id", b"source", 1.0)
    for place in (5, 12, 20):  # the first, a middle and the last byte of the MAC
        forged = bytearray(token)
        forged[place] ^= 1
        assert tokens.check(bytes(forged), ADDRESS, b"source", 1.0) is None
    assert tokens.check(token, ADDRESS, b"source", 1.0) == b"first id"
    assert [len(first) for first, _ in compared] == [16, 16, 16, 16]
    assert compared[-1] == (token[5:21], token[5:21])


def test_passwords_are_compared_as_keyed_digests_and_with_each_user(
    compared: list[tuple[bytes, bytes]],
) -> None:
    users = Users({"a": "one", "b": "two", "c": "three"})
    assert users.check(b"a", b"one")
    assert not users.check(b"a", b"on")
    assert not users.check(b"nobody", b"")
    assert len(compared) == 9  # found or not
    assert {len(each) for pair in compared for each in pair} == {32}


def test_reset_tokens_are_looked_up_by_a_keyed_hash_and_kept_as_nothing_else() -> None:
    tokens: ResetTokens[str] = ResetTokens(b"k" * 32)
    token = Random(2).randbytes(16)
    tokens.watch(token, "owner")
    assert tokens.find(bytes(30) + token) == "owner"
    assert token not in tokens._owners
    other: ResetTokens[str] = ResetTokens(b"l" * 32)
    other.watch(token, "owner")
    assert tokens._owners.keys() != other._owners.keys()


def comparisons(source: str) -> list[str]:
    """The comparisons of a file that name something guessed at."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                name = getattr(side, "id", getattr(side, "attr", ""))
                is_none = any(isinstance(each, ast.Constant) for each in node.comparators)
                if str(name).lstrip("_") in GUESSED and not is_none:
                    found.append(ast.unparse(node))
    return found


def test_nothing_that_is_guessed_at_is_compared_by_operators() -> None:
    found = {
        (path.relative_to(SOURCE).as_posix(), text)
        for room in ROOMS
        for path in (SOURCE / room).rglob("*.py")
        for text in comparisons(path.read_text("utf-8"))
    }
    assert found == ALLOWED


def test_such_a_comparison_would_be_found() -> None:
    """The test of the test."""
    source = "mac == other\nself._secret in known\ntag is None"
    assert comparisons(source) == ["mac == other", "self._secret in known"]
