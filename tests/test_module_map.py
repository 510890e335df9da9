"""Each source file has a test file of its own, in the room of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "fastmux"
# Files whose test is not tests/<room>/test_<name>.py, and why.
ELSEWHERE = {
    "__init__.py": "test_exports.py",  # it is the public names
    "__main__.py": "tunnel/test_cli.py",  # it is one call of the command
    "_switches.py": "test_selector.py",  # it is what the selector reads
    "_version.py": "test_exports.py",
    "constants.py": "core/test_surface.py",  # numbers: what matters is that both cores share them
    "core.py": "test_selector.py",
    "records.py": "core/test_surface.py",  # tuples that both cores return
}


# Rooms whose tests stand in a room of another name, and why.
ROOMS = {
    "_core_py": "core",  # both cores have the same tests
    "anyio": "on_anyio",  # tests/ is on the path: there it would stand before the library
    "dask": "on_dask",
    "trio": "on_trio",
}


def path_of_test(source: str) -> str:
    """Where the test of a source file stands, both as paths inside their trees."""
    if source in ELSEWHERE:
        return ELSEWHERE[source]
    *rooms, name = source.split("/")
    rooms = [ROOMS.get(room, room) for room in rooms]
    return "/".join([*rooms, f"test_{name.lstrip('_')}"])


def sources() -> list[str]:
    """Every source file but the `__init__.py` of a room, which gathers names and no more."""
    names = [path.relative_to(SOURCE).as_posix() for path in sorted(SOURCE.rglob("*.py"))]
    return [name for name in names if not name.endswith("/__init__.py")]


@pytest.mark.parametrize("source", sources())
def test_a_source_file_has_a_test_file_of_its_own(source: str) -> None:
    assert (TESTS / path_of_test(source)).is_file(), f"write tests/{path_of_test(source)}"


def test_every_room_is_a_package_or_the_wheel_would_lack_it() -> None:
    rooms = {path.parent for path in SOURCE.rglob("*.py")}
    assert [room.name for room in rooms if not (room / "__init__.py").is_file()] == []


def test_the_exceptions_to_the_map_are_files_that_exist() -> None:
    assert set(ELSEWHERE) <= set(sources())


def test_a_private_part_of_a_core_is_mapped_without_its_underscore() -> None:
    assert path_of_test("_core_py/_arguments.py") == "core/test_arguments.py"
    assert path_of_test("protocol/congestion/cubic.py") == "protocol/congestion/test_cubic.py"
