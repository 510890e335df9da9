"""What the demo carries is made from its seed and nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastmux.tunnel.demo.workload import (
    MAX_MESSAGE_SIZE,
    MIB,
    digest_messages,
    make_file,
    make_messages,
    percentile,
    read_chunks,
)


def test_a_file_has_its_size_and_the_hash_that_was_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    digest = make_file(path, 2 * MIB + 17, seed=3)
    assert path.stat().st_size == 2 * MIB + 17
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_the_blocks_of_a_file_differ_so_that_a_swap_shows(tmp_path: Path) -> None:
    path = tmp_path / "file"
    make_file(path, 3 * MIB, seed=3)
    data = path.read_bytes()
    assert len({data[start : start + MIB] for start in range(0, 3 * MIB, MIB)}) == 3


def test_reading_in_chunks_gives_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    make_file(path, MIB + 5, seed=1)
    assert b"".join(read_chunks(path)) == path.read_bytes()


def test_messages_go_from_one_byte_to_one_mebibyte() -> None:
    messages = make_messages(500, seed=1)
    sizes = sorted(map(len, messages))
    assert (len(messages), sizes[0], sizes[-1]) == (500, 1, MAX_MESSAGE_SIZE)
    assert sizes[250] < 20_000  # log-uniform: the median is near the square root of the largest


def test_the_same_seed_makes_the_same_messages_and_another_others() -> None:
    assert make_messages(20, seed=4) == make_messages(20, seed=4)
    assert make_messages(20, seed=4) != make_messages(20, seed=5)


def test_a_border_that_moved_changes_the_digest_of_messages() -> None:
    assert digest_messages([b"ab", b"c"]) != digest_messages([b"a", b"bc"])


def test_percentiles_are_nearest_ranks() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0
    assert percentile([], 0.5) == 0.0
