"""What the workers of all peers share: framed messages, the check of messages, a deadline for blocking ones.

Owns the length-prefixed frame (for peers that carry bytes and not messages), the comparison of messages and
echoes with the pattern, and `run_blocking`. Knows no peer.
"""

import argparse
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from bench import payload, worker

SIZES = {
    "pingpong": worker.PINGPONG_SIZE,
    "echoes": worker.ECHO_SIZE,
    "churn": worker.ECHO_SIZE,
    "messages": worker.MESSAGE_SIZE,
    "small-messages": worker.SMALL_MESSAGE_SIZE,
}
"""Bytes a message or an echo."""

BATCH = 256
"""So many 64-byte messages, or one of 16 KiB, are handed over at a time where the peer takes a sequence."""

ANSWER_SECONDS = 5.0
"""So long an end waits, after its result, for the other one to take its leave."""

_PREFIX = struct.Struct("!I")


def frame(messages: Sequence[bytes]) -> bytes:
    """The messages in one piece, each after its length in 4 bytes."""
    parts: list[bytes] = []
    for message in messages:
        parts.append(_PREFIX.pack(len(message)))
        parts.append(message)
    return b"".join(parts)


class Deframer:
    """Cuts a stream of frames into messages.

    Invariant: `_pending` is less than one whole frame.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._needed = _PREFIX.size

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The messages that these bytes make whole."""
        self._pending += data
        if len(self._pending) < self._needed:
            return []
        stream = bytes(self._pending)
        messages: list[bytes] = []
        at, size = 0, len(stream)
        self._needed = _PREFIX.size
        while size - at >= _PREFIX.size:
            end = at + _PREFIX.size + _PREFIX.unpack_from(stream, at)[0]
            if end > size:
                self._needed = end - at
                break
            messages.append(stream[at + _PREFIX.size : end])
            at = end
        self._pending = bytearray(stream[at:])
        return messages

    @property
    def empty(self) -> bool:
        """Whether the stream may end here."""
        return not self._pending


def verify(verifier: payload.Verifier, data: bytes | memoryview) -> None:
    """Takes the next bytes of a stream, however many. Raises ValueError where they differ."""
    if len(data) <= payload.BLOCK_SIZE:
        verifier.check(data)
        return
    view = memoryview(data)
    for start in range(0, len(view), payload.BLOCK_SIZE):
        verifier.check(view[start : start + payload.BLOCK_SIZE])


class MessageCheck:
    """Compares received messages with those of `batches`, in order; `count` so many were right."""

    def __init__(self, size: int) -> None:
        self._pieces = payload.cut(size)
        self.count = 0

    def check(self, messages: Sequence[bytes]) -> None:
        """Takes the next messages. Raises ValueError where they differ."""
        pieces, count = self._pieces, self.count
        for message in messages:
            if message != pieces[count % len(pieces)]:
                raise ValueError(f"message {count} is not the one that was sent")
            count += 1
        self.count = count


def batches(size: int) -> Iterator[list[bytes]]:
    """Messages of `size` bytes for ever, as many at a time as are handed over at a time."""
    pieces = payload.cut(size)
    length = BATCH if size <= worker.SMALL_MESSAGE_SIZE else 1
    twice = pieces * 2
    at = 0
    while True:
        yield twice[at : at + length]
        at = (at + length) % len(pieces)


class Exchange:
    """One echo at a time: what was sent and when, and what of it has come back."""

    __slots__ = ("_number", "_piece", "_pieces", "_received", "_sent_at", "latency")

    def __init__(self, pieces: list[bytes], number: int) -> None:
        self.latency = 0.0
        self._pieces = pieces
        self._number = number
        self._piece = self._received = b""
        self._sent_at = 0.0

    def next(self) -> bytes:
        """What to send now."""
        self._piece = self._pieces[self._number % len(self._pieces)]
        self._number += 1
        self._received = b""
        self._sent_at = time.perf_counter()
        return self._piece

    def take(self, data: bytes | memoryview) -> bool:
        """Whether all is back, after `latency` seconds. Raises ValueError where it differs."""
        self._received += data
        if len(self._received) < len(self._piece):
            return False
        if self._received != self._piece:
            raise ValueError("an echo is not what was sent")
        self.latency = time.perf_counter() - self._sent_at
        return True


def run_blocking(main: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Runs a worker that has no loop, for `--seconds` and `--grace` at the most (TimeoutError).

    A thread sends the signal to this one: the kernel may give that of a timer to any thread, and if that one
    never asks for the interpreter, a worker that never waits is not told.
    """
    is_over = False

    def stop(number: int, stack: object) -> None:
        if not is_over:
            raise TimeoutError("the worker did not end in time")

    before = signal.signal(signal.SIGALRM, stop)
    alarm = (threading.get_ident(), signal.SIGALRM)
    timer = threading.Timer(options.seconds + options.grace, signal.pthread_kill, alarm)
    timer.daemon = True
    timer.start()
    try:
        main(options)
    finally:
        is_over = True
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGALRM, before)
