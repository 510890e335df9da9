"""Whether fastmux has a congestion controller of some name, and how to ask for it.

Owns the question. Knows no connection.
"""

from typing import cast

from fastmux.aio.settings import Settings
from fastmux.protocol.configuration import Configuration

DEFAULT = "cubic"


def controller_setting(name: str) -> Settings:
    """The settings that choose the controller. Raises ValueError if this fastmux has none of that name."""
    if name == DEFAULT:
        return {}
    default: object = Configuration().congestion
    if not isinstance(default, str):
        raise ValueError("this fastmux does not choose congestion controllers by name")
    setting = cast(Settings, {"congestion": name})
    Configuration(**setting)
    return setting
