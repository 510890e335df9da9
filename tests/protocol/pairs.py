"""A server and a client in the network, with scripted handshakes: most tests of connections start here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from network import Conditions, Network, Node
from protocol.scripted import SMALL, Script, ScriptedHandshake


@dataclass
class Pair:
    """A network with a server and one client, and the client's connection."""

    network: Network
    server: Node
    client: Node
    connection: Connection

    @property
    def accepted(self) -> Connection:
        """The server's end; there must be exactly one."""
        (connection,) = self.server.accepted
        return connection

    def open(self, timeout: float = 60.0) -> Pair:
        """Run until both ends are open."""
        self.network.run(self.is_open, timeout)
        return self

    def is_open(self) -> bool:
        """True once both ends have opened."""
        return self.connection.has_opened and bool(self.server.accepted)


def make_pair(
    *,
    seed: int = 0,
    conditions: Conditions | None = None,
    script: Script = SMALL,
    client_script: Script | None = None,
    configuration: Configuration | None = None,
    client_configuration: Configuration | None = None,
    drop: Callable[[int, bytes], bool] | None = None,
) -> Pair:
    """Make a network in which a client has begun to connect to a server."""
    network = Network(seed, conditions)
    network.drop = drop
    server = network.add("server", configuration, accept=lambda: ScriptedHandshake(False, script))
    client = network.add("client", client_configuration or configuration)
    connection = client.endpoint.connect(
        server.address, ScriptedHandshake(True, client_script or script), network.now
    )
    return Pair(network, server, client, connection)


def transfer(pair: Pair, data: bytes, timeout: float = 60.0) -> bytes:
    """Send `data` from client to server on a new stream; give what arrived, to the end of the stream."""
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    pair.connection.data_path.write(channel_id, data)
    pair.connection.data_path.finish(channel_id)
    pair.connection.touch()
    received = bytearray()
    finished: list[bool] = []

    def read() -> bool:
        while not finished and pair.server.accepted:
            try:
                piece = pair.accepted.data_path.read(channel_id, 65536)
            except KeyError:
                break
            if piece is None:
                finished.append(True)
            elif not piece:
                break
            else:
                received.extend(piece)
                pair.accepted.touch()
        return bool(finished)

    pair.network.run(read, timeout)
    return bytes(received)
