"""The settings of a connection by ports: what of them the control connection gets, and what each port.

Owns: how one budget is shared among the ports. May not know: sockets, channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Unpack, cast

from fastmux import constants as c
from fastmux.aio.settings import OF_CONNECT, OF_LISTEN, Settings, check_names
from fastmux.portmux.messages import Hello
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds
from fastmux.protocol.parameters import encode_parameters, parameters_of
from fastmux.protocol.setting_ranges import RANGES

_ARGUMENTS: Final = (*OF_CONNECT, *OF_LISTEN, "ports", "max_ports", "max_total_ports")
_NOT_HERE: Final = ("max_streams", "max_message_channels")
_MESSAGE_SHARE: Final = (
    4  # of a port's share goes to the largest message if nothing is said: windows want more
)
_OF_CHANNELS: Final = (
    "channel_window",
    "max_channel_window",
    "connection_window",
    "max_connection_window",
    "budget",
    "write_limit",
    "max_message_size",
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What this end is ready to do: channels of each end at once, and the configuration of one port.

    Invariant: all ports together hold at most the budget that was given, in received bytes, for each has the
    same share of it: what a peer may have under way, and one message more.
    """

    max_ports: int
    control: Settings
    port: Configuration

    def hello(self) -> Hello:
        """The greeting that says so."""
        opened = replace(self.port, max_streams=1, max_message_channels=1)
        return Hello(c.PORTMUX_VERSION, self.max_ports, encode_parameters(parameters_of(opened)))

    def configuration(self, accepts: int | None, rtt: float) -> Configuration:
        """That of one port: the peer may open one channel of kind `accepts` there, None for none.

        `rtt` is what the control connection measured: the first guess.
        """
        guess = RANGES["initial_rtt"]
        return replace(
            self.port,
            max_streams=int(accepts == c.KIND_STREAM),
            max_message_channels=int(accepts == c.KIND_MESSAGE),
            initial_rtt=min(max(rtt, guess.lowest), guess.highest),
        )


def make_terms(max_ports: int, **settings: Unpack[Settings]) -> Terms:
    """Split the settings of a user. Raises ValueError for those that cannot work, TypeError as `connect`."""
    if not 1 <= max_ports <= c.MAX_PORTS_LIMIT:
        raise ValueError(f"max_ports must be 1 to {c.MAX_PORTS_LIMIT}, not {max_ports}")
    check_names(settings, _ARGUMENTS)
    for name in _NOT_HERE:
        if name in settings:
            raise ValueError(f"{name} is no setting of portmux: max_ports limits channels of both kinds")
    for name, value in settings.items():
        if name in RANGES:
            RANGES[name].checked(name, value)
    return Terms(max_ports, _control_settings(settings), _port_configuration(max_ports, settings))


def _control_settings(settings: Settings) -> Settings:
    """Nothing but one message channel goes over it, and the datagrams of the application."""
    chosen: Settings = {
        "channel_window": c.PORTMUX_WINDOW,
        "max_channel_window": c.PORTMUX_WINDOW,
        "connection_window": c.PORTMUX_WINDOW,
        "max_connection_window": c.PORTMUX_WINDOW,
        "budget": 2 * c.PORTMUX_WINDOW,
        "write_limit": c.PORTMUX_WRITE_LIMIT,
        "max_message_size": c.PORTMUX_MESSAGE_SIZE,
        "max_streams": 0,
        "max_message_channels": 0,
    }
    others = {name: value for name, value in settings.items() if name not in _OF_CHANNELS}
    return cast(Settings, others | chosen)


def _port_configuration(max_ports: int, settings: Settings) -> Configuration:
    """The configuration of a port; its windows leave room for the message that may overdraw them."""
    budget = settings.get("budget", c.CONNECTION_BUDGET)
    share = budget // (2 * max_ports)
    message_size = settings.get("max_message_size", min(c.MAX_MESSAGE_SIZE, share // _MESSAGE_SHARE))
    window = share - message_size
    if window < c.BASE_PLPMTU:
        least = 2 * max_ports * (message_size + c.BASE_PLPMTU)
        raise ValueError(
            f"a budget of {budget} bytes is {share} for each of {2 * max_ports} ports: too little for"
            f" messages of {message_size}; give budget={least} or more, fewer max_ports, or a smaller"
            " max_message_size"
        )
    wanted = Configuration(**settings)
    connection_window = min(wanted.connection_window, window)
    return replace(
        wanted,
        channel_window=min(wanted.channel_window, connection_window),
        connection_window=connection_window,
        max_channel_window=min(wanted.max_channel_window, window),
        max_connection_window=min(wanted.max_connection_window, window),
        budget=share,
        max_message_size=message_size,
        max_datagram_frame_size=0,
        connection_ids=RandomIds(),
    )
