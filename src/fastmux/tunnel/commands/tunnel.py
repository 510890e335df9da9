"""`fastmux tunnel`: options and help.

Owns: the command line, and the line on the terminal. May not know: how anything is forwarded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fastmux.tunnel.command_line import options as o
from fastmux.tunnel.command_line.failures import reported
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.settings.credentials import Credentials

if TYPE_CHECKING:
    import logging

    from fastmux.tunnel.operation.front import Front


@click.command("tunnel")
@click.argument("server", type=o.SERVER, required=False)
@click.option(
    "-L", "local", multiple=True, metavar="SPEC", help="Listen here, connect there: SPEC is explained above."
)
@click.option("-R", "remote", multiple=True, metavar="SPEC", help="Listen at the server, connect from here.")
@click.option("-D", "socks5", multiple=True, metavar="[BIND:]PORT", help="Listen here as a SOCKS5 proxy.")
@click.option("--http", multiple=True, metavar="[BIND:]PORT", help="Listen here as an HTTP proxy.")
@click.option(
    "--user",
    multiple=True,
    metavar="NAME:FILE",
    help="Let only this user use -D and --http; FILE holds the password. May be repeated.",
)
@o.credential_options(is_client=True)
@o.config_option
@click.option("--limit", type=o.RATE, help="Most bytes a second, all channels together (10M, 100Mbit).")
@click.option("--retry-max", type=o.DURATION, help="Longest wait between two attempts.  [default: 30s]")
@click.option("--exit-on-forward-failure", is_flag=True, help="Exit if a forward cannot be set up.")
@click.option("--metrics", metavar="[ADDR:]PORT", help="Serve metrics for Prometheus here, over HTTP (TCP).")
@o.congestion_option
@o.control_option
@o.log_options
def command(
    credentials: Credentials,
    log: o.Log,
    exit_on_forward_failure: bool,
    user: tuple[str, ...],
    **options: Any,
) -> None:
    """Keep a tunnel to SERVER (HOST or HOST:PORT, port 4433 by default), and forward through it.

    \b
    SPEC is one of ssh's, with /udp for datagrams:
      [BIND:]PORT:HOST:PORT[/udp]   [BIND:]PORT:/PATH   /PATH:HOST:PORT   /PATH:/PATH
    BIND is 127.0.0.1 unless given; * is every interface. Names are resolved at the
    far end.
    When the connection is lost, it is made again, as often as needed. The listeners
    here stay open meanwhile; new local connections wait for up to half a minute.
    \b
    Examples:
      fastmux tunnel gw.example -L 2022:127.0.0.1:22 -D 1080 --config ~/.fastmux.toml
      fastmux tunnel gw.example -L 5353:10.0.0.53:53/udp --http 8080 --limit 10M
      fastmux tunnel gw.example -R 2201:127.0.0.1:22 --exit-on-forward-failure
      fastmux tunnel --config /etc/fastmux/office.toml
    Exit codes: 0 drained or stopped, 3 configuration, 4 authentication at the first
    attempt, 5 a forward was refused.
    """
    with reported():
        from fastmux.tunnel.settings.users import read_users

        given = {name: value for name, value in options.items() if value}
        if user:
            given["users"] = read_users(user)
            if not (given.get("socks5") or given.get("http")):
                raise ConfigurationError("--user is for the proxies of -D and --http, and there is none")
        _tunnel(credentials, log, given, exit_on_forward_failure)


def _tunnel(credentials: Credentials, log: o.Log, options: dict[str, Any], exits_on_failure: bool) -> None:
    import asyncio
    import os

    from fastmux.tunnel.client.tunneling import Tunneling
    from fastmux.tunnel.operation.front import Front
    from fastmux.tunnel.settings.settings import TunnelOptions, tunnel_settings

    given = TunnelOptions(credentials=credentials, **options)
    settings = tunnel_settings(given, os.getpid())
    handler = o.start_logging(log, form=settings.log_format)

    async def main() -> None:
        tunnel = Tunneling(given, settings, exit_on_forward_failure=exits_on_failure)
        async with Front(tunnel, control=settings.control, metrics=settings.metrics) as front:
            await _beside_line(tunnel.run(front.ready), front, handler)

    asyncio.run(main())


async def _beside_line(running: Any, front: Front, handler: logging.StreamHandler[Any]) -> None:
    """Run, with a line on the terminal if there is one."""
    import asyncio

    from fastmux.tunnel.client import live

    showing = asyncio.create_task(live.show(front.status, handler)) if live.is_possible() else None
    try:
        await running
    finally:
        if showing is not None:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
