"""Picks the core: compiled if it can be loaded, else pure Python; says which one and why.

Owns: the choice, the names that both cores share, and the text about it. May not know: what a core
does. The choice is made once, when this module is first imported; `_switches` has its variables.
"""

from __future__ import annotations

import importlib
import logging
import os
import platform
import sys
from types import ModuleType
from typing import TYPE_CHECKING, cast

from fastmux._switches import NO_EXTENSIONS, REMEDY, REQUIRE_EXTENSIONS, is_on
from fastmux._version import __version__

if TYPE_CHECKING:
    from socket import socket

    from fastmux._core import (
        IMPLEMENTATION,
        DatagramIO,
        DataPath,
        PacketProtection,
        RangeSet,
        Reassembler,
        ReceivedPackets,
        ReceiveStream,
        SendStream,
        SentPackets,
        TaskWaiter,
        Wakeups,
        decode_packet_number,
        decode_varint,
        encode_frame,
        encode_long_header,
        encode_short_header,
        encode_varint,
        live,
        parse_frames,
        parse_long_header,
        varint_size,
    )

__all__ = [
    "IMPLEMENTATION",
    "DataPath",
    "DatagramIO",
    "PacketProtection",
    "RangeSet",
    "Reassembler",
    "ReceiveStream",
    "ReceivedPackets",
    "SendStream",
    "SentPackets",
    "Wakeups",
    "TaskWaiter",
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
CORE_NAMES = tuple(__all__)
__all__ += ["CORE_NAMES", "FALLBACK_REASON", "describe", "make_datagram_io"]


def _load_compiled() -> tuple[ModuleType | None, str]:
    """The compiled core, or None and the reason why it cannot be used."""
    if sys.implementation.name != "cpython":
        return None, f"{sys.implementation.name} runs the pure core only"
    try:
        core = importlib.import_module("fastmux._core")
    except ImportError as error:
        return None, str(error)
    missing = [name for name in CORE_NAMES if not hasattr(core, name)]
    if missing:
        return None, f"the extension was built from another version: it has no {', '.join(missing)}"
    return core, ""


def _load() -> tuple[ModuleType, str]:
    """The core to use and why it is not the compiled one ("" if it is).

    Raises ImportError if the compiled one is required and cannot be used. To switch extensions off
    is a choice, not a fall-back: it is neither logged nor an error where they are required.
    """
    if is_on(os.environ.get(NO_EXTENSIONS)):
        return importlib.import_module("fastmux._core_py"), f"{NO_EXTENSIONS} is set"
    core, reason = _load_compiled()
    if core is not None:
        return core, ""
    if is_on(os.environ.get(REQUIRE_EXTENSIONS)):
        raise ImportError(
            f"{REQUIRE_EXTENSIONS} is set, but no compiled core: {reason}; remedy: {REMEDY}"
        )
    logging.getLogger("fastmux").info(
        "using the pure-Python core, which is slower: %s; remedy: %s", reason, REMEDY
    )
    return importlib.import_module("fastmux._core_py"), f"{reason}; remedy: {REMEDY}"


_core, FALLBACK_REASON = _load()
globals().update({name: getattr(_core, name) for name in CORE_NAMES})


def make_datagram_io(sock: socket) -> DatagramIO:
    """The calls of `sock`: compiled where the system has them, unless a subclass may override them."""
    if type(sock) is importlib.import_module("socket").socket:
        try:
            return DatagramIO(sock)
        except NotImplementedError:
            pass  # no such calls on this system: the ones of `socket` serve every system
    pure = importlib.import_module("fastmux._core_py.datagram_io")
    return cast("DatagramIO", pure.DatagramIO(sock))


def describe() -> str:
    """One line for `fastmux --version`: version, interpreter, core, and why it is the pure one."""
    core = f"pure-Python core ({FALLBACK_REASON})" if FALLBACK_REASON else "compiled core"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"fastmux {__version__}, {python}, {core}"
