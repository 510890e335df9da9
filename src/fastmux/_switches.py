"""The one meaning of the environment variables that choose a core.

Owns: their names, when a switch is on, and the remedy for a missing compiled core. May not know:
anything else; it imports nothing, because `setup.py` runs this file before fastmux is installed.

FASTMUX_NO_EXTENSIONS        build and use the pure-Python core; wins over the next one
FASTMUX_REQUIRE_EXTENSIONS   no compiled core is an error, at build and at run time, not a fall-back
FASTMUX_SANITIZE             build with the address and undefined-behaviour sanitizers
"""

NO_EXTENSIONS = "FASTMUX_NO_EXTENSIONS"
REQUIRE_EXTENSIONS = "FASTMUX_REQUIRE_EXTENSIONS"
SANITIZE = "FASTMUX_SANITIZE"
REMEDY = (
    "install a C compiler and this Python's headers, then"
    " `pip install --force-reinstall --no-deps .` in a copy of the repository"
    " (while working on it: `make build`)"
)


def is_on(value: str | None) -> bool:
    """True if a variable with this value is on: set, and neither empty nor "0"."""
    return value is not None and value not in ("", "0")
