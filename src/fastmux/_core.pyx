# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
# cython: cdivision=True, auto_pickle=False, autotestdict=False, embedsignature=True
# cython: embedsignature.format=python
"""The compiled core: the twin of `_core_py`, one part a file in `_pxi/`. docs/core.md says what it does."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cython cimport final
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

import os
import sys
from contextvars import copy_context
from operator import index

from fastmux import constants as _constants
from fastmux.exceptions import BrokenResourceError, ChannelReset, ClosedResourceError
from fastmux.exceptions import MessageTooBig, ProtocolError, WouldBlock
from fastmux.records import AckSummary, Charges, Deadlines, LongHeader, OpenFields

IMPLEMENTATION = "cython"

include "_pxi/_constants.pxi"
include "_pxi/_memory.pxi"
include "_pxi/_forks.pxi"
include "_pxi/_arguments.pxi"
include "_pxi/_containers.pxi"
include "_pxi/varint.pxi"
include "_pxi/header.pxi"
include "_pxi/range_set.pxi"
include "_pxi/_utf8.pxi"
include "_pxi/frames.pxi"
include "_pxi/_frame_tuples.pxi"
include "_pxi/frame_encoding.pxi"
include "_pxi/received_packets.pxi"
include "_pxi/sent_packets.pxi"
include "_pxi/_sent_packets_scans.pxi"
include "_pxi/_sent_packets_class.pxi"
include "_pxi/reassembler.pxi"
include "_pxi/receive_stream.pxi"
include "_pxi/send_stream.pxi"
include "_pxi/_send_stream_class.pxi"
include "_pxi/_crc32.pxi"
include "_pxi/_evp.pxi"
include "_pxi/protection.pxi"
include "_pxi/message_queue.pxi"
include "_pxi/_message_units.pxi"
include "_pxi/message_inbox.pxi"
include "_pxi/_state.pxi"
include "_pxi/_channel_lists.pxi"
include "_pxi/scheduler.pxi"
include "_pxi/channel.pxi"
include "_pxi/stream_channel.pxi"
include "_pxi/message_channel.pxi"
include "_pxi/channel_table.pxi"
include "_pxi/credit.pxi"
include "_pxi/control.pxi"
include "_pxi/recovery.pxi"
include "_pxi/packet_checker.pxi"
include "_pxi/_packet_checks.pxi"
include "_pxi/key_update.pxi"
include "_pxi/packet_reader.pxi"
include "_pxi/frame_packer.pxi"
include "_pxi/packet_writer.pxi"
include "_pxi/_path.pxi"
include "_pxi/data_path.pxi"
include "_pxi/datagram_io.pxi"
include "_pxi/wakeups.pxi"
