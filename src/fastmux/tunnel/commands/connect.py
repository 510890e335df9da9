"""`fastmux connect`: options and help.

Owns: the command line. May not know: how bytes go. ssh starts it for every connection, so it imports what it
needs when it needs it, and nothing else.
"""

from __future__ import annotations

import select
import sys

import click

from fastmux.tunnel.command_line import options as o
from fastmux.tunnel.command_line.failures import reported
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.settings.credentials import Credentials


@click.command("connect")
@click.argument("server", type=o.SERVER)
@click.argument("target", metavar="DEST:PORT")
@o.credential_options(is_client=True)
@o.config_option
@o.log_options
def command(
    server: tuple[str, int], target: str, config: str | None, credentials: Credentials, log: o.Log
) -> None:
    """Connect standard input and output to DEST:PORT, through SERVER.

    DEST is resolved and reached by the server, which needs a rule that allows it for this certificate. If it
    begins with "/" it is a Unix socket there. Standard output carries only what DEST sends.

    \b
    Examples:
      ssh -o ProxyCommand='fastmux connect gw.example %h:%p --config ~/.fastmux.toml' host
      fastmux connect gw.example 127.0.0.1:25 --cert client.pem --key client.key --ca ca.pem
    Exit codes: 0 both directions ended, 3 configuration, 4 authentication,
    5 unreachable or refused, 255 connection lost.
    """
    with reported():
        o.start_logging(log, base=-1)
        credentials = o.merged_credentials(credentials, config)
        if not hasattr(select, "poll"):
            raise ConfigurationError("this system cannot wait for standard input: use `fastmux tunnel -L`")
        for stream, name in ((sys.__stdin__, "input"), (sys.__stdout__, "output")):
            if stream is None:  # its number is another file's by now
                raise ConfigurationError(f"standard {name} is closed: where nothing is wanted give /dev/null")
        _connect(server, credentials, o.stream_label(target))


def _connect(server: tuple[str, int], credentials: Credentials, label: str) -> None:
    from fastmux.tunnel.client.standard_io import Input, Output
    from fastmux.tunnel.client.stdio import connect_stdio
    from fastmux.tunnel.command_line.signals import run_until_signal

    run_until_signal(connect_stdio(server, credentials.tls(), label, Input(0), Output(1)))
