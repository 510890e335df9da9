"""What `serve` and `tunnel` are to do: the command line over the configuration file over the defaults.

Owns: that order, the defaults, and what is refused before anything starts. May not know: click, sockets.

The options are plain texts, so that they can be handed to a worker process; the settings are understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from fastmux.tunnel import constants as c
from fastmux.tunnel.access.access import Access
from fastmux.tunnel.access.lookups import Lookups
from fastmux.tunnel.access.revocation import NOTHING_REVOKED
from fastmux.tunnel.access.rules import parse_rule
from fastmux.tunnel.control.paths import IS_POSSIBLE, NO_CONTROL, default_path
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.notation.targets import LOOPBACK, parse_address, parse_bind, parse_forward
from fastmux.tunnel.settings.configuration import ClientForward, Configuration, Limits, read_configuration
from fastmux.tunnel.settings.credentials import Credentials

T = TypeVar("T")

KINDS: Final = {"local": "-L", "remote": "-R", "socks5": "-D", "http": "--http"}


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The command line of `serve`."""

    credentials: Credentials = Credentials()
    config: str = ""
    listen: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    metrics: str = ""
    control: str = ""
    workers: int | None = None
    limit: int | None = None
    limit_per_identity: int | None = None
    drain_timeout: float | None = None
    congestion: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may do what, and how fast: what a reload replaces. Rates in bytes a second."""

    access: Access
    limit: int | None = None
    limit_per_identity: int | None = None
    max_sockets: int = c.MAX_SOCKETS_PER_IDENTITY


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """All that `serve` needs. `control` is None for no control socket."""

    listen: tuple[tuple[str, int], ...]
    credentials: Credentials
    policy: Policy
    metrics: tuple[str, int] | None
    control: Path | None
    workers: int
    drain_timeout: float
    max_connections: int | None
    log_format: str | None
    congestion: str
    retry: str


@dataclass(frozen=True, slots=True)
class TunnelOptions:
    """The command line of `tunnel`; `users` are the names and passwords of --user."""

    server: tuple[str, int] | None = None
    credentials: Credentials = Credentials()
    config: str = ""
    local: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    socks5: tuple[str, ...] = ()
    http: tuple[str, ...] = ()
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    metrics: str = ""
    control: str = ""
    limit: int | None = None
    retry_max: float | None = None
    congestion: str = ""


@dataclass(frozen=True, slots=True)
class TunnelSettings:
    """All that `tunnel` needs. `limit` in bytes a second, `retry_max` in seconds."""

    server: tuple[str, int]
    credentials: Credentials
    forwards: tuple[ClientForward, ...]
    metrics: tuple[str, int] | None
    control: Path | None
    limit: int | None
    retry_max: float
    log_format: str | None
    congestion: str


def serve_settings(options: ServeOptions, pid: int, lookups: Lookups | None = None) -> ServeSettings:
    """Understand the options of `serve`; reads the configuration file.

    At a reload `lookups` are those of the access before. Raises `ConfigurationError`.
    """
    configuration = configuration_of(options.config)
    server = configuration.server if configuration else None
    listen = tuple(_parsed("-l", _listen_address, text) for text in options.listen)
    credentials = options.credentials
    if configuration is not None:
        credentials = credentials.with_file(configuration.tls)
    credentials = credentials.or_initial("server")
    return ServeSettings(
        listen=listen or (server.listen if server else ()) or (("", c.DEFAULT_PORT),),
        credentials=credentials,
        policy=_policy(options, configuration, credentials, lookups),
        metrics=_metrics(options.metrics, server.metrics if server else None),
        control=_control(options.control or (server.control if server else None), "serve", pid),
        workers=options.workers or (server.workers if server else None) or 1,
        drain_timeout=_first(
            options.drain_timeout, server.drain_timeout if server else None, c.DRAIN_TIMEOUT
        ),
        max_connections=configuration.limits.max_connections if configuration else None,
        log_format=server.log_format if server else None,
        congestion=options.congestion or (server.congestion if server else None) or c.DEFAULT_CONGESTION,
        retry=(server.retry if server else None) or c.DEFAULT_RETRY,
    )


def tunnel_settings(options: TunnelOptions, pid: int) -> TunnelSettings:
    """Understand the options of `tunnel`; reads the configuration file. Raises `ConfigurationError`."""
    configuration = configuration_of(options.config)
    client = configuration.client if configuration else None
    server = options.server or (client.server if client else None)
    if server is None:
        raise ConfigurationError("which server? Name it as HOST[:PORT], or in [client] of --config")
    credentials = options.credentials
    if configuration is not None:
        credentials = credentials.with_file(configuration.tls, client.server_name if client else None)
    credentials = credentials.or_initial("client")
    given = [forward_of(kind, text, options.users) for kind in KINDS for text in getattr(options, kind)]
    return TunnelSettings(
        server=server,
        credentials=credentials,
        forwards=(*given, *(client.forwards if client else ())),
        metrics=_metrics(options.metrics, client.metrics if client else None),
        control=_control(options.control or (client.control if client else None), "tunnel", pid),
        limit=options.limit or (client.limit if client else None),
        retry_max=_first(options.retry_max, client.retry_max if client else None, c.DEFAULT_RETRY_MAX),
        log_format=client.log_format if client else None,
        congestion=options.congestion or (client.congestion if client else None) or c.DEFAULT_CONGESTION,
    )


def client_credentials(given: Credentials, config: str) -> Credentials:
    """Those of `connect` and `ping`: options, then a configuration file. Raises `ConfigurationError`."""
    configuration = configuration_of(config)
    if configuration is None:
        return given
    return given.with_file(
        configuration.tls, configuration.client.server_name if configuration.client else None
    )


def forward_of(kind: str, text: str, users: Mapping[str, str] | None = None) -> ClientForward:
    """One -L, -R, -D or --http ("local", "remote", "socks5", "http"). Raises `ConfigurationError`."""
    option = KINDS.get(kind)
    if option is None:
        raise ConfigurationError(f"{kind!r} is none of {', '.join(KINDS)}")
    if kind in ("local", "remote"):
        forward = _parsed(option, parse_forward, text)
        return ClientForward("local" if kind == "local" else "remote", forward.listen, forward.to)
    listen = _parsed(option, parse_bind, text)
    return ClientForward("socks5" if kind == "socks5" else "http", listen, users=dict(users or {}))


def configuration_of(path: str) -> Configuration | None:
    """Read a configuration file; None for no path. Raises `ConfigurationError`."""
    if not path:
        return None
    try:
        return read_configuration(path)
    except FileNotFoundError:
        raise ConfigurationError(f"there is no configuration file {path}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(str(error)) from error


def _policy(
    options: ServeOptions,
    configuration: Configuration | None,
    credentials: Credentials,
    lookups: Lookups | None,
) -> Policy:
    rules = [_parsed("--allow", parse_rule, text) for text in options.allow]
    limits = Limits()
    revoked = NOTHING_REVOKED
    if configuration is not None:
        limits = configuration.limits
        rules += configuration.rules
        try:
            revoked = configuration.revoked.load(Path(credentials.ca))
        except (OSError, ValueError) as error:
            raise ConfigurationError(str(error)) from error
    if not rules:
        raise ConfigurationError(
            "no rule says what clients may reach, so nothing would be allowed: give --allow RULE, for "
            "example --allow 'client=127.0.0.1:22', or [[allow]] in --config"
        )
    return Policy(
        access=Access(rules, revoked, lookups=lookups),
        limit=options.limit or limits.total,
        limit_per_identity=options.limit_per_identity or limits.per_identity,
        max_sockets=limits.sockets_per_identity or c.MAX_SOCKETS_PER_IDENTITY,
    )


def _listen_address(text: str) -> tuple[str, int]:
    return parse_address(text, default_host="", default_port=c.DEFAULT_PORT)


def _metrics(text: str, configured: tuple[str, int] | None) -> tuple[str, int] | None:
    if not text:
        return configured
    return _parsed("--metrics", lambda value: parse_address(value, default_host=LOOPBACK), text)


def _control(text: str | None, role: str, pid: int) -> Path | None:
    if text == NO_CONTROL or not IS_POSSIBLE:
        return None
    return Path(text) if text else default_path(role, pid)


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def _parsed(option: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from error
