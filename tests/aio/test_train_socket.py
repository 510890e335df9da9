"""Trains go out and come in whole, and every refusal of the kernel is survived."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from aio.conftest import LoopFactory
from fastmux.aio.train_socket import TrainSocket
from fastmux.constants import MAX_PLAIN_DESTINATIONS
from fastmux.protocol.events import Address

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="GSO and GRO of Linux")


class MoodySocket(socket.socket):
    """A UDP socket whose sending calls raise given errors, in order; 0 lets one through."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.train_errors: list[int] = []
        self.datagram_errors: list[int] = []
        self.calls: list[str] = []

    def sendmsg(self, *args: Any) -> int:
        self.calls.append("train")
        _raise_next(self.train_errors)
        return super().sendmsg(*args)

    def sendto(self, *args: Any) -> int:
        self.calls.append("datagram")
        _raise_next(self.datagram_errors)
        return super().sendto(*args)


def _raise_next(errors: list[int]) -> None:
    code = errors.pop(0) if errors else 0
    if code:
        raise OSError(code, "injected")


class Ends:
    """A moody sender and a receiver, on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sender_socket = MoodySocket(family, socket.SOCK_DGRAM)
        self.trains: list[tuple[bytes, int]] = []
        self.writable = 0
        self._arrived = asyncio.Event()
        receiver_socket = socket.socket(family, socket.SOCK_DGRAM)
        for sock in (self.sender_socket, receiver_socket):
            sock.setblocking(False)
            sock.bind((host, 0))
        self.sender = TrainSocket(loop, self.sender_socket)
        self.receiver = TrainSocket(loop, receiver_socket)
        self.sender.start(lambda: None, self._on_writable)
        self.receiver.start(self._on_readable, lambda: None)

    @property
    def target(self) -> Address:
        return self.receiver.sockname

    @property
    def received(self) -> bytes:
        return b"".join(train for train, _ in self.trains)

    def send(self, train: bytes, segment_size: int) -> None:
        self.sender.send(memoryview(train), len(train), segment_size, self.target)

    def _on_writable(self) -> None:
        self.writable += 1

    def _on_readable(self) -> None:
        while rows := self.receiver.receive():
            for start, size, segment_size, _ in rows:
                self.trains.append((bytes(self.receiver.buffer[start : start + size]), segment_size))
        self._arrived.set()

    async def wait_for(self, size: int) -> None:
        """Wait until this many bytes have come."""
        async with asyncio.timeout(10):
            while len(self.received) < size:
                self._arrived.clear()
                await self._arrived.wait()

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


def play(loop_factory: LoopFactory, scene: Callable[[Ends], Any], host: str = "127.0.0.1") -> None:
    """Run an async scene between two sockets."""

    async def main() -> None:
        ends = Ends(asyncio.get_running_loop(), host)
        try:
            await scene(ends)
        finally:
            ends.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def pattern(segments: Iterable[int]) -> bytes:
    return b"".join(bytes([index % 251]) * size for index, size in enumerate(segments))


@linux_only
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_train_travels_in_one_call_each_way(loop_factory: LoopFactory, host: str) -> None:
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6")

    async def scene(ends: Ends) -> None:
        train = pattern([1200] * 40 + [77])
        ends.send(train, 1200)
        await ends.wait_for(len(train))
        assert ends.trains == [(train, 1200)]
        assert ends.sender_socket.calls == ["train"]
        assert ends.sender.path == ends.receiver.path == "gso+gro"

    play(loop_factory, scene, host)


def test_a_single_datagram_needs_no_gso(loop_factory: LoopFactory) -> None:
    async def scene(ends: Ends) -> None:
        ends.send(b"hello", 1200)
        await ends.wait_for(5)
        assert ends.trains == [(b"hello", 5)]
        assert ends.sender_socket.calls == ["datagram"]

    play(loop_factory, scene)


@linux_only
@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL, errno.EOPNOTSUPP])
def test_where_gso_is_refused_the_same_train_goes_one_by_one_from_then_on(
    loop_factory: LoopFactory, code: int
) -> None:
    async def scene(ends: Ends) -> None:
        ends.sender_socket.train_errors = [code]
        train = pattern([1000] * 5 + [1])
        ends.send(train, 1000)
        await ends.wait_for(len(train))
        assert ends.received == train
        assert ends.sender_socket.calls == ["train"] + ["datagram"] * 6
        assert ends.sender.counters()["gso_refusals"] == 1
        assert ends.sender.counters()["send_errors"] == 0
        ends.sender_socket.calls.clear()
        ends.send(train, 1000)
        await ends.wait_for(2 * len(train))
        assert ends.sender_socket.calls == ["datagram"] * 6

    play(loop_factory, scene)


@linux_only
def test_gso_goes_on_for_other_destinations(loop_factory: LoopFactory) -> None:
    async def scene(ends: Ends) -> None:
        ends.sender_socket.train_errors = [errno.EIO]
        train = pattern([1000] * 3)
        ends.send(train, 1000)
        ends.sender_socket.calls.clear()
        ends.sender.send(memoryview(train), len(train), 1000, ("127.0.0.2", ends.target[1]))
        assert ends.sender_socket.calls == ["train"]

    play(loop_factory, scene)


@linux_only
def test_a_size_that_is_refused_says_nothing_about_gso(loop_factory: LoopFactory) -> None:
    """After the path MTU shrank the kernel answers EINVAL to the train and EMSGSIZE to its datagrams."""

    async def scene(ends: Ends) -> None:
        ends.sender_socket.train_errors = [errno.EINVAL]
        ends.sender_socket.datagram_errors = [errno.EMSGSIZE] * 3
        train = pattern([1000] * 3)
        ends.send(train, 1000)
        assert ends.sender.counters()["send_errors"] == 3
        ends.sender_socket.calls.clear()
        ends.send(train, 1000)
        assert ends.sender_socket.calls == ["train"]

    play(loop_factory, scene)


@linux_only
def test_very_many_refusing_destinations_turn_gso_off_and_are_forgotten(loop_factory: LoopFactory) -> None:
    async def scene(ends: Ends) -> None:
        train = memoryview(b"xy")
        for number in range(MAX_PLAIN_DESTINATIONS + 1):
            ends.sender_socket.train_errors = [errno.EIO]
            ends.sender.send(train, 2, 1, (f"127.1.{number >> 8}.{number & 255}", 9))
        assert ends.sender.path == "gro"
        ends.sender_socket.calls.clear()
        ends.send(b"ab", 1)
        assert ends.sender_socket.calls == ["datagram"] * 2

    play(loop_factory, scene)


@pytest.mark.parametrize(
    "code",
    [errno.EMSGSIZE, errno.ENOBUFS, errno.EPERM, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED],
)
def test_what_the_network_refuses_is_a_loss_and_no_exception(loop_factory: LoopFactory, code: int) -> None:
    async def scene(ends: Ends) -> None:
        ends.sender_socket.train_errors = [code]
        ends.sender_socket.datagram_errors = [code]
        ends.send(b"lost" * 2, 4 if sys.platform == "linux" else 8)
        ends.send(b"lost", 4)
        assert ends.sender.counters()["send_errors"] == 2
        ends.send(b"kept", 4)
        await ends.wait_for(4)
        assert ends.received == b"kept"

    play(loop_factory, scene)


@linux_only
def test_a_train_that_finds_no_room_waits_for_it_and_arrives(loop_factory: LoopFactory) -> None:
    async def scene(ends: Ends) -> None:
        ends.sender_socket.train_errors = [errno.EAGAIN, errno.EAGAIN]
        train = bytearray(pattern([1000] * 4))
        whole = bytes(train)
        ends.sender.send(memoryview(train), len(train), 1000, ends.target)
        assert ends.sender.is_blocked
        train[:] = bytes(len(train))  # the buffer is used again at once
        await ends.wait_for(len(whole))
        assert ends.received == whole
        assert not ends.sender.is_blocked
        assert ends.writable == 1
        assert ends.sender_socket.calls == ["train"] * 3

    play(loop_factory, scene)


def test_a_train_that_finds_no_room_half_way_loses_and_repeats_nothing(loop_factory: LoopFactory) -> None:
    async def scene(ends: Ends) -> None:
        ends.sender_socket.train_errors = [errno.EIO]
        ends.sender_socket.datagram_errors = [0, 0, errno.EAGAIN]
        train = pattern([1000] * 4 + [10])
        ends.send(train, 1000)
        assert ends.sender.is_blocked
        await ends.wait_for(len(train))
        assert ends.received == train
        assert ends.writable == 1

    play(loop_factory, scene)


def test_closing_forgets_what_waits_and_may_be_repeated(loop_factory: LoopFactory) -> None:
    async def scene(ends: Ends) -> None:
        ends.sender_socket.datagram_errors = [errno.EAGAIN]
        ends.send(b"late", 4)
        assert ends.sender.is_blocked
        ends.close()
        ends.close()
        assert not ends.sender.is_blocked
        ends.send(b"later", 5)
        assert ends.sender.receive() == []
        assert ends.sender_socket.fileno() == -1

    play(loop_factory, scene)


def test_a_socket_that_is_dropped_is_closed_without_a_warning(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        transport = TrainSocket(asyncio.get_running_loop(), sock)
        del transport
        assert sock.fileno() == -1

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


class DeafSocket(socket.socket):
    """A socket that always reports an error where a datagram is asked for."""

    def recvmsg_into(self, *args: Any) -> Any:
        raise ConnectionResetError(errno.ECONNRESET, "an ICMP error")


def test_errors_of_earlier_sends_do_not_end_reading(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        transport = TrainSocket(asyncio.get_running_loop(), DeafSocket(type=socket.SOCK_DGRAM))
        assert transport.receive() == []
        assert transport.counters()["receive_errors"] == 64
        transport.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@pytest.mark.parametrize("by_number", [False, True], ids=["object", "descriptor"])
@pytest.mark.parametrize("trains", [False, True], ids=["datagrams", "trains"])
def test_a_socket_that_was_closed_under_us_is_told_once_and_never_touched_again(
    loop_factory: LoopFactory, by_number: bool, trains: bool
) -> None:
    """Its number may be another file's by then: it is neither sent to nor closed."""

    async def main() -> None:
        told: list[OSError] = []
        sock = socket.socket(type=socket.SOCK_DGRAM)
        transport = TrainSocket(asyncio.get_running_loop(), sock)
        transport.start(lambda: None, lambda: None, told.append)
        await asyncio.sleep(0.001)  # uvloop ends the process if it is given a number that is closed
        number = sock.fileno()
        if by_number:
            os.close(number)
        else:
            sock.close()
        for _ in range(2):
            transport.send(memoryview(bytes(100)), 100, 50 if trains else 100, ("127.0.0.1", 9))
            assert transport.receive() == []
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert [error.errno for error in told] == [errno.EBADF]
        assert not transport.is_blocked
        reading, writing = os.pipe()  # one of them has that number now
        assert number in (reading, writing)
        transport.close()
        os.write(writing, b"still open")
        assert os.read(reading, 10) == b"still open"
        os.close(reading)
        os.close(writing)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_what_is_forsaken_leaves_the_loop_alone() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sock = socket.socket(type=socket.SOCK_DGRAM)
        number = sock.fileno()
        transport = TrainSocket(loop, sock)
        transport.start(lambda: None, lambda: None)
        await asyncio.sleep(0.001)
        transport.forsake()
        transport.close()
        assert sock.fileno() == -1
        assert loop.remove_reader(number), "the loop was told"

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())
