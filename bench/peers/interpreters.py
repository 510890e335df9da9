"""Finds a Python that has a peer, for the peers that do not have the Python that runs the benchmark.

Owns PYTHON_VARIABLE. A worker needs no fastmux, only this package and its peer: any Python from 3.11 on runs
`python -m bench.peers.<name>` at the root of the sources.
"""

import importlib.metadata
import os
import subprocess
import sys

PYTHON_VARIABLE = "FASTMUX_BENCH_PEERS_PYTHON"
"""Names another Python, with other peers installed: aiopquic needs 3.12, fastmux runs on 3.11 too."""

ASK_SECONDS = 10.0
_QUESTION = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"


def find_interpreter(distribution: str) -> tuple[str, str] | None:
    """Path of a Python that has the distribution, and its version there; None if there is none.

    This Python comes first, then the one that PYTHON_VARIABLE names; OSError if that cannot be started.
    """
    try:
        return sys.executable, importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        other = os.environ.get(PYTHON_VARIABLE)
    if not other:
        return None
    command = [other, "-c", _QUESTION, distribution]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    return (other, answer.stdout.strip()) if answer.returncode == 0 else None
