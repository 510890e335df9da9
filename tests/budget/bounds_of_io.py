"""What bounds the containers of the asyncio room.

Owns: its part of the table. May not know: how containers are found.
"""

from __future__ import annotations

from budget.bound import OWN, Bound, at_most, under
from fastmux import constants as c

_channels = Bound("max_streams, max_message_channels", lambda owner, setting: setting.channels)
_connections = Bound("max_connections", lambda owner, setting: setting.configuration.max_connections)
_own = at_most(OWN, "the application's")

BOUNDS = under(
    "aio",
    {
        "channel_table.ChannelTable._abandoned": _channels,
        "channel_table.ChannelTable._channels": _channels,
        "channel_table.ChannelTable._kept": _channels,
        "datagram_queue.DatagramQueue._queue": at_most(c.MAX_DATAGRAM_QUEUE, "MAX_DATAGRAM_QUEUE"),
        "datagram_queue.DatagramQueue._queue[]": at_most(
            c.MAX_DATAGRAM_FRAME_SIZE, "MAX_DATAGRAM_QUEUE_SIZE in all"
        ),
        "driver.Driver._buffer": at_most(16 * c.TRAIN_BUFFER_SIZE, "of the driver itself"),
        "local_paths.LocalPaths._others": at_most(c.MAX_PATHS, "MAX_PATHS"),
        "driver.Driver._unsent": _connections,
        "incoming.Incoming._waiting": _channels,
        "moves.Moves._waiting": _own,
        "openings.Openings._openers": at_most(2, "by kind"),
        "pings.Pings._waiting": _own,
        "ports.Ports._servers": _own,
        "server.Server._drivers": _own,
        "server.Server._tasks": _connections,
        "serving.ChannelTasks._tasks": _channels,
        "stream_server.StreamServer._transports": _channels,
        "train_socket.TrainSocket._plain": at_most(c.MAX_PLAIN_DESTINATIONS, "MAX_PLAIN_DESTINATIONS"),
        "train_socket.TrainSocket.buffer": at_most(16 * c.TRAIN_BUFFER_SIZE, "of the socket itself"),
        "waiters._Line.futures": _own,
        "waiters._Line.tickets": _own,
        "write_buffer.WriteBuffer._pieces": _own,
        "write_buffer.WriteBuffer._pieces[]": _own,
    },
)
BOUNDS["protocol.totals.Totals._sums"] = at_most(32)
# who was woken in one turn: tasks and transports, no more than wait
BOUNDS["_core.Wakeups.?"] = BOUNDS["_core_py.wakeups.Wakeups._woken"] = _own
