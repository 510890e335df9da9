"""Dependencies go one way: every import of the package is held against the picture of its rooms.

constants, exceptions, records <- core <- protocol <- aio <- tunnel; security is plugged into
protocol through `protocol.handshake` and sees nothing of the core or of sockets.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "fastmux"
GROUND = {"_switches", "_version", "constants", "exceptions", "records"}
LIBRARY = GROUND | {"core", "protocol", "security", "qlog", "aio"}
USERS = LIBRARY | {"__init__"}  # rooms that stand on the public interface
# What each room may import besides itself. A room is a folder of fastmux or a file directly in it.
ALLOWED: dict[str, set[str]] = {
    "_switches": set(),
    "_version": set(),
    "constants": set(),
    "exceptions": set(),
    "records": set(),
    "_core": {"records"},
    "_core_py": {"constants", "exceptions", "records"},
    "_pxi": {"constants", "exceptions", "records"},
    "core": GROUND | {"_core", "_core_py"},
    "protocol": GROUND | {"core"},
    "security": GROUND | {"protocol"},
    "qlog": GROUND | {"protocol"},
    "aio": GROUND | {"core", "protocol", "security", "qlog"},
    "anyio": USERS | {"trio"},
    "dask": USERS,
    "trio": USERS,
    "portmux": USERS,
    "prometheus": USERS,
    "tunnel": USERS | {"anyio", "trio", "portmux"},
    "__init__": LIBRARY,
    "__main__": {"tunnel"},
}
# The rooms of the tunnel: each may import those before it in this list.
TUNNEL = [
    *("constants", "notation", "certs", "exits", "access", "forwarding", "proxies", "socks", "http_proxy"),
    *("control", "settings", "operation", "client", "server", "command_line", "demo", "commands", "cli"),
]
# What sans-IO code must be given from outside: the world, the clock and the dice.
NOT_SANS_IO = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "signal", "subprocess", "threading"),
    *("datetime", "os", "random", "sched", "secrets", "select", "selectors", "time", "uuid"),
    *("OpenSSL", "anyio", "socket", "ssl", "trio", "uvloop"),
}
INCLUDED_IMPORT = re.compile(r"^\s*(?:from|cimport|import)\s+fastmux(?:\.(\w+))?", re.MULTILINE)


def room_of(path: Path) -> str:
    """The room that a source file stands in."""
    return path.relative_to(SOURCE).parts[0].partition(".")[0]


def imported(text: str, package: str) -> Iterator[str]:
    """Absolute names of all that a file of `package` imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def faults(room: str, text: str, package: str) -> list[str]:
    """What a file of this room imports and must not."""
    found = []
    for name in imported(text, package):
        top, *rest = name.split(".")
        target = rest[0] if rest and rest[0] in ALLOWED else "__init__"  # else a public name
        if top == "fastmux" and target != room and target not in ALLOWED[room]:
            found.append(f"{room} imports {name}")
        if room == "protocol" and top in NOT_SANS_IO:
            found.append(f"protocol imports {name}, which is not sans-IO")
    return found


def sources() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py*") if path.suffix in (".py", ".pyi"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_imports_only_from_rooms_below_its_own(path: Path) -> None:
    assert room_of(path) in ALLOWED, "a new room: give it a place in the picture"
    package = ".".join(("fastmux", *path.relative_to(SOURCE).parent.parts))
    assert faults(room_of(path), path.read_text("utf-8"), package) == []


def test_the_parts_of_the_compiled_core_import_no_more_than_its_twin() -> None:
    for path in SOURCE.glob("_pxi/*.pxi"):
        found = set(INCLUDED_IMPORT.findall(path.read_text("utf-8")))
        assert found <= ALLOWED["_pxi"], path.name


@pytest.mark.parametrize(
    ("room", "text"),
    [
        ("core", "from fastmux.protocol import connection"),
        ("protocol", "from fastmux.security.config import TLSConfig"),
        ("protocol", "from ..aio import client"),
        ("protocol", "from fastmux import aio"),
        ("protocol", "def late():\n    import time"),
        ("protocol", "from os import urandom"),
        ("security", "import fastmux.core"),
        ("aio", "import fastmux.tunnel.cli as cli"),
        ("_core_py", "from fastmux.core import RangeSet"),
        ("aio", "from fastmux import Stream"),
        ("core", "import fastmux"),
    ],
)
def test_an_import_upward_or_sideways_is_found(room: str, text: str) -> None:
    assert len(faults(room, text, f"fastmux.{room}")) == 1


@pytest.mark.parametrize(
    ("room", "text"),
    [
        ("protocol", "from fastmux.core import DataPath\nfrom .events import Opened"),
        ("protocol", "from fastmux import constants as c\nimport enum"),
        ("tunnel", "from fastmux.aio import client\nimport asyncio, os"),
        ("tunnel", "import fastmux\nfrom fastmux import connect"),
    ],
)
def test_an_import_downward_is_no_fault(room: str, text: str) -> None:
    assert faults(room, text, f"fastmux.{room}") == []


def tunnel_faults(room: str, text: str) -> list[str]:
    """What a file of this room of the tunnel imports of rooms that stand above it."""
    allowed = {*TUNNEL[: TUNNEL.index(room) + 1], ""}
    names = [name.split(".") for name in imported(text, "fastmux.tunnel")]
    rooms = {name[2] if len(name) > 2 else "" for name in names if name[:2] == ["fastmux", "tunnel"]}
    return sorted(rooms - allowed)


@pytest.mark.parametrize("room", TUNNEL)
def test_a_room_of_the_tunnel_imports_only_those_below_it(room: str) -> None:
    path = SOURCE / "tunnel" / room
    files = list(path.rglob("*.py")) or [path.with_suffix(".py")]
    found = {file.name: tunnel_faults(room, file.read_text("utf-8")) for file in files}
    assert {name: rooms for name, rooms in found.items() if rooms} == {}


def test_every_room_of_the_tunnel_has_its_place() -> None:
    rooms = {path.relative_to(SOURCE / "tunnel").parts[0] for path in (SOURCE / "tunnel").rglob("*.py")}
    assert {room.removesuffix(".py") for room in rooms} - {"__init__"} == set(TUNNEL)


def test_an_import_that_goes_up_in_the_tunnel_is_found() -> None:
    assert tunnel_faults("access", "from fastmux.tunnel.settings import users") == ["settings"]
