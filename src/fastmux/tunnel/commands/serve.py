"""`fastmux serve`: options and help.

Owns: the command line. May not know: how a connection is served.
"""

from __future__ import annotations

from typing import Any

import click

from fastmux.tunnel.command_line import options as o
from fastmux.tunnel.command_line.failures import reported
from fastmux.tunnel.settings.credentials import Credentials


@click.command("serve")
@click.option(
    "-l", "--listen", multiple=True, metavar="[ADDR:]PORT", help="Where to listen (UDP).  [default: *:4433]"
)
@click.option(
    "--allow",
    multiple=True,
    metavar="RULE",
    help="What clients may reach: RULE is explained above. At least one is needed.",
)
@o.credential_options(is_client=False)
@o.config_option
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Processes that share the port (Linux).  [default: 1]"
)
@click.option("--limit", type=o.RATE, help="Most bytes a second, all clients together (10M, 100Mbit).")
@click.option("--limit-per-identity", type=o.RATE, help="Most bytes a second of each identity.")
@click.option("--metrics", metavar="[ADDR:]PORT", help="Serve metrics for Prometheus here, over HTTP (TCP).")
@click.option(
    "--drain-timeout",
    type=o.DURATION,
    help="How long channels may take to finish after SIGTERM.  [default: 30s]",
)
@o.congestion_option
@o.control_option
@o.log_options
def command(credentials: Credentials, log: o.Log, **options: Any) -> None:
    """Serve clients: through here they reach what the rules allow, and nothing else.

    \b
    RULE is [IDENTITY=]HOST:PORTS[/udp], [IDENTITY=]listen:HOST:PORTS[/udp] or
    [IDENTITY=]unix:PATH. IDENTITY is a name in the client's certificate, its URI or
    its pin; without one the rule is for everybody with a certificate of the CA.
      laptop=10.0.0.0/8:22          ssh into the network, for one identity
      *=127.0.0.1:8000-8099         some local ports, for everybody
      laptop=listen:127.0.0.1:2200-2299    where its -R may listen
    Private, loopback and metadata addresses are reached only by a rule that names
    them.
    \b
    SIGHUP or `fastmux ctl reload` rereads configuration and certificates, and ends
    what is no longer allowed. SIGTERM or `ctl drain` lets channels finish; a second
    one ends them at once.
    \b
    Examples:
      fastmux serve --cert server.pem --key server.key --ca ca.pem --allow 'client=127.0.0.1:22'
      fastmux serve --config /etc/fastmux/server.toml --workers 4 --metrics 127.0.0.1:9101
    """
    with reported():
        _serve(credentials, log, {name: value for name, value in options.items() if value})


def _serve(credentials: Credentials, log: o.Log, options: dict[str, Any]) -> None:
    import asyncio
    import os

    from fastmux.tunnel.operation.front import Front
    from fastmux.tunnel.server.serving import Serving
    from fastmux.tunnel.server.workers import WorkerGroup
    from fastmux.tunnel.settings.settings import ServeOptions, serve_settings

    given = ServeOptions(credentials=credentials, **options)
    settings = serve_settings(given, os.getpid())
    form = log.form or settings.log_format or "text"
    o.start_logging(log, form=form)

    async def main() -> None:
        steered: Serving | WorkerGroup = Serving(given, settings)
        if settings.workers > 1:
            steered = WorkerGroup(given, settings, (log.verbosity, form))
        async with Front(steered, control=settings.control, metrics=settings.metrics) as front:
            await steered.run(front.ready)

    asyncio.run(main())
