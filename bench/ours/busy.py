"""A Python thread that never rests, for the workload that shares its interpreter with one.

Owns the thread. Knows nothing of what it disturbs.
"""

import threading


def start_busy_thread() -> None:
    """Start a thread that counts until the process ends; it gives the GIL up only when asked to."""
    threading.Thread(target=_count, name="busy", daemon=True).start()


def _count() -> None:
    number = 0
    while True:
        number += 1
