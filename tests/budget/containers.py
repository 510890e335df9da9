"""Every container of an endpoint and its connections, and what bounds it; docs/limits.md says it in words.

Owns: the whole table. May not know: how containers are found, what the compiled core holds.
"""

from __future__ import annotations

from budget import bounds_of_core, bounds_of_io, bounds_of_protocol
from budget.bound import Bound

BOUNDS: dict[str, Bound] = {**bounds_of_protocol.BOUNDS, **bounds_of_core.BOUNDS, **bounds_of_io.BOUNDS}
