"""A walk over everything that an endpoint or a connection holds: no container without a bound.

Owns: how objects of fastmux are found from one of them, and the verdict. May not know: which containers there
are and what bounds them (`budget.containers` lists them).
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from budget.bound import Setting
from budget.containers import BOUNDS
from fastmux.protocol.configuration import Configuration

_GROWING = (dict, list, set, deque, bytearray, WeakKeyDictionary, WeakSet, WeakValueDictionary)
_FIXED = (tuple, frozenset, bytes, str)  # they grow where one takes the place of another
_SMALL = 128  # entries, or bytes: what holds no more needs no bound
_MAX_OBJECTS = 2_000_000


class Uncharged(AssertionError):
    """A container that nobody bounds, or one beyond its bound."""


def check(root: object) -> None:
    """Walk from an endpoint or a connection, of the protocol or of asyncio, open or over.

    Raises `Uncharged` with the names of all containers that are in no table, and of all that hold more than
    their bound. What the compiled core holds has no Python object: `budget.charging` looks at that.
    """
    faults = sorted({fault for fault in _faults(root) if fault})
    if faults:
        raise Uncharged("\n".join(faults))


def _faults(root: object) -> Iterator[str]:
    setting = Setting(_configuration_of(root))
    for owner, name, held in containers(root):
        bound = BOUNDS.get(name)
        if bound is None:
            if isinstance(held, _GROWING):
                yield f"{name}: nobody bounds it"
            elif len(held) > _SMALL:
                yield f"{name}: {len(held)} entries, and nobody bounds it"
            continue
        most = bound.most(owner, setting)
        if len(held) > most:
            yield f"{name}: {len(held)} entries, at most {most} are allowed ({bound.why})"


def _configuration_of(root: object) -> Configuration:
    for name in ("configuration", "_configuration"):
        found = getattr(root, name, None)
        if isinstance(found, Configuration):
            return found
    for name in ("_connection", "_driver"):
        inner = getattr(root, name, None)
        if inner is not None:
            return _configuration_of(inner)
    return Configuration()


# --- the walk -------------------------------------------------------------------------------------------


def containers(root: object) -> Iterator[tuple[object, str, Any]]:
    """(owner, name, container) of all that can be reached; a name is `room.file.Class.attribute[]`."""
    seen: set[int] = set()
    waiting: list[tuple[object, str, object]] = [(root, "", root)]
    keep = []  # so that no id is used twice
    while waiting:
        owner, name, item = waiting.pop()
        is_container = isinstance(item, (*_GROWING, *_FIXED)) and not _is_record(item)
        if is_container:
            yield owner, name, item  # under each of its names
        if id(item) in seen or isinstance(item, (bytearray, bytes, str)):
            continue
        if is_container:
            waiting += [(owner, f"{name}[]", inner) for inner in _inside(item) if _matters(inner)]
        else:
            waiting += [(item, f"{_name_of(type(item))}.{each}", value) for each, value in _attributes(item)]
        seen.add(id(item))
        keep.append(item)
        if len(seen) > _MAX_OBJECTS:
            raise Uncharged(f"more than {_MAX_OBJECTS} objects, the last one in {name}")


def _is_record(item: object) -> bool:
    """True for a named tuple, whose fields are attributes."""
    return isinstance(item, tuple) and hasattr(item, "_fields")


def _inside(item: Any) -> list[object]:
    if isinstance(item, (dict, WeakKeyDictionary, WeakValueDictionary)):
        return [*item.keys(), *item.values()]
    return list(item)


def _attributes(item: object) -> Iterator[tuple[str, object]]:
    """Every attribute of an object of fastmux, and what the collector finds besides them."""
    if isinstance(item, MethodType):
        yield "__self__", item.__self__
        return
    if not _is_ours(type(item)):
        return
    names = dict.fromkeys((*_slots(type(item)), *getattr(item, "_fields", ())))
    names.update(dict.fromkeys(getattr(item, "__dict__", ())))
    found = [(name, getattr(item, name)) for name in names if _has(item, name)]
    yield from ((name, value) for name, value in found if _matters(value))
    known = {id(value) for _, value in found}
    for value in gc.get_referents(item):
        is_dict = value is getattr(item, "__dict__", None)
        if id(value) not in known and isinstance(value, _GROWING) and not is_dict:
            yield "?", value  # of a compiled class: no attribute leads there


def _slots(cls: type) -> Iterator[str]:
    for each in cls.__mro__:
        slots = each.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            name = f"_{each.__name__.lstrip('_')}{slot}" if _is_mangled(slot) else slot
            if name not in ("__weakref__", "__dict__"):
                yield name


def _is_mangled(slot: str) -> bool:
    return slot.startswith("__") and not slot.endswith("__")


def _has(item: object, name: str) -> bool:
    try:
        getattr(item, name)
    except (AttributeError, ReferenceError):  # a slot that was never set
        return False
    return True


def _matters(item: object) -> bool:
    """False for numbers, classes, modules, and whatever belongs to somebody else."""
    if isinstance(item, type) or item is None:
        return False
    return isinstance(item, (*_GROWING, *_FIXED, MethodType)) or _is_ours(type(item))


def _name_of(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("fastmux.")


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "fastmux"
