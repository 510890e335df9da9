"""The limits of the tunnel: each has a use, and each is a limit."""

from __future__ import annotations

import re
from pathlib import Path

from fastmux.protocol.configuration import RETRY_CHOICES, Configuration
from fastmux.protocol.congestion import choice
from fastmux.tunnel import constants

ROOM = Path(constants.__file__).parent
NAMES = [name for name in vars(constants) if name.isupper()]


def test_every_constant_is_used() -> None:
    text = "\n".join(path.read_text("utf-8") for path in ROOM.rglob("*.py") if path.name != "constants.py")
    assert [name for name in NAMES if not re.search(rf"\b{name}\b", text)] == []


def test_every_number_is_above_zero_or_a_priority() -> None:
    numbers = {
        name: vars(constants)[name] for name in NAMES if isinstance(vars(constants)[name], int | float)
    }
    assert [name for name, value in numbers.items() if value <= 0 and "PRIORITY" not in name] == []


def test_the_names_of_the_controllers_are_those_of_the_library() -> None:
    assert set(constants.CONGESTION_CONTROLLERS) == set(choice.NAMES)
    assert constants.DEFAULT_CONGESTION in choice.NAMES


def test_the_choices_of_retry_are_those_of_the_library() -> None:
    assert constants.RETRY_CHOICES == RETRY_CHOICES
    assert Configuration().retry == constants.DEFAULT_RETRY
