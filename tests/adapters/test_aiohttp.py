"""aiohttp serves by `create_server` and fetches by `create_connection`."""

from __future__ import annotations

import io
from typing import Any

import pytest

from adapters.ends import LoopFactory, connected, run
from fastmux import Connection

aiohttp: Any = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
web: Any = pytest.importorskip("aiohttp.web", reason="aiohttp is not installed")


def connector_of(connection: Connection) -> Any:
    """An aiohttp connector whose connections are streams; aiohttp's own for Unix sockets is made the same."""

    async def create(self: Any, req: Any, traces: Any, timeout: Any) -> Any:
        _, protocol = await connection.create_connection(self._factory, req.url.host, req.url.port)
        return protocol

    return type("FastmuxConnector", (aiohttp.BaseConnector,), {"_create_connection": create})()


def application() -> Any:
    """A page, an upload that is counted, and a WebSocket that echoes."""

    async def page(request: Any) -> Any:
        return web.Response(text=f"hello {request.match_info['name']} from {request.remote}")

    async def large(request: Any) -> Any:
        return web.Response(body=bytes(5_000_000))

    async def upload(request: Any) -> Any:
        size = 0
        async for chunk in request.content.iter_chunked(65536):
            size += len(chunk)
        return web.json_response({"size": size})

    async def echo(request: Any) -> Any:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = web.Application(client_max_size=10_000_000)
    app.add_routes(
        [
            web.get("/hello/{name}", page),
            web.get("/large", large),
            web.post("/upload", upload),
            web.get("/echo", echo),
        ]
    )
    return app


def test_aiohttp_serves_and_fetches(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        runner = web.AppRunner(application())
        await runner.setup()
        async with connected() as (client, server):
            service = await server.create_server(runner.server, "web", 80)
            async with aiohttp.ClientSession(connector=connector_of(client)) as session:
                for name in ("ann", "bob"):
                    async with session.get(f"http://web/hello/{name}") as response:
                        assert response.status == 200
                        assert (await response.text()).startswith(f"hello {name} from 127.0.0.1")
                async with session.get("http://web/large") as response:
                    assert await response.read() == bytes(5_000_000)
                async with session.post("http://web/upload", data=io.BytesIO(bytes(5_000_000))) as response:
                    assert await response.json() == {"size": 5_000_000}
                async with session.ws_connect("http://web/echo") as socket:
                    await socket.send_str("over and over")
                    assert await socket.receive_str() == "over and over"
                assert client.stats.channels_opened == 1  # all of it over one stream, kept alive
                with pytest.raises(aiohttp.ClientOSError, match="other port 80"):
                    await session.get("http://other/")
            service.close()
            await runner.cleanup()
            await service.wait_closed()

    run(loop_factory, main)
