"""Both cores show the same names, and share the numbers and records of fastmux."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from fastmux import constants, exceptions, records
from fastmux.core import CORE_NAMES

CLASSES = [name for name in CORE_NAMES if name[0].isupper() and name != "IMPLEMENTATION"]


def test_the_core_has_every_name_of_the_contract(core: Any) -> None:
    assert [name for name in CORE_NAMES if not hasattr(core, name)] == []


def test_the_implementation_says_which_core_it_is(core: Any) -> None:
    assert {"_core": "cython", "_core_py": "python"}[core.__name__.split(".")[-1]] == core.IMPLEMENTATION


@pytest.mark.parametrize("name", CLASSES)
def test_both_cores_have_the_same_members(core: Any, name: str) -> None:
    from fastmux import _core_py

    def members(cls: type) -> set[str]:
        return {member for member in dir(cls) if not member.startswith("_")}

    assert members(getattr(core, name)) == members(getattr(_core_py, name))


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_without_docstring_explains_nothing(core: Any, name: str) -> None:
    assert inspect.getdoc(getattr(core, name))


def test_parsers_raise_the_errors_of_fastmux(core: Any) -> None:
    with pytest.raises(exceptions.ProtocolError) as caught:
        core.parse_frames(b"")
    assert caught.value.code == constants.FRAME_ENCODING_ERROR
    assert str(caught.value) == "empty payload (code 0x7)"


def test_results_are_the_records_of_fastmux(core: Any) -> None:
    header = core.encode_long_header(0, constants.VERSION_1, b"12345678", b"abcdefgh", b"", 1)
    assert type(core.parse_long_header(header, 0, len(header))) is records.LongHeader
    path = core.DataPath(True, b"12345678")
    assert type(path.deadlines()) is records.Deadlines
    path.close()


def test_every_error_code_is_named_once() -> None:
    codes = [
        constants.NO_ERROR,
        constants.INTERNAL,
        constants.REFUSED,
        constants.FLOW_CONTROL_ERROR,
        constants.CHANNEL_LIMIT_ERROR,
        constants.CHANNEL_STATE_ERROR,
        constants.FINAL_SIZE_ERROR,
        constants.FRAME_ENCODING_ERROR,
        constants.PARAMETER_ERROR,
        constants.ID_LIMIT_ERROR,
        constants.PROTOCOL_VIOLATION,
        constants.HANDSHAKE_BUFFER_EXCEEDED,
        constants.KEY_UPDATE_ERROR,
        constants.AEAD_LIMIT_REACHED,
        constants.NO_VIABLE_PATH,
        constants.GLITCH_LIMIT,
        constants.RESOURCE_LIMIT,
        constants.IDLE_TIMEOUT,
        constants.CANCELLED,
        constants.HANDSHAKE_FAILED,
    ]
    assert len(set(codes)) == len(codes)
