"""Without trio this room is skipped."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("trio") else ["test_*.py"]
