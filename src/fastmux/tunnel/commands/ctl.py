"""`fastmux ctl`: asks and steers a running serve or tunnel over its control socket.

Owns: the command line and what it prints. May not know: what the process does with a request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fastmux.tunnel.command_line.failures import reported
from fastmux.tunnel.control import paths
from fastmux.tunnel.control.client import ask
from fastmux.tunnel.control.lines import ControlError
from fastmux.tunnel.control.render import status_lines
from fastmux.tunnel.exits import UNREACHABLE, CommandError, ConfigurationError


@click.group("ctl")
@click.option(
    "--control",
    metavar="PATH",
    envvar="FASTMUX_CONTROL",
    help="The control socket, or a directory of such sockets.  [default: this user's directory]",
)
@click.pass_context
def command(context: click.Context, control: str | None) -> None:
    """Query and control a running `fastmux serve` or `fastmux tunnel` of this user.

    \b
    Examples:
      fastmux ctl status                                 what is open, how fast, for whom
      fastmux ctl forward -L 8080:intranet:80            one more forward of a tunnel
      fastmux ctl cancel -L 8080:intranet:80             and without it again
      fastmux ctl --control /run/fastmux/a.sock reload   reread configuration and certificates
    """
    context.obj = Path(control) if control else paths.runtime_directory()
    if not control and context.obj.exists():
        with reported():
            _check(context.obj)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each process.")
@click.pass_obj
def status(place: Path, as_json: bool) -> None:
    """What is open: connections with round trip and loss, channels with bytes, totals by identity."""
    with reported():
        for path in _sockets(place):
            result = _ask(path, "status")
            click.echo(json.dumps(result) if as_json else "\n".join(status_lines(result)))


def _forward_options(function: Callable[..., None]) -> Callable[..., None]:
    for flags, kind, text in (
        ("--http", "http", "An HTTP proxy at [BIND:]PORT."),
        ("-D", "socks5", "A SOCKS5 proxy at [BIND:]PORT."),
        ("-R", "remote", "A listener at the server: [BIND:]PORT:HOST:PORT[/udp]."),
        ("-L", "local", "A listener here: [BIND:]PORT:HOST:PORT[/udp]."),
    ):
        function = click.option(flags, kind, multiple=True, metavar="SPEC", help=text)(function)
    return click.pass_obj(function)


@command.command()
@_forward_options
def forward(place: Path, **forwards: tuple[str, ...]) -> None:
    """Add forwards to a running tunnel; prints where each listens."""
    _change(place, "forward", forwards)


@command.command()
@_forward_options
def cancel(place: Path, **forwards: tuple[str, ...]) -> None:
    """Remove forwards from a running tunnel, written as they were given. Open channels go on."""
    _change(place, "cancel", forwards)


def _change(place: Path, op: str, forwards: dict[str, tuple[str, ...]]) -> None:
    with reported():
        specs = [(kind, spec) for kind, every in forwards.items() for spec in every]
        if not specs:
            raise click.UsageError("name at least one forward: -L, -R, -D or --http")
        path = _one_socket(place)
        for kind, spec in specs:
            click.echo(_ask(path, op, kind=kind, spec=spec))


def _steering(name: str, text: str) -> None:
    @command.command(name, help=text)
    @click.pass_obj
    def steer(place: Path) -> None:
        with reported():
            click.echo(_ask(_one_socket(place), name))


_steering("reload", "Reread configuration and certificates; what is no longer allowed ends.")
_steering("drain", "Accept nothing new, let what is open finish, then exit.")
_steering("exit", "Exit at once: what is open is cut off.")


def _check(place: Path) -> None:
    """Nobody else may have put a socket where this user's are looked for."""
    try:
        paths.check(place)
    except OSError as error:
        raise ConfigurationError(str(error)) from error


def _sockets(place: Path) -> list[Path]:
    """The sockets at a place; of several those that are alive, so that a killed process hides no other."""
    found = paths.found(place)
    if len(found) > 1:
        found = [path for path in found if paths.is_alive(path)]
    if not found:
        raise CommandError(
            UNREACHABLE, f"no serve or tunnel of this user runs: nobody listens on a socket in {place}"
        )
    return found


def _one_socket(place: Path) -> Path:
    found = _sockets(place)
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise ConfigurationError(f"several run; name the one that you mean by --control: {names}")
    return found[0]


def _ask(path: Path, op: str, **fields: Any) -> Any:
    try:
        return ask(path, op, **fields)
    except ControlError as error:
        raise ConfigurationError(str(error)) from error
    except (FileNotFoundError, ConnectionRefusedError):
        raise CommandError(UNREACHABLE, f"nobody listens on {path}: has that process ended?") from None
