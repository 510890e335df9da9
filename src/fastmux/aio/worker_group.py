"""`bind_group`: sockets on one address for many worker processes, each with its known place.

Owns: the order in which they are bound, which is what makes an index mean a worker. May not know:
processes; what the workers do with their sockets.

The kernel numbers the sockets of a group as they are bound, and when one is closed the last one takes its
number. So one process binds them all and keeps them open as long as the group is in use; a worker gets its
own by fork, spawn or descriptor, and when it dies another takes the same socket, with what waits in it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fastmux.aio.resolver import without_missing_families
from fastmux.aio.socket_options import create_udp_socket
from fastmux.aio.steering import attach_program, check_steering, steering_program
from fastmux.protocol.connection_ids import check_worker


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """The place of worker `index` of `count`, with its sockets: one for each address of the group.

    Made by `bind_group`. It can be given to a process of `multiprocessing`; where descriptors are passed by
    hand, make one of them again: `WorkerPlace(index, count, (socket.socket(fileno=number),))`. `listen`
    works on duplicates of the sockets: the place stays open until `close`, which only its owner should
    call, for closing a socket everywhere changes the order of the group.

    Raises ValueError for an index or count that makes no sense, or no socket.
    """

    index: int
    count: int
    sockets: tuple[socket.socket, ...]

    def __post_init__(self) -> None:
        check_worker(self.index, self.count)
        if not self.sockets:
            raise ValueError("a worker's place needs at least one socket")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the sockets."""
        self.close()

    @property
    def port(self) -> int:
        """The UDP port that all sockets of the group are bound to."""
        port: int = self.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Close the sockets of this place in this process."""
        for sock in self.sockets:
            sock.close()


def bind_group(host: str | None, port: int, workers: int) -> list[WorkerPlace]:
    """Bind sockets for `workers` workers on one address and port, and have packets steered by connection id.

    `host` may be a name with several addresses, None or "" for all; `port` 0 takes any free one. Give each
    place to a worker, which calls `listen(handler, worker=place, tls=…)`; keep all of them open until the
    last worker is gone. The number of workers is fixed while connections live.

    A packet goes to the worker that its destination id names, wherever it comes from; a client's first
    packets to one that depends on the random id they carry. The port is taken as if it were not shared: an
    address in use is an error, so that two groups never mix. With one worker nothing is steered, and every
    system will do.

    Raises OSError if an address cannot be bound or this system cannot steer (it takes Linux), ValueError
    for a number of workers that is not 1 to 256.
    """
    check_worker(0, workers)
    if workers > 1:
        check_steering()
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    if not host:
        found = without_missing_families(found)
    rows: list[list[socket.socket]] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            row: list[socket.socket] = []
            rows.append(row)
            for sock in _bind_row(family, (address[0], port, *address[2:]), workers):
                row.append(sock)
                port = port or sock.getsockname()[1]  # all addresses share one port
    except BaseException:
        for row in rows:
            for sock in row:
                sock.close()
        raise
    return [
        WorkerPlace(index, workers, tuple(sockets)) for index, sockets in enumerate(zip(*rows, strict=True))
    ]


def _bind_row(family: int, local: tuple[object, ...], workers: int) -> Iterator[socket.socket]:
    """The sockets of one address, in order."""
    first = create_udp_socket(family, local)  # alone at first: whoever has the port already is found out
    yield first
    if workers > 1:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for _ in range(workers - 1):
            yield create_udp_socket(family, first.getsockname(), reuse_port=True)
        attach_program(first, steering_program(workers))
