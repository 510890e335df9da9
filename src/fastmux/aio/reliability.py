"""How the keyword arguments of a message channel become what the wire says.

Owns: that translation. May not know: channels.
"""

from __future__ import annotations

from fastmux import constants as c


def reliability_of(reliable: bool, max_retransmits: int | None, lifetime: float | None) -> tuple[int, int]:
    """The reliability of an OPEN frame and its value. `lifetime` is in seconds.

    A limit may be given with `reliable` True or False; it alone decides. Raises ValueError for both limits
    together, or a negative one.
    """
    if max_retransmits is not None and lifetime is not None:
        raise ValueError("give max_retransmits or lifetime, not both")
    if max_retransmits is not None:
        if max_retransmits < 0:
            raise ValueError(f"max_retransmits must not be negative, not {max_retransmits}")
        return c.MAX_RETRANSMITS, max_retransmits
    if lifetime is not None:
        if not 0.001 <= lifetime <= c.MAX_VARINT / 1000:
            raise ValueError(f"lifetime must be at least 0.001 seconds, not {lifetime}")
        return c.LIFETIME, round(lifetime * 1000)
    return (c.RELIABLE if reliable else c.UNRELIABLE), 0
