"""All sockets of a thread share their buffers, and no thread sees another's."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from fastmux.aio.buffers import receive_buffer, send_buffer
from fastmux.aio.transport import BUFFER_SIZE


def test_a_thread_has_one_buffer_each_way() -> None:
    assert receive_buffer() is receive_buffer()
    assert send_buffer() is send_buffer()
    assert len(receive_buffer()) == len(send_buffer()) == BUFFER_SIZE


def test_what_is_received_is_not_overwritten_by_what_is_sent() -> None:
    receive_buffer()[:2] = b"in"
    send_buffer()[:2] = b"ou"
    assert bytes(receive_buffer()[:2]) == b"in"


def test_another_thread_has_others() -> None:
    seen: list[memoryview] = []
    thread = threading.Thread(target=lambda: seen.extend((receive_buffer(), send_buffer())))
    thread.start()
    thread.join()
    receive_buffer()[:4] = b"mine"
    assert seen[0] is not receive_buffer()
    assert bytes(seen[0][:4]) == bytes(4)
    assert seen[1] is not send_buffer()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_has_others() -> None:
    """Guards against maps that are shared with children: a parent received what its workers were sent."""
    receive_buffer()[:6] = send_buffer()[:6] = b"parent"
    child = os.fork()
    if child == 0:
        receive_buffer()[:6] = send_buffer()[:6] = b"child "
        os._exit(0)
    assert os.waitpid(child, 0) == (child, 0)
    assert bytes(receive_buffer()[:6]) == bytes(send_buffer()[:6]) == b"parent"
