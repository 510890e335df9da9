"""The sending side of a stream."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ENDLESS = 2**62 - 1


def written(core: Any, data: bytes, finish: bool = False) -> Any:
    stream = core.SendStream()
    stream.write(data)
    if finish:
        stream.finish()
    return stream


def test_runs_come_in_order_and_within_the_size(core: Any) -> None:
    stream = written(core, b"abcdef")
    assert stream.next_range(4, ENDLESS) == (0, b"abcd", False)
    assert stream.next_range(4, ENDLESS) == (4, b"ef", False)
    assert stream.next_range(4, ENDLESS) is None
    assert (stream.sent_size, stream.unsent_size, stream.held_size) == (6, 0, 6)


def test_new_bytes_stop_at_the_limit(core: Any) -> None:
    stream = written(core, b"abcdef")
    assert stream.next_range(10, 4) == (0, b"abcd", False)
    assert stream.next_range(10, 4) is None
    assert stream.next_range(10, 5) == (4, b"e", False)


def test_lost_runs_come_first_and_need_no_credit(core: Any) -> None:
    stream = written(core, b"abcdef")
    stream.next_range(4, 4)
    stream.on_lost(1, 3, False)
    assert stream.next_range(10, 0) == (1, b"bc", False)
    assert stream.next_range(10, ENDLESS) == (4, b"ef", False)


def test_what_was_acknowledged_meanwhile_is_not_sent_again(core: Any) -> None:
    stream = written(core, b"abcdef")
    stream.next_range(6, ENDLESS)
    stream.on_acked(2, 4, False)
    stream.on_lost(0, 6, False)
    assert stream.next_range(10, 0) == (0, b"ab", False)
    stream.on_acked(4, 6, False)
    assert stream.next_range(10, 0) is None


def test_fin_comes_with_the_last_run(core: Any) -> None:
    stream = written(core, b"abcd", finish=True)
    assert stream.next_range(2, ENDLESS) == (0, b"ab", False)
    assert stream.next_range(2, ENDLESS) == (2, b"cd", True)
    assert stream.next_range(2, ENDLESS) is None


def test_fin_alone_is_a_run_of_no_bytes(core: Any) -> None:
    stream = written(core, b"ab")
    stream.next_range(9, ENDLESS)
    stream.finish()
    assert stream.next_range(0, 0) == (2, b"", True)
    assert stream.next_range(0, 0) is None


def test_a_lost_fin_goes_again_until_it_is_acknowledged(core: Any) -> None:
    stream = written(core, b"ab", finish=True)
    stream.next_range(9, ENDLESS)
    stream.on_lost(0, 2, True)
    assert stream.next_range(9, ENDLESS) == (0, b"ab", True)
    stream.on_acked(0, 2, True)
    assert stream.is_delivered
    stream.on_lost(0, 2, True)
    assert stream.next_range(9, ENDLESS) is None


def test_a_stream_is_delivered_when_fin_and_all_before_it_is_acknowledged(core: Any) -> None:
    stream = written(core, b"abcd", finish=True)
    stream.next_range(2, ENDLESS)
    stream.next_range(2, ENDLESS)
    stream.on_acked(2, 4, True)
    assert not stream.is_delivered
    stream.on_acked(0, 2, False)
    assert (stream.is_delivered, stream.held_size) == (True, 0)


def test_acknowledged_bytes_are_dropped_from_the_front(core: Any) -> None:
    stream = written(core, bytes(10_000))
    stream.next_range(10_000, ENDLESS)
    stream.on_acked(5000, 6000, False)
    assert stream.held_size == 10_000
    stream.on_acked(0, 5000, False)
    assert stream.held_size == 4000


def test_write_says_how_much_is_unsent(core: Any) -> None:
    stream = core.SendStream()
    assert stream.write(bytes(10)) == 10
    stream.next_range(4, ENDLESS)
    assert stream.write(bytearray(5)) == 11


def test_a_buffer_that_changes_after_the_write_was_copied(core: Any) -> None:
    stream, data = core.SendStream(), bytearray(b"abcd")
    stream.write(data)
    data[:] = b"zzzz"
    assert stream.next_range(9, ENDLESS) == (0, b"abcd", False)


def test_writing_after_finish_is_a_value_error(core: Any) -> None:
    stream = written(core, b"", finish=True)
    with pytest.raises(ValueError):
        stream.write(b"more")


def test_many_small_writes_make_full_runs(core: Any) -> None:
    stream = core.SendStream()
    for _ in range(5000):
        stream.write(b"0123456789")
    found = b""
    while (run := stream.next_range(1200, ENDLESS)) is not None:
        assert len(run[1]) == 1200 or stream.unsent_size == 0
        found += run[1]
        stream.on_acked(run[0], run[0] + len(run[1]), False)
    assert found == b"0123456789" * 5000


@given(seed=st.integers(0, 10_000))
def test_under_any_losses_every_byte_gets_there(core: Any, seed: int) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(rng.randint(0, 20_000))
    stream, at, flight = core.SendStream(), 0, []
    arrived, has_fin = dict[int, int](), False
    for _ in range(10_000):
        if stream.is_delivered:
            break
        if at < len(data):
            step = rng.randint(1, 5000)
            stream.write(data[at : at + step])
            at += step
        elif not has_fin:
            stream.finish()
        run = stream.next_range(rng.randint(0, 1500), ENDLESS)
        if run is not None:
            flight.append(run)
        if flight and (run is None or rng.random() < 0.5):
            offset, piece, fin = flight.pop(rng.randrange(len(flight)))
            if rng.random() < 0.3:
                stream.on_lost(offset, offset + len(piece), fin)
                continue
            arrived.update(zip(range(offset, offset + len(piece)), piece, strict=True))
            has_fin = has_fin or fin
            stream.on_acked(offset, offset + len(piece), fin)
    assert stream.is_delivered
    assert bytes(arrived[n] for n in range(len(data))) == data
