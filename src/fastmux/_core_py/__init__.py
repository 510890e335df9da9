"""The pure-Python core: the readable reference, and what runs where nothing can be compiled.

docs/core.md says what each name does. A leading underscore inside this package means: for this core's own
files, without argument checks, and not part of the contract.
"""

from __future__ import annotations

from typing import Final

from fastmux._core_py.data_path import DataPath, live
from fastmux._core_py.frame_encoding import encode_frame
from fastmux._core_py.frames import parse_frames
from fastmux._core_py.header import encode_long_header, encode_short_header, parse_long_header
from fastmux._core_py.protection import PacketProtection
from fastmux._core_py.range_set import RangeSet
from fastmux._core_py.reassembler import Reassembler
from fastmux._core_py.receive_stream import ReceiveStream
from fastmux._core_py.received_packets import ReceivedPackets
from fastmux._core_py.send_stream import SendStream
from fastmux._core_py.sent_packets import SentPackets
from fastmux._core_py.varint import decode_packet_number, decode_varint, encode_varint, varint_size

IMPLEMENTATION: Final[str] = "python"

__all__ = [
    "IMPLEMENTATION",
    "DataPath",
    "PacketProtection",
    "RangeSet",
    "Reassembler",
    "ReceiveStream",
    "ReceivedPackets",
    "SendStream",
    "SentPackets",
    "decode_packet_number",
    "decode_varint",
    "encode_frame",
    "encode_long_header",
    "encode_short_header",
    "encode_varint",
    "live",
    "parse_frames",
    "parse_long_header",
    "varint_size",
]
