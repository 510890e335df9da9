"""What a link is like, in the same words for netem and for the emulator.

Owns these words. Knows neither.
"""

from dataclasses import dataclass

HEADERS_SIZE = 28  # IPv4 and UDP


@dataclass(frozen=True, slots=True)
class LinkShape:
    """`rate` in bit/s (0: without limit), `delay` one way in seconds, `loss` the share lost each way.

    `queue_size` is how many bytes may wait for their turn in each direction.
    """

    rate: float = 0.0
    delay: float = 0.0
    loss: float = 0.0
    queue_size: float = 1e12
