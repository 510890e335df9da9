"""Multiplexing by port: the same channels as everywhere in fastmux, but a UDP port for each.

    async with portmux.listen(handler, "0.0.0.0", 4433, tls=tls, ports=range(50000, 51000)) as server: …
    async with portmux.connect("host", 4433, tls=tls) as conn:
        stream = await conn.open_stream("video", dscp=34)

Owns: the public names. May not know: what they do. `docs/portmux.md` says what this way costs (ports,
bindings of routers, sockets, wake-ups) and where it helps; by header over one port (`fastmux.connect`) is the
default.

How it is protected. A control connection is an ordinary fastmux connection: mutual TLS 1.3, packets under
AEAD. Each channel is a connection without a handshake, whose keys both ends derive from the control
connection's first secrets, one after the other, by a one-way chain: fresh for each port, never on the wire,
known to the two authenticated ends alone, and forgotten with the port (`keys.py`). Packet numbers begin at 0
under keys that were never used before, so no nonce comes twice. What is not sealed with a port's keys changes
nothing there. The server sends to a client's port only after an authentic packet came from it, and from the
host that the handshake of the control connection proved.
"""

from fastmux.portmux.channel import PortMessageChannel, PortStream
from fastmux.portmux.client import PortConnector, connect
from fastmux.portmux.connection import PortConnection
from fastmux.portmux.server import PortListener, PortServer, listen

__all__ = [
    "PortConnection",
    "PortConnector",
    "PortListener",
    "PortMessageChannel",
    "PortServer",
    "PortStream",
    "connect",
    "listen",
]
