"""Finds the libcrypto that this interpreter's `ssl` module runs on, for programs that load it by path.

Owns the search; loads nothing beyond `_ssl`. An interpreter that links OpenSSL statically has none to find;
then the system's is taken where there is one.
"""

import ctypes.util
import importlib
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_PATH_FIELD = 5


def find_libcrypto() -> str:
    """A path or name for dlopen. Raises RuntimeError where this machine has no shared libcrypto."""
    importlib.import_module("_ssl")
    if _MAPS.exists():
        for line in _MAPS.read_text().splitlines():
            fields = line.split(maxsplit=_PATH_FIELD)
            if len(fields) > _PATH_FIELD and Path(fields[_PATH_FIELD]).name.startswith("libcrypto"):
                return fields[_PATH_FIELD]
    found = ctypes.util.find_library("crypto")
    if found is None:
        raise RuntimeError("no shared libcrypto: neither this interpreter nor the system has one")
    return found
