"""The `fastmux` command: knows its commands by name, and loads one when it is called.

Owns: the list of commands, the version. May not know: what a command does or which options it has; every
start stays quick because nothing else is imported.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
# Each is a module of `fastmux.tunnel.commands` with a `command`; the text is its line in the help.
COMMANDS: Final = {
    "demo": "Everything at once over one connection, nothing to prepare.",
    "init": "Make certificates to begin with: a CA, a server, a client.",
    "cert": "Issue, show, pin and renew certificates.",
    "serve": "The far end of a tunnel: lets clients reach what rules allow.",
    "tunnel": "The near end of a tunnel: forwards ports, SOCKS and HTTP.",
    "connect": "One forwarded connection on standard input and output.",
    "ping": "Measure round trips to a server.",
    "ctl": "Query and control a running serve or tunnel.",
    "check-config": "Check a configuration file.",
}


class LazyGroup(click.Group):
    """A group whose commands are modules that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"fastmux.tunnel.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from fastmux import core

        click.echo(core.describe())
        context.exit()


@click.group(cls=LazyGroup, context_settings=_CONTEXT)
@click.option(
    "--version",
    is_flag=True,
    callback=_print_version,
    expose_value=False,
    is_eager=True,
    help="Print the version, the interpreter and the core, and exit.",
)
def main() -> None:
    """Many independent channels over one authenticated UDP connection.

    \b
    Start with:
      fastmux demo                    everything at once, nothing to prepare
    From nothing to ssh through a tunnel:
      fastmux init --dir keys --name gw.example
      fastmux serve --cert keys/server.pem --key keys/server.key --ca keys/ca.pem \\
                    --allow 'client=127.0.0.1:22'
      fastmux tunnel gw.example --cert keys/client.pem --key keys/client.key \\
                    --ca keys/ca.pem -L 2022:127.0.0.1:22
      ssh -p 2022 127.0.0.1
    Exit codes: 0 done, 2 usage, 3 configuration, 4 authentication, 5 unreachable,
    255 connection lost.
    """
