"""What the core accepts from outside: integers, buffers, fixed-size byte strings.

Owns: the argument checks and their errors, the same as the compiled core's. May not know: the protocol.
"""

from __future__ import annotations

import sys
from math import inf
from operator import index
from typing import TYPE_CHECKING, Any, NoReturn, SupportsFloat, SupportsIndex

from fastmux.constants import KEEP_FROM, KEEP_SHARE, MAX_OWNERS, MAX_VARINT

if TYPE_CHECKING:
    from typing_extensions import Buffer



class Uncopied:
    """Base of the core's classes: they refuse pickling and copying."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle or copy {type(self).__name__}")


def integer(value: SupportsIndex, lowest: int = 0, highest: int = MAX_VARINT) -> int:
    """The integer; TypeError for what is none (a float too), OverflowError outside [lowest, highest]."""
    number = index(value)
    if not lowest <= number <= highest:
        raise OverflowError(f"integer out of range: not in {lowest} to {highest}")
    return number


def seconds(name: str, value: float) -> float:
    """A time or a delay; ValueError unless it is finite and not negative: the rest has no order."""
    if not isinstance(value, SupportsFloat | SupportsIndex):  # float() takes strings too
        raise TypeError(f"must be real number, not {type(value).__name__}")
    number = float(value)
    if not 0.0 <= number < inf:
        raise ValueError(f"{name} must be finite and not negative")
    return number


def octets(data: Buffer) -> memoryview:
    """A view of single bytes on any contiguous buffer; TypeError for what is none, else BufferError."""
    view = _shown(data)
    if not view.c_contiguous:
        raise BufferError("the buffer is not contiguous")
    if view.nbytes == 0:
        return memoryview(b"")
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _shown(data: Buffer) -> memoryview:
    """A view of any buffer. numpy shows nobody its dates, but the same bytes without a meaning."""
    try:
        return memoryview(data)
    except ValueError:
        array_type = getattr(sys.modules.get("numpy"), "ndarray", None)
        if array_type is None or not isinstance(data, array_type):
            raise  # a memoryview that was released
        array: Any = data
        return memoryview(array.view(f"V{array.itemsize}"))


def immutable(data: Buffer) -> bytes:
    """Exact `bytes` by reference, a copy of anything else."""
    return data if type(data) is bytes else bytes(octets(data))


def kept(data: Buffer) -> bytes | memoryview:
    """What may be kept until it is sent: the data itself where it cannot change, a copy of anything else.

    Exact `bytes` cannot change, and a read-only view on them neither, whatever made it: a memoryview, a
    PickleBuffer, a numpy array. A view on less than half of its bytes is copied, for it would keep them all.
    """
    if type(data) is bytes:
        return data
    view = octets(data)
    if view.readonly and view.nbytes >= KEEP_FROM:
        owner = _bytes_behind(view)
        if owner is not None and view.nbytes <= len(owner) <= KEEP_SHARE * view.nbytes:
            return owner if len(owner) == view.nbytes else view
    return bytes(view)


def _bytes_behind(view: memoryview) -> bytes | None:
    """The exact `bytes` whose memory a view shows, None for memory of any other kind.

    Types are compared exactly: a class of somebody else's may say anything about its memory.
    """
    array_type = getattr(sys.modules.get("numpy"), "ndarray", None)
    owner: object = view.obj
    for _ in range(MAX_OWNERS):
        if type(owner) is bytes:
            return owner
        if type(owner) is memoryview:
            owner = _exporter(owner)
        elif array_type is not None and type(owner) is array_type:
            owner = getattr(owner, "base", None)
        else:
            break
    return None


def _exporter(view: memoryview) -> object:
    try:
        return view.obj
    except ValueError:  # it was released
        return None


def writable(data: Buffer) -> memoryview:
    """A view of single bytes that may be written; BufferError for a read-only buffer."""
    view = _shown(data)
    if view.readonly:
        raise BufferError("the buffer is not writable")
    if not view.c_contiguous:
        raise BufferError("the buffer is not contiguous")
    return view if view.nbytes == 0 else view.cast("B")


def sized(name: str, data: Buffer, smallest: int, largest: int) -> bytes:
    """The bytes; ValueError unless there are `smallest` to `largest` of them."""
    value = immutable(data)
    if not smallest <= len(value) <= largest:
        raise ValueError(f"{name} must have {smallest} to {largest} bytes, not {len(value)}")
    return value
