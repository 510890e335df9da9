"""What the commands share on the command line: certificates, logs, units.

Owns: these options and their words. May not know: what a command does with them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from fastmux.tunnel import exits
from fastmux.tunnel.constants import CONGESTION_CONTROLLERS, DEFAULT_PORT
from fastmux.tunnel.operation.journal import FORMATS, set_up
from fastmux.tunnel.settings.credentials import Credentials

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic from click 8.2 on

F = TypeVar("F", bound=Callable[..., Any])
logger = logging.getLogger("fastmux.tunnel")


class _Parsed(_ParamType):
    """An option whose text a function turns into a value; its ValueError is the usage error."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of a text."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def stream_label(text: str) -> str:
    """The label that asks for a stream to "HOST:PORT" or the path of a Unix socket.

    Raises `ConfigurationError`.
    """
    from fastmux.tunnel.forwarding.wire import label_of
    from fastmux.tunnel.notation.targets import parse_target

    try:
        target = parse_target(text)
        if target.protocol == "udp":
            raise ValueError(f"{text!r} is for datagrams: only a stream goes over standard input and output")
        return label_of(target)
    except ValueError as error:
        raise exits.ConfigurationError(str(error)) from error


def parse_server(text: str) -> tuple[str, int]:
    """Host and UDP port of "HOST", "HOST:PORT" or "[V6]:PORT"; the port is 4433 if none is given.

    Raises ValueError.
    """
    from fastmux.tunnel.notation.targets import parse_address

    return parse_address(text, default_port=DEFAULT_PORT, min_port=1)


def _parse_rate(text: str) -> int:
    from fastmux.tunnel.notation.units import parse_rate

    return parse_rate(text)


def _parse_duration(text: str) -> float:
    from fastmux.tunnel.notation.units import parse_duration

    return parse_duration(text)


RATE: Final = _Parsed("RATE", _parse_rate)
DURATION: Final = _Parsed("DURATION", _parse_duration)
SERVER: Final = _Parsed("HOST[:PORT]", parse_server)


def credential_options(*, is_client: bool) -> Callable[[F], Callable[..., Any]]:
    """Add --cert, --key, --ca, --pin and, for clients, --server-name; they come as one `credentials`."""
    path = click.Path(dir_okay=False)
    options = [
        click.option(
            "--cert",
            type=path,
            envvar="FASTMUX_CERT",
            help="This end's certificate (PEM).  [default: the one that `fastmux init` made]",
        ),
        click.option("--key", type=path, envvar="FASTMUX_KEY", help="Its private key (PEM, mode 0600)."),
        click.option("--ca", type=path, envvar="FASTMUX_CA", help="The CA that signed the other end's."),
        click.option(
            "--pin",
            multiple=True,
            metavar="PIN",
            help="Accept only this public key of the other end (sha256//…); may be repeated.",
        ),
    ]
    if is_client:
        text = "The name to expect in the server's certificate, if it is not HOST."
        options.append(click.option("--server-name", metavar="NAME", help=text))

    def decorate(function: F) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(
            cert: str | None,
            key: str | None,
            ca: str | None,
            pin: tuple[str, ...],
            server_name: str | None = None,
            **others: Any,
        ) -> Any:
            credentials = Credentials(cert or "", key or "", ca or "", server_name or "", pin)
            return function(credentials=credentials, **others)

        return _with_options(command, options)

    return decorate


def merged_credentials(given: Credentials, config: str | None) -> Credentials:
    """A client's: those of the options, then of a configuration file, else those that `init` made."""
    if not config:
        return given.or_initial("client")  # without the parser of the file: `connect` starts for every ssh
    from fastmux.tunnel.settings.settings import client_credentials

    return client_credentials(given, config).or_initial("client")


@dataclass(frozen=True, slots=True)
class Log:
    """How to log: verbosity counts -v less -q; `form` is "" if nothing was said."""

    verbosity: int = 0
    form: str = ""


def log_options(function: F) -> Callable[..., Any]:
    """Add -v, -q and --log-format; they come as one `log`."""

    @functools.wraps(function)
    def command(verbose: int, quiet: int, log_format: str | None, **others: Any) -> Any:
        return function(log=Log(verbose - quiet, log_format or ""), **others)

    form = click.Choice(FORMATS)
    return _with_options(
        command,
        [
            click.option("-v", "--verbose", count=True, help="Log more: debugging messages too."),
            click.option("-q", "--quiet", count=True, help="Log less: -q warnings, -qq errors."),
            click.option("--log-format", type=form, help="Form of the log.  [default: text]"),
        ],
    )


def start_logging(log: Log, *, base: int = 0, form: str | None = None) -> logging.StreamHandler[Any]:
    """Set up the log; `base` is the verbosity without options, `form` what a configuration file says."""
    return set_up(base + log.verbosity, log.form or form or FORMATS[0])


def config_option(function: F) -> F:
    """Add --config."""
    path = click.Path(dir_okay=False)
    text = "A configuration file (TOML); options on the command line override it."
    return click.option("--config", type=path, envvar="FASTMUX_CONFIG", help=text)(function)


def congestion_option(function: F) -> F:
    """Add --congestion."""
    names = click.Choice(CONGESTION_CONTROLLERS)
    text = "What decides how fast this end sends; bbr is for paths that lose packets.  [default: cubic]"
    return click.option("--congestion", type=names, help=text)(function)


def control_option(function: F) -> F:
    """Add --control."""
    text = "Path of the control socket for `fastmux ctl`; `none` for no socket."
    return click.option("--control", metavar="PATH", help=text)(function)


def _with_options(function: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function
