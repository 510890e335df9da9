"""A bad link for any protocol: two network namespaces joined by two TUN devices and this process.

Owns: the namespaces, the devices, and which IP packets pass, when: loss, delay, a bottleneck with its queue.
May not know: what is in them; who wants to answer in the name of a router brings that along. Needs root; the
kernels that tests run on often lack netem, which would do the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import random
import selectors
import struct
import threading
import time
from collections import deque
from collections.abc import Callable

import pytest

from programs.processes import program, run

NEAR, FAR = "10.99.7.1", "10.99.7.2"
NEAR6, FAR6 = "fd99:7::1", "fd99:7::2"
_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_READS = 64


Answer = Callable[[bytes], bytes | None]


class Narrow:
    """One direction of a bottleneck: `rate` bits a second, at most `queue` packets that wait for their turn.

    Invariant: `_starts` are the moments, in order, at which the packets that may still wait are begun.
    """

    def __init__(self, rate: float, queue: int) -> None:
        self._rate = rate
        self._queue = queue
        self._free_at = 0.0
        self._starts: deque[float] = deque()
        self.passed = 0  # bytes of IP packets
        self.dropped = 0  # packets

    def leaves_at(self, now: float, size: int) -> float | None:
        """When the last bit of a packet that comes now has left; None if it is dropped."""
        while self._starts and self._starts[0] <= now:
            self._starts.popleft()
        if len(self._starts) >= self._queue:
            self.dropped += 1
            return None
        start = max(now, self._free_at)
        self._starts.append(start)
        self._free_at = start + 8 * size / self._rate
        self.passed += size
        return self._free_at


class TunLink:
    """A link of `delay` seconds one way that loses a share `loss` of the packets each way. A context manager.

    `near` and `far` are command prefixes that run a program at one end; its addresses are NEAR and FAR,
    NEAR6 and FAR6 where there is IPv6. With `rate`, in bits a second, each direction is a bottleneck with
    a queue of `queue` packets: `to_near` and `to_far` count. What `answer` says to a packet goes to its
    sender at once. Skips the test where namespaces or TUN devices cannot be made.
    """

    def __init__(
        self,
        *,
        loss: float,
        delay: float,
        seed: int = 1,
        rate: float | None = None,
        queue: int = 0,
        answer: Answer | None = None,
    ) -> None:
        self._ip = program("ip")
        self._loss = loss
        self._delay = delay
        self._answer = answer
        self.to_far = Narrow(rate, queue) if rate is not None else None
        self.to_near = Narrow(rate, queue) if rate is not None else None
        self.longest_late = 0.0  # seconds: how long a packet lay here after its time, for this is a process
        self._random = random.Random(seed)
        self._held: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tun link")
        self._names = [f"fmtest{os.getpid()}{side}" for side in "ab"]
        self._devices: list[int] = []

    @property
    def near(self) -> list[str]:
        """What runs a program at the near end."""
        return [self._ip, "netns", "exec", self._names[0]]

    @property
    def far(self) -> list[str]:
        """What runs a program at the far end."""
        return [self._ip, "netns", "exec", self._names[1]]

    def __enter__(self) -> TunLink:
        try:
            for name, address in zip(self._names, (NEAR, FAR), strict=True):
                self._make_end(name, address)
        except OSError as error:
            self._remove()
            pytest.skip(f"no TUN device can be made here: {error}")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._remove()

    def _make_end(self, name: str, address: str) -> None:
        if run(self._ip, "netns", "add", name, check=False).returncode != 0:
            raise PermissionError("no network namespace can be made")
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        self._devices.append(device)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TUN_NO_PI))
        run(self._ip, "link", "set", name, "netns", name)
        inside = (self._ip, "-n", name)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "address", "add", f"{address}/24", "dev", name)
        sixth = NEAR6 if address == NEAR else FAR6
        run(*inside, "address", "add", f"{sixth}/64", "dev", name, "nodad", check=False)
        run(*inside, "link", "set", name, "up", "mtu", "1500", "txqueuelen", "10000")

    def _remove(self) -> None:
        for device in self._devices:
            os.close(device)
        self._devices.clear()
        for name in self._names:
            run(self._ip, "netns", "delete", name, check=False)

    def _run(self) -> None:
        near, far = self._devices
        with selectors.DefaultSelector() as selector:
            for device in self._devices:
                selector.register(device, selectors.EVENT_READ)
            while not self._is_over.is_set():
                wait = 0.1
                if self._held:
                    wait = min(max(self._held[0][0] - time.monotonic(), 0.0), wait)
                for key, _ in selector.select(wait):
                    if key.fd == near:
                        self._read(near, far, self.to_far)
                    else:
                        self._read(far, near, self.to_near)
                self._release()

    def _read(self, source: int, target: int, narrow: Narrow | None) -> None:
        for _ in range(_READS):
            try:
                packet = os.read(source, 2048)
            except BlockingIOError:
                return
            if self._answer is not None and (said := self._answer(packet)) is not None:
                self._give(source, said)
            if self._random.random() < self._loss:
                continue
            now = time.monotonic()
            left_at = now if narrow is None else narrow.leaves_at(now, len(packet))
            if left_at is not None:
                self._count += 1
                heapq.heappush(self._held, (left_at + self._delay, self._count, target, packet))

    def _release(self) -> None:
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            due, _, target, packet = heapq.heappop(self._held)
            self.longest_late = max(self.longest_late, now - due)
            self._give(target, packet)

    @staticmethod
    def _give(target: int, packet: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # a full queue: one more that is lost
            os.write(target, packet)
