"""`fastmux ping`: options, and the lines that it prints.

Owns: the command line. May not know: how round trips are measured.
"""

from __future__ import annotations

import sys

import click

from fastmux.tunnel.command_line import options as o
from fastmux.tunnel.command_line.failures import reported
from fastmux.tunnel.constants import MAX_PING_SIZE, MIN_PING_INTERVAL, MIN_PING_SIZE, OPEN_TIMEOUT
from fastmux.tunnel.exits import DONE, UNREACHABLE, naming
from fastmux.tunnel.settings.credentials import Credentials


@click.command("ping")
@click.argument("server", type=o.SERVER)
@click.option("-c", "--count", type=click.IntRange(1), help="How many pings.  [default: until interrupted]")
@click.option(
    "-i",
    "--interval",
    type=click.FloatRange(MIN_PING_INTERVAL, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two pings.",
)
@click.option(
    "-s",
    "--size",
    type=click.IntRange(MIN_PING_SIZE, MAX_PING_SIZE),
    default=MAX_PING_SIZE,
    show_default=True,
    help="Bytes in each ping.",
)
@o.credential_options(is_client=True)
@o.config_option
@o.log_options
def command(
    server: tuple[str, int],
    count: int | None,
    interval: float,
    size: int,
    config: str | None,
    credentials: Credentials,
    log: o.Log,
) -> None:
    """Measure round trips to SERVER over an authenticated connection.

    Each ping travels as data on a stream, and the server sends it back: it takes as long as a user's data
    does. The exit status is 0 if any ping was answered, 5 if none was or the server cannot be reached.

    \b
    Examples:
      fastmux ping gw.example -c 5 --cert client.pem --key client.key --ca ca.pem
      fastmux ping [2001:db8::1]:4433 -i 0.1 --config ~/.fastmux.toml
    """
    with reported():
        o.start_logging(log, base=-1)
        credentials = o.merged_credentials(credentials, config)
        sys.exit(_ping(server, credentials, count, interval, size))


def _ping(
    server: tuple[str, int], credentials: Credentials, count: int | None, interval: float, size: int
) -> int:
    import asyncio

    import fastmux
    from fastmux.tunnel.client.pinging import Pinger, PingResult
    from fastmux.tunnel.command_line.signals import run_until_signal

    result = PingResult()

    def print_answer(number: int, round_trip: float) -> None:
        click.echo(f"{size} bytes from {server[0]}: number {number}, {round_trip * 1e3:.3f} ms")

    async def main() -> None:
        tls = credentials.tls()
        with naming(server[0]):
            async with fastmux.connect(*server, tls=tls, open_timeout=OPEN_TIMEOUT) as connection:
                pinger = Pinger(
                    connection, size=size, interval=interval, on_answer=print_answer, result=result
                )
                try:
                    await pinger.run(count)
                except asyncio.CancelledError:
                    await connection.aclose()
                    raise

    try:
        run_until_signal(main())
    except KeyboardInterrupt:
        pass  # how it ends without a count: the summary comes below
    finally:
        if result.sent:
            click.echo("\n".join(result.summary()))
    return DONE if result.round_trips else UNREACHABLE
