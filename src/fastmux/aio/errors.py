"""Raising one stored error to many.

Owns: how. May not know: which errors.
"""

from __future__ import annotations

import copy


def renewed(error: ConnectionError) -> ConnectionError:
    """A copy to raise: one object raised often would pile up its tracebacks, and what they hold."""
    return copy.copy(error).with_traceback(None)
