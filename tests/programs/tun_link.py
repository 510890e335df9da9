"""A lossy link for any protocol: two network namespaces joined by two TUN devices and this process.

Owns: the namespaces, the devices, and which IP packets pass, when. May not know: what is in them. Needs root;
the kernels that tests run on often lack netem, which would do the same.
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

import pytest

from programs.processes import program, run

NEAR, FAR = "10.99.7.1", "10.99.7.2"
_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_READS = 64


class TunLink:
    """A link of `delay` seconds one way that loses a share `loss` of the packets each way. A context manager.

    `near` and `far` are command prefixes that run a program at one end; its addresses are NEAR and FAR. Skips
    the test where namespaces or TUN devices cannot be made.
    """

    def __init__(self, *, loss: float, delay: float, seed: int = 1) -> None:
        self._ip = program("ip")
        self._loss = loss
        self._delay = delay
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
        run(*inside, "link", "set", name, "up", "mtu", "1500", "txqueuelen", "10000")

    def _remove(self) -> None:
        for device in self._devices:
            os.close(device)
        self._devices.clear()
        for name in self._names:
            run(self._ip, "netns", "delete", name, check=False)

    def _run(self) -> None:
        first, second = self._devices
        with selectors.DefaultSelector() as selector:
            for device in self._devices:
                selector.register(device, selectors.EVENT_READ)
            while not self._is_over.is_set():
                wait = 0.1
                if self._held:
                    wait = min(max(self._held[0][0] - time.monotonic(), 0.0), wait)
                for key, _ in selector.select(wait):
                    self._read(key.fd, second if key.fd == first else first)
                self._release()

    def _read(self, source: int, target: int) -> None:
        for _ in range(_READS):
            try:
                packet = os.read(source, 2048)
            except BlockingIOError:
                return
            if self._random.random() >= self._loss:
                self._count += 1
                heapq.heappush(self._held, (time.monotonic() + self._delay, self._count, target, packet))

    def _release(self) -> None:
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            _, _, target, packet = heapq.heappop(self._held)
            with contextlib.suppress(BlockingIOError):  # a full queue: one more that is lost
                os.write(target, packet)
