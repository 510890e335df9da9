"""`fastmux check-config`: reads a configuration file as `serve` and `tunnel` do, and says what is in it.

Owns: its options and output. May not know: what a setting means.
"""

from __future__ import annotations

from pathlib import Path

import click


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--strict", is_flag=True, help="Warnings fail too.")
def command(file: Path, strict: bool) -> None:
    """Check a configuration file of `fastmux serve` or `fastmux tunnel`.

    Reads it, and the certificates, key and revocation list that it names, exactly as they will be used.
    Prints what it does and what deserves a second look; the exit status is 0 if it can be used, else 3.

    \b
    Examples:
      fastmux check-config /etc/fastmux/server.toml
      fastmux check-config --strict server.toml && systemctl reload fastmux

    \b
    A server:                                  A client:
      [server]                                   [client]
      listen = ["0.0.0.0:4433", "[::]:4433"]     server = "gw.example:4433"
      [tls]                                      [tls]
      cert = "server.pem"                        cert = "client.pem"
      key = "server.key"                         key = "client.key"
      ca = "ca.pem"                              ca = "ca.pem"
      [limits]                                   [[client.forward]]
      per_identity = "100Mbit"                   type = "local"
      [[allow]]                                  listen = "2022"
      identity = "laptop"                        to = "10.0.0.5:22"
      rules = ["10.0.0.0/8:22"]                  [[client.forward]]
      [revoked]                                  type = "socks5"
      identities = ["old-laptop"]                listen = "1080"
    """
    from fastmux.tunnel.command_line.failures import configuration_failures
    from fastmux.tunnel.settings.configuration import read_configuration
    from fastmux.tunnel.settings.configuration_check import check

    with configuration_failures():
        findings = check(read_configuration(file))
    for line in findings.lines:
        click.echo(line)
    for warning in findings.warnings:
        click.echo(f"warning: {warning}", err=True)
    if strict and findings.warnings:
        with configuration_failures():
            raise ValueError(f"{file} has {len(findings.warnings)} warnings")
    click.echo(f"{file} can be used")
