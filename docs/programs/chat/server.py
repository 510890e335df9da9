"""A chat room: what one member says goes to all others. Who reads too slowly is let go of."""

import asyncio

import fastmux

GONE = (fastmux.BrokenResourceError, fastmux.ClosedResourceError, ConnectionError)
members: set[fastmux.MessageChannel] = set()


def tell(text: str, but: fastmux.MessageChannel | None = None) -> None:
    for channel in list(members):
        if channel is but:
            continue
        try:
            channel.send_nowait(text.encode())
        except (fastmux.WouldBlock, *GONE):
            members.discard(channel)  # a megabyte unread, or gone: the room goes on without


async def handler(conn: fastmux.Connection) -> None:
    channel = await conn.accept()
    if not isinstance(channel, fastmux.MessageChannel):
        return
    name = conn.peer.common_name  # from the certificate: nobody can speak in another's name
    members.add(channel)
    tell(f"* {name} is here", but=channel)
    try:
        await channel.send(f"* hello {name}".encode())
        async for message in channel:
            tell(f"{name}: {message.decode(errors='replace')}", but=channel)
    finally:
        members.discard(channel)
        tell(f"* {name} has left")


async def main() -> None:
    tls = fastmux.TLSConfig("keys/server.pem", "keys/server.key", "keys/ca.pem")
    async with fastmux.listen(handler, "127.0.0.1", 4433, tls=tls) as server:
        print("listening on UDP port", server.port, flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
