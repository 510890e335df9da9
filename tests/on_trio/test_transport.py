"""The UDP socket under trio."""

from __future__ import annotations

import errno
import socket
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from fastmux.trio.transport import open_transport


def test_what_is_sent_to_a_transport_is_read_and_it_can_be_closed_while_it_is_watched() -> None:
    async def main() -> None:
        transport = open_transport(socket.AF_INET, ("127.0.0.1", 0))
        readable = trio.Event()
        transport.start(readable.set, lambda: None)
        with socket.socket(type=socket.SOCK_DGRAM) as sender, trio.fail_after(5):
            sender.sendto(b"hello", transport.sockname[:2])
            await readable.wait()
        [(start, size, _, _)] = transport.receive()
        assert bytes(transport.buffer[start : start + size]) == b"hello"
        transport.close()
        transport.close()
        await trio.testing.wait_all_tasks_blocked()

    trio.run(main)


def test_a_system_without_recvmsg_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="use asyncio") as caught:
            open_transport(socket.AF_INET, None)
        assert caught.value.errno == errno.ENOTSUP

    monkeypatch.setattr("fastmux.trio.transport.socket", SimpleNamespace(socket=object))
    trio.run(main)


def test_an_address_that_cannot_be_bound_is_an_os_error() -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="assign"):
            open_transport(socket.AF_INET, ("192.0.2.1", 0))

    trio.run(main)
