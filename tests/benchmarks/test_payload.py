"""What the benchmarks carry, and that damage is seen."""

from __future__ import annotations

import pytest

from bench import payload


def test_pieces_are_the_block_and_the_verifier_takes_them_over_and_over() -> None:
    pieces = payload.pieces(100_000)
    assert sum(map(len, pieces)) == payload.BLOCK_SIZE
    verifier = payload.Verifier()
    for piece in [*pieces, *pieces]:
        verifier.check(piece)
    assert verifier.size == 2 * payload.BLOCK_SIZE


@pytest.mark.parametrize("at", [0, 99_999])
def test_one_wrong_byte_is_seen(at: int) -> None:
    damaged = bytearray(payload.pieces(100_000)[0])
    damaged[at] ^= 1
    with pytest.raises(ValueError, match="not those sent"):
        payload.Verifier().check(damaged)


def test_bytes_out_of_order_are_seen() -> None:
    first, second, *_ = payload.pieces(4096)
    verifier = payload.Verifier()
    verifier.check(first)
    with pytest.raises(ValueError, match="from byte 4096"):
        verifier.check(second[1:])


def test_messages_are_whole_and_differ_from_each_other() -> None:
    messages = payload.cut(64)
    assert {len(message) for message in messages} == {64}
    assert len(set(messages)) == len(messages) == payload.BLOCK_SIZE // 64
