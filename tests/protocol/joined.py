"""Two data paths with keys and each other's limits, without connections around them."""

from __future__ import annotations

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.data_space import make_data_path
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.parameters import Parameters, parameters_of

IVS = (b"client------", b"server------")
IDS = (b"client-i", b"server-i")


def keys_of(is_client: bool, suite: int = c.SUITE_NULL) -> PacketKeys:
    """The packet keys of one end."""
    key = bytes(c.SUITE_KEY_SIZES[suite])
    mine, theirs = IVS if is_client else IVS[::-1]
    return PacketKeys(suite, key, mine, key, theirs)


def local_id(is_client: bool) -> bytes:
    """The id by which an end is addressed."""
    return IDS[0] if is_client else IDS[1]


def data_path(is_client: bool, configuration: Configuration | None = None) -> core.DataPath:
    """One end's data path, ready to send."""
    configuration = configuration or Configuration()
    path = make_data_path(is_client, local_id(is_client), configuration)
    keys, peer = keys_of(is_client), parameters_of(configuration)
    path.set_keys(keys.suite, keys.send_key, keys.send_iv, keys.receive_key, keys.receive_iv)
    set_peer(path, local_id(not is_client), peer)
    return path


def set_peer(path: core.DataPath, remote_id: bytes, peer: Parameters) -> None:
    """Tell a data path what its peer takes."""
    path.set_peer(
        remote_id,
        max_data=peer.initial_max_data,
        max_channel_data=peer.initial_max_channel_data,
        max_streams=peer.initial_max_streams,
        max_message_channels=peer.initial_max_message_channels,
        max_message_size=peer.max_message_size,
        max_datagram_frame_size=peer.max_datagram_frame_size,
    )


def carry(source: core.DataPath, target: core.DataPath, now: float, segment_size: int = 1200) -> int:
    """Let one train go across; returns its size."""
    buffer = bytearray(65536)
    size, _ = source.fill(buffer, segment_size, 1 << 20, now)
    if size:
        assert target.receive(buffer, 0, size, segment_size, now) == size
    return size
