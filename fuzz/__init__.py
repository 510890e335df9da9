"""Fuzzing: targets, corpora, and what drives them. `fuzz/README.md` says how; run `python -m fuzz`.

The scripted handshake and the examples of frames are those of the tests: their folder must be found.
"""

import sys
from pathlib import Path

_TESTS = str(Path(__file__).parent.parent / "tests")
if _TESTS not in sys.path:
    sys.path.append(_TESTS)
