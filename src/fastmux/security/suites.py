"""The three cipher suites of TLS 1.3 that fastmux uses, and which of them this machine is quick at.

Owns: their names, their numbers in fastmux, their order of preference. May not know: OpenSSL, keys.
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path
from typing import Final

from fastmux.constants import SUITE_AES_128_GCM, SUITE_AES_256_GCM, SUITE_CHACHA20_POLY1305

SUITES: Final = {
    "TLS_AES_128_GCM_SHA256": SUITE_AES_128_GCM,
    "TLS_AES_256_GCM_SHA384": SUITE_AES_256_GCM,
    "TLS_CHACHA20_POLY1305_SHA256": SUITE_CHACHA20_POLY1305,
}
_AES_FIRST: Final = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
_CHACHA20_FIRST: Final = (
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
)
_CPUINFO: Final = Path("/proc/cpuinfo")
_FLAG_LINES: Final = ("flags", "features")  # of x86 and of Arm
# Where the processor cannot be asked: machines of these names have had AES instructions for a
# decade.
_MACHINES_WITH_AES: Final = frozenset({"x86_64", "amd64", "arm64", "s390x", "ppc64le"})


@functools.cache
def preferred_suites() -> tuple[str, ...]:
    """Return the suites, the one that this machine seals quickest first."""
    return _AES_FIRST if has_fast_aes(_CPUINFO, platform.machine()) else _CHACHA20_FIRST


def has_fast_aes(cpuinfo: Path, machine: str) -> bool:
    """Tell whether AES is done in hardware: by the processor's flags, else the machine's name."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in _FLAG_LINES:
            return "aes" in value.split()
    return machine.lower() in _MACHINES_WITH_AES
