"""The pure-Python core: the readable reference, and what runs where nothing can be compiled.

docs/core.md says what each name does. A leading underscore inside this package means: for this core's own
files, without argument checks, and not part of the contract.
"""

from __future__ import annotations

from typing import Final

from fastmux._core_py.data_path import DataPath as DataPath
from fastmux._core_py.data_path import live as live
from fastmux._core_py.datagram_io import DatagramIO as DatagramIO
from fastmux._core_py.frame_encoding import encode_frame as encode_frame
from fastmux._core_py.frames import parse_frames as parse_frames
from fastmux._core_py.header import encode_long_header as encode_long_header
from fastmux._core_py.header import encode_short_header as encode_short_header
from fastmux._core_py.header import parse_long_header as parse_long_header
from fastmux._core_py.protection import PacketProtection as PacketProtection
from fastmux._core_py.range_set import RangeSet as RangeSet
from fastmux._core_py.reassembler import Reassembler as Reassembler
from fastmux._core_py.receive_stream import ReceiveStream as ReceiveStream
from fastmux._core_py.received_packets import ReceivedPackets as ReceivedPackets
from fastmux._core_py.send_stream import SendStream as SendStream
from fastmux._core_py.sent_packets import SentPackets as SentPackets
from fastmux._core_py.varint import decode_packet_number as decode_packet_number
from fastmux._core_py.varint import decode_varint as decode_varint
from fastmux._core_py.varint import encode_varint as encode_varint
from fastmux._core_py.varint import varint_size as varint_size
from fastmux._core_py.wakeups import TaskWaiter as TaskWaiter
from fastmux._core_py.wakeups import Wakeups as Wakeups

IMPLEMENTATION: Final[str] = "python"
