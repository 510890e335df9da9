"""The types of the fixture that runs both ends of a worker."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine
from typing import Any

Side = Callable[[argparse.Namespace], Coroutine[Any, Any, None]]
Results = tuple[dict[str, Any], dict[str, Any]]
BothEnds = Callable[[Side, Side, argparse.ArgumentParser, list[str]], Results]
