"""The sans-IO layer: datagrams, addresses and `now` in; trains, events and a deadline out.

Owns: the life of connections. May not know: asyncio, sockets, clocks, random numbers, TLS.
"""
