"""What the workers of the peers share; the peers themselves are only there for those who install them."""

from __future__ import annotations

import argparse
import ast
import random
import sys
from pathlib import Path

import pytest

from bench import payload, peers, worker
from bench.peers import common, interpreters

FOLDER = Path(peers.__file__).parent


@pytest.mark.parametrize("name", peers.PEERS)
def test_a_peer_has_a_worker_that_says_what_it_chose(name: str) -> None:
    docstring = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text()))
    assert docstring is not None
    assert f"python -m bench.peers.{name} server|client" in docstring
    assert "Chosen" in docstring
    for workload in worker.WORKLOADS.keys() & (peers.PEERS["aioquic"][1] - peers.PEERS[name][1]):
        assert f"`{workload}`" in docstring, "it must say why it has no such workload"


def test_peers_have_only_workloads_that_there_are() -> None:
    assert all(workloads <= worker.WORKLOADS.keys() for _, workloads in peers.PEERS.values())


def test_frames_come_out_as_they_went_in_however_the_stream_is_cut() -> None:
    dice = random.Random(1)
    messages = [dice.randbytes(dice.choice((0, 1, 3, 64, 1000, 16384))) for _ in range(100)]
    stream = memoryview(common.frame(messages))
    deframer = common.Deframer()
    received: list[bytes] = []
    at = 0
    while at < len(stream):
        size = dice.choice((1, 2, 3, 5, 100, 1400, 70000))
        received += deframer.feed(stream[at : at + size])
        at += size
        assert deframer.empty is (len(common.frame(received)) == min(at, len(stream)))
    assert received == messages


def test_a_message_that_differs_is_seen() -> None:
    check = common.MessageCheck(64)
    check.check(payload.cut(64)[:3])
    with pytest.raises(ValueError, match="message 4 "):
        check.check([payload.cut(64)[3], payload.cut(64)[3]])


def test_messages_go_on_from_the_first_when_the_pattern_is_used_up() -> None:
    check = common.MessageCheck(64)
    batches = common.batches(64)
    while check.count <= len(payload.cut(64)):
        check.check(next(batches))


def test_an_echo_is_whole_only_when_all_of_it_is_back() -> None:
    exchange = common.Exchange(payload.cut(100), 0)
    sent = exchange.next()
    assert not exchange.take(sent[:40])
    assert exchange.take(memoryview(sent)[40:])
    exchange.next()
    with pytest.raises(ValueError, match="not what was sent"):
        exchange.take(sent)


def test_a_piece_longer_than_the_pattern_is_verified_to_its_end() -> None:
    block = b"".join(payload.PIECES)
    twice = block + block + block[:1000]
    common.verify(payload.Verifier(), twice)
    with pytest.raises(ValueError, match="not those sent"):
        common.verify(payload.Verifier(), twice[:-1] + bytes([twice[-1] ^ 1]))


def test_a_blocking_worker_that_does_not_end_is_stopped() -> None:
    def never_end(options: argparse.Namespace) -> None:
        while True:
            pass

    with pytest.raises(TimeoutError):
        common.run_blocking(never_end, argparse.Namespace(seconds=0.01, grace=0.01))


def test_a_distribution_is_found_here_or_in_the_other_python_or_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(interpreters.PYTHON_VARIABLE, raising=False)
    here = interpreters.find_interpreter("pytest")
    assert here is not None and here[0] == sys.executable
    assert interpreters.find_interpreter("no-such-peer") is None
    other = tmp_path / "python"
    other.write_text('#!/bin/sh\ntest "$3" = only-there && echo 1.2.3\n')
    other.chmod(0o700)
    monkeypatch.setenv(interpreters.PYTHON_VARIABLE, str(other))
    assert interpreters.find_interpreter("only-there") == (str(other), "1.2.3")
    assert interpreters.find_interpreter("no-such-peer") is None
