"""How the arguments of opening a channel become what its OPEN frame says.

Owns: that translation, and which arguments cannot be. May not know: channels.
"""

from __future__ import annotations

from fastmux import constants as c


def encode_label(label: str) -> bytes:
    """The label as UTF-8. Raises ValueError above 255 bytes, TypeError for what is no text."""
    if not isinstance(label, str):
        raise TypeError(f"a label is text (str), not {type(label).__name__}")
    encoded = label.encode()
    if len(encoded) > c.MAX_LABEL_SIZE:
        raise ValueError(f"a label has at most {c.MAX_LABEL_SIZE} bytes of UTF-8, not {len(encoded)}")
    return encoded


def check_priority(priority: int) -> int:
    """The priority itself. Raises ValueError for anything but 0 to 255."""
    if not 0 <= priority <= 255:
        raise ValueError(f"priority must be 0 to 255, not {priority}")
    return priority


def reliability_of(reliable: bool, max_retransmits: int | None, lifetime: float | None) -> tuple[int, int]:
    """The reliability of an OPEN frame and its value. `lifetime` is in seconds.

    A limit makes a reliable channel one that gives messages up. Raises ValueError for both limits together,
    for one beside `reliable=False`, which sends each message once, and for one that cannot be.
    """
    if not reliable and (max_retransmits is not None or lifetime is not None):
        raise ValueError("reliable=False sends each message once: give it, or max_retransmits or lifetime")
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
