"""asyncio's TCP and mutual TLS 1.3, on asyncio's loop or on uvloop, as the peer of every workload."""
