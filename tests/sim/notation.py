"""A schedule as text: JSON that can be kept and run again, and lines for people.

Owns: both notations. May not know: what a schedule does. Fields that have their default are left out.
"""

from __future__ import annotations

import dataclasses
import json
import types
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import ConnectionIds, RandomIds
from network.conditions import Conditions
from sim.plan import ChannelPlan, SidePlan, Writing
from sim.schedule import Schedule

ENDS = ("client", "server")


def to_json(schedule: Schedule) -> str:
    """Write a schedule down."""
    return json.dumps(_encoded(schedule), indent=1) + "\n"


def from_json(text: str) -> Schedule:
    """Read what `to_json` wrote."""
    schedule: Schedule = _decoded(Schedule, json.loads(text))
    return schedule


def _encoded(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, RandomIds):
            return value.size
        return {
            field.name: _encoded(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_encoded(part) for part in value]
    return value


def _decoded(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, Union):
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _decoded(inner, value)
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_decoded(one, part) for one, part in zip(kinds, value, strict=True))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: _decoded(hints[name], part) for name, part in value.items()})
    return _decoded_leaf(kind, value)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decoded_leaf(kind: Any, value: Any) -> Any:
    if kind is ConnectionIds:
        return RandomIds(value)
    if kind is bytes:
        return bytes.fromhex(value)
    is_choice = isinstance(kind, type) and issubclass(kind, Enum)
    return kind[value] if is_choice else value


# --- for people ---------------------------------------------------------------------------------------


def describe(schedule: Schedule) -> str:
    """Say in lines what a schedule does."""
    plan = schedule.plan
    lines = [
        f"{schedule.size} parts, {plan.total_size} bytes; dice {schedule.seed:#x}, suite {plan.script.suite}"
        f"{', TLS' if schedule.uses_tls else ''}, path MTU {plan.mtu}",
        f"ending: {plan.ending.value} (the {ENDS[plan.closer]}, {plan.close_after:g} s)",
    ]
    for name, conditions in (("server", schedule.faults.to_server), ("client", schedule.faults.to_client)):
        lines.append(f"to the {name}: {_settings(conditions, Conditions()) or 'nothing'}")
    for name, side in zip(ENDS, plan.sides, strict=True):
        lines += _side_lines(name, side)
    for channel in plan.channels:
        lines += _channel_lines(channel)
    for move in schedule.moves:
        lines.append(f"move after {move.after:g} s: {move.kind.value}{', keeps both' * move.keeps_old}")
    for attack in schedule.attacks:
        way = "server" if attack.to_server else "client"
        since = "open" if attack.is_late else "start"
        when = f"{attack.after:g} s after {since}"
        lines.append(f"attack to the {way}, {when}: {attack.kind.value}, {attack.count} times")
    if schedule.hostility is not None:
        lines.append(f"the {ENDS[schedule.hostility.role]} is hostile:")
        for strike in schedule.hostility.strikes:
            lines.append(f"  packet {strike.index}: {strike.change.value} (dice {strike.seed:#x})")
    return "\n".join(lines)


def _settings(value: Any, default: Any) -> str:
    found = []
    for field in dataclasses.fields(value):
        setting = getattr(value, field.name)
        if setting != getattr(default, field.name):
            found.append(
                f"{field.name} {setting:g}" if isinstance(setting, float) else f"{field.name} {setting}"
            )
    return ", ".join(found)


def _side_lines(name: str, side: SidePlan) -> list[str]:
    lines = []
    settings = _settings(side.configuration, Configuration())
    if settings:
        lines.append(f"{name}: {settings}")
    lines += [
        f"{name}: datagrams of {datagrams.sizes} after {datagrams.after:g} s" for datagrams in side.datagrams
    ]
    return lines + [f"{name}: ping after {after:g} s" for after in side.pings]


def _channel_lines(channel: ChannelPlan) -> list[str]:
    kind = "stream" if channel.kind == c.KIND_STREAM else "messages"
    if channel.kind == c.KIND_MESSAGE:
        ordered = "ordered" if channel.ordered else "unordered"
        kind += f" ({ordered}, reliability {channel.reliability}, value {channel.value})"
    lines = [
        f"channel {channel.number}: {kind}, of the {ENDS[channel.opener]}, after {channel.open_after:g} s"
    ]
    names = (ENDS[channel.opener], ENDS[1 - channel.opener])
    for name, writing, reading in zip(names, channel.writing, channel.reading, strict=True):
        stop = "" if reading.stop_after is None else f", stops after {reading.stop_after}"
        burst = f", {reading.burst} at once, then {reading.pause:g} s" if reading.burst else ""
        start = "" if reading.start_after is None else f", from {reading.start_after:g} s on"
        lines.append(
            f"  {name} writes {_writing_text(writing)}; reads {reading.max_size}{start}{burst}{stop}"
        )
    for name, after in zip(names, channel.abandoned, strict=True):
        if after is not None:
            lines.append(f"  {name} lets go after {after:g} s")
    return lines


def _writing_text(writing: Writing) -> str:
    text = f"{writing.sizes} from {writing.start_after:g} s on" if writing.sizes else "nothing"
    if writing.burst and writing.sizes:
        text += f", {writing.burst} at once, then "
        text += "until delivered" if writing.watch_bursts else f"{writing.pause:g} s"
    return f"{text}, then {writing.end.value}"
