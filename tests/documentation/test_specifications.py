"""The wire format has the code's numbers, and the page of the core every name of the contract."""

from __future__ import annotations

import re

import pytest

from documentation.pages import DOCS, ROOT
from fastmux import constants as c

WIRE = (DOCS / "wire-format.md").read_text("utf-8")
SECTIONS = dict(
    re.findall(r"^##+ (\d+(?:\.\d+)?)\.? [^\n]*\n(.*?)(?=^##)", WIRE + "\n##", re.DOTALL | re.MULTILINE)
)
NOT_IN_THE_TABLE = {"ENCODING_ERROR", "EXTENSION_FIRST", "EXTENSION_LAST", "LENGTH"}  # no types of their own
CODES = [
    *("NO_ERROR", "INTERNAL", "REFUSED", "FLOW_CONTROL_ERROR", "CHANNEL_LIMIT_ERROR", "CHANNEL_STATE_ERROR"),
    *("FINAL_SIZE_ERROR", "FRAME_ENCODING_ERROR", "PARAMETER_ERROR", "ID_LIMIT_ERROR", "PROTOCOL_VIOLATION"),
    *(
        "HANDSHAKE_BUFFER_EXCEEDED",
        "KEY_UPDATE_ERROR",
        "AEAD_LIMIT_REACHED",
        "NO_VIABLE_PATH",
        "GLITCH_LIMIT",
    ),
    "RESOURCE_LIMIT",
]


def numbers_of(prefix: str) -> dict[str, int]:
    """The constants whose names begin so, without the beginning."""
    names = [name for name in vars(c) if name.startswith(prefix)]
    return {name.removeprefix(prefix): getattr(c, name) for name in names}


def test_the_table_of_frames_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| (0x[0-9A-F]{2})\S*(?:, \S+)? \| ([A-Z_]+)", SECTIONS["7"], re.MULTILINE)
    known = {name: value for name, value in numbers_of("FRAME_").items() if name not in NOT_IN_THE_TABLE}
    assert {name: int(number, 16) for number, name in rows} == known


def test_the_table_of_parameters_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| (0x[0-9A-F]{2}) \| ([a-z_]+)", SECTIONS["6.1"], re.MULTILINE)
    known = {name: value for name, value in numbers_of("PARAMETER_").items() if name != "ERROR"}
    assert {name.upper(): int(number, 16) for number, name in rows} == known


def test_the_table_of_codes_is_that_of_the_code() -> None:
    rows = re.findall(r"(0x[0-9A-F]{2}) \| ([A-Z_]+)", SECTIONS["11"])
    assert {name: int(number, 16) for number, name in rows} == {name: getattr(c, name) for name in CODES}


@pytest.mark.parametrize(
    "text",
    [
        f"0x{c.VERSION_1:08X}",
        f"0x{c.VERSION_PLAINTEXT:08X}",
        f"0x{c.HANDSHAKE_SALT.hex()}",
        c.EXPORTER_LABEL.decode(),
        c.PROTOCOL_LABEL.decode(),
        c.ALPN.decode(),
    ],
)
def test_a_constant_of_the_handshake_is_written_out(text: str) -> None:
    assert text in WIRE


def test_the_page_of_the_core_has_every_name_of_the_contract() -> None:
    stub = (ROOT / "src/fastmux/_core.pyi").read_text("utf-8")
    page = (DOCS / "core.md").read_text("utf-8")
    names = re.findall(r"^ *(?:def|class) ([a-zA-Z]\w*)", stub, re.MULTILINE)
    assert len(names) > 100
    assert [name for name in names if not re.search(rf"\b{name}\b", page)] == []
