"""One side of bulk over a Dask comm: numpy arrays, as workers hand them to each other.

    python -m bench.dask_comm server|client --scheme fastmux|tls --certificates DIR [--port N] …

Each array is acknowledged before the next one leaves, as between workers. Both schemes go through Dask's own
listener, connector, handshake and serialization, with the same certificates and without compression. Owns the
options and both sides. Knows no scheme but by its name.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import dask
import distributed.comm
import distributed.protocol
import numpy

import fastmux.dask
from bench import payload, worker

ARRAY_BLOCKS = 64
"""Blocks of the pattern in one array: 67 MB, so that Dask's own threads unpack it as they do in a cluster."""

_comm: Any = distributed.comm  # without types
_protocol: Any = distributed.protocol
_security: Any = fastmux.dask.Security


def make_parser() -> argparse.ArgumentParser:
    """The options of a worker."""
    options = worker.parser("one side of bulk over a Dask comm")
    options.add_argument("--scheme", choices=("fastmux", "tls"), default="fastmux")
    return options


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The connection arguments of this side."""
    folder, role = Path(options.certificates), options.role
    files = {"cert": str(folder / f"{role}.pem"), "key": str(folder / f"{role}.key")}
    of_role = {f"tls_{name}_{kind}": path for name in ("scheduler", "client") for kind, path in files.items()}
    security = _security(tls_ca_file=str(folder / "ca.pem"), require_encryption=True, **of_role)
    arguments: dict[str, Any]
    if role == "server":
        arguments = security.get_listen_args("scheduler")
    else:
        arguments = security.get_connection_args("client")
    return arguments


async def serve(options: argparse.Namespace) -> None:
    """The receiving side: every byte of every array is compared with the pattern."""
    done: asyncio.Future[worker.Result] = asyncio.get_running_loop().create_future()

    async def handle(comm: Any) -> None:
        try:
            result = await _receive(comm, options)
            await comm.close()
            done.set_result(result)
        except Exception as error:
            done.set_exception(error)

    dask.config.set({"distributed.comm.compression": None})
    address = f"{options.scheme}://{options.host}:{options.port}"
    async with _comm.listen(address, handle, **_arguments(options)) as listener:
        worker.announce({"port": int(listener.listen_address.rpartition(":")[2])})
        worker.announce(await done)


async def _receive(comm: Any, options: argparse.Namespace) -> worker.Result:
    verifier = payload.Verifier()
    meter = worker.Meter(options.seconds, options.warmup)
    while (message := await comm.read()) is not None:
        view = memoryview(message["array"])
        for start in range(0, view.nbytes, payload.BLOCK_SIZE):
            verifier.check(view[start : start + payload.BLOCK_SIZE])
        meter.add(view.nbytes)
        del message, view
        await comm.write("OK")
    result = meter.result("server", {})
    await comm.write("done")
    return result


async def send(options: argparse.Namespace) -> None:
    """The sending side."""
    dask.config.set({"distributed.comm.compression": None})
    block = b"".join(payload.pieces(payload.BLOCK_SIZE))
    array = numpy.frombuffer(block * ARRAY_BLOCKS, dtype=numpy.uint8).copy()  # as a computation leaves it
    address = f"{options.scheme}://{options.host}:{options.port}"
    comm = await _comm.connect(address, **_arguments(options))
    meter = worker.Meter(options.seconds, options.warmup, options.size)
    while True:
        await comm.write({"array": _protocol.to_serialize(array)})
        await comm.read()  # as a worker that fetched something says so
        if not meter.add(array.nbytes):
            break
    await comm.write(None)
    await comm.read()  # the server has verified the last byte
    worker.announce(meter.result("client", {}))
    await comm.close()


def main() -> None:
    """Parse the options and run one side."""
    options = make_parser().parse_args()
    worker.run(serve(options) if options.role == "server" else send(options), options)


if __name__ == "__main__":
    main()
