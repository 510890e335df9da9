"""The numbers of Dask's comm, each with its reason.

Owns: sizes in bytes, times in seconds. May not know: anything else.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "fastmux://"

# --- Frames ------------------------------------------------------------------------------------------
MAX_FRAMES: Final = 2**20  # of one message: a thousand times what a large graph has; their sizes take 8 MiB
JOINED_SIZE: Final = 2**17  # a message of fewer bytes goes, and comes, in one piece: as Dask's TCP
# Of a buffer that must be copied, one copy at a time. Measured: 656 MB/s, beside 564 with half of it and 615
# with twice as much, which malloc gives back to the system each time.
PIECE_SIZE: Final = 2**17
MAPPED_SIZE: Final = 2**20  # a larger frame is received into pages that cost nothing before its bytes come

# --- Links ---------------------------------------------------------------------------------------------
MAX_STREAMS: Final = 4096  # comms at once that one process opens to another; Dask's pool holds 512
MAX_HELLO_SIZE: Final = 255  # the address in the acceptor's first bytes: what a length byte can say
LINGER: Final = 2.0  # that an unused connection is kept: Dask pools comms itself, and reuses them first
# Without a word from the peer for so long it is gone. TCP has the kernel answer for a process whose thread
# holds the interpreter; here that process itself must, so this is more than Dask's 30 s for TCP.
IDLE_TIMEOUT: Final = 60.0
KEEP_ALIVE_DIVISOR: Final = 4  # keep-alives in an idle timeout: three may be lost
FLUSH_TIMEOUT: Final = 5.0  # that a clean close waits for the peer's acknowledgement of what was written
