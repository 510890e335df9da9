"""How the workers listen and connect: the context, and one result for the whole server.

Owns what every workload over TCP and TLS has in common. Knows no workload.
"""

import argparse
import asyncio
import ssl
from collections.abc import Awaitable, Callable

from bench import worker

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Done = asyncio.Future[worker.Result]
READ_SIZE = 256 * 1024


def context_of(options: argparse.Namespace) -> ssl.SSLContext:
    """Mutual TLS 1.3 with this run's certificates."""
    purpose = ssl.Purpose.CLIENT_AUTH if options.role == "server" else ssl.Purpose.SERVER_AUTH
    folder, role = options.certificates, options.role
    context = ssl.create_default_context(purpose, cafile=folder / "ca.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / f"{role}.pem", folder / f"{role}.key")
    return context


async def serve_until_done(server: asyncio.Server, done: Done) -> None:
    """Say where the server listens, and the result once `done` has it."""
    async with server:
        worker.announce({"port": server.sockets[0].getsockname()[1]})
        worker.announce(await done)


async def serve_streams(options: argparse.Namespace, handler: Handler, done: Done) -> None:
    """A StreamReader and StreamWriter for each connection; an error of a handler ends the worker."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, ValueError) as error:
            if not done.done():
                done.set_exception(error)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, options.host, options.port, ssl=context_of(options))
    await serve_until_done(server, done)


async def connect(
    options: argparse.Namespace, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """`asyncio.open_connection`; the server's certificate must have the address as its name."""
    return await asyncio.open_connection(
        options.host, options.port, ssl=context, server_hostname=options.host
    )


def detail_of(transport: asyncio.BaseTransport | asyncio.StreamWriter) -> dict[str, object]:
    """What the connection says about itself, for the result line."""
    return {"cipher": transport.get_extra_info("cipher")[0]}
