"""asyncio: the UDP socket, the driver between it and the sans-IO endpoint, connections and channels.

Owns: nothing itself; its public names are loaded by `fastmux` when they are first used.
"""
