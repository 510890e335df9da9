"""The configuration file as it is written: its tables and keys, before any text in them is understood.

Owns: which keys there are and of which type, and what is said of any other. May not know: what the texts
mean (`configuration` does), the command line.

Needs msgspec (the extra `tunnel`).
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Final

import msgspec


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table: an unknown key in it is an error, for a misspelt limit would be no limit."""


class ServerTable(_Table, frozen=True):
    """`[server]`: what `fastmux serve` does."""

    listen: str | list[str] = []
    workers: int | None = None
    metrics: str | None = None
    control: str | None = None
    log_format: str | None = None
    congestion: str | None = None
    retry: str | None = None
    drain_timeout: str | None = None


class TlsTable(_Table, frozen=True):
    """`[tls]`: certificate, key, CA."""

    cert: str | None = None
    key: str | None = None
    ca: str | None = None
    pins: list[str] = []
    reload: bool = True


class LimitsTable(_Table, frozen=True):
    """`[limits]`: rates and counts of a server."""

    total: str | None = None
    per_identity: str | None = None
    sockets_per_identity: int | None = None
    max_connections: int | None = None


class AllowTable(_Table, frozen=True):
    """`[[allow]]`: what one identity, or several, may do."""

    identity: str | list[str]
    rules: list[str]


class RevokedTable(_Table, frozen=True):
    """`[revoked]`: certificates that count no more."""

    identities: list[str] = []
    serials: list[str] = []
    crl: str | None = None


class _ForwardTable(_Table, frozen=True, tag_field="type"):
    listen: str


class LocalTable(_ForwardTable, frozen=True, tag="local"):
    """`-L`."""

    to: str


class RemoteTable(_ForwardTable, frozen=True, tag="remote"):
    """`-R`."""

    to: str


class Socks5Table(_ForwardTable, frozen=True, tag="socks5"):
    """`-D`, with the passwords of its users."""

    users: dict[str, str] = {}


class HttpTable(_ForwardTable, frozen=True, tag="http"):
    """`--http`, with the passwords of its users."""

    users: dict[str, str] = {}


ForwardTable = LocalTable | RemoteTable | Socks5Table | HttpTable


class ClientTable(_Table, frozen=True):
    """`[client]`: what `fastmux tunnel` does."""

    server: str | None = None
    server_name: str | None = None
    metrics: str | None = None
    control: str | None = None
    log_format: str | None = None
    congestion: str | None = None
    limit: str | None = None
    retry_max: str | None = None
    forward: list[ForwardTable] = []


class FileTables(_Table, frozen=True):
    """The whole file."""

    server: ServerTable | None = None
    client: ClientTable | None = None
    tls: TlsTable = TlsTable()
    limits: LimitsTable = LimitsTable()
    allow: list[AllowTable] = []
    revoked: RevokedTable = RevokedTable()


_TABLES: Final[dict[str, tuple[type[_Table], ...]]] = {
    "": (FileTables,),
    "server": (ServerTable,),
    "tls": (TlsTable,),
    "limits": (LimitsTable,),
    "allow[]": (AllowTable,),
    "revoked": (RevokedTable,),
    "client": (ClientTable,),
    "client.forward[]": (LocalTable, RemoteTable, Socks5Table, HttpTable),
}
_TYPES: Final = {
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list in brackets",
    "object": "a table",
    "null": "nothing",
}
_PLACE: Final = re.compile(r" - at `\$?\.?(.*)`$")
_QUOTED: Final = re.compile(r"`([^`]*)`")


def parse_tables(data: dict[str, Any]) -> FileTables:
    """Check what `tomllib` read against the tables. Raises ValueError that starts with the place."""
    try:
        return msgspec.convert(data, FileTables)
    except msgspec.ValidationError as error:
        raise ValueError(_explain(str(error), data)) from None


def _explain(message: str, data: dict[str, Any]) -> str:
    """Turn a message of msgspec into the place in the file, what is wrong there, and what would be right."""
    found = _PLACE.search(message)
    place = found[1] if found else ""
    text = message[: found.start()] if found else message
    quoted = _QUOTED.findall(text)
    if text.startswith("Object contains unknown field"):
        return _at(place, _unknown_key(place, quoted[0], data))
    if text.startswith("Object missing required field"):
        return _at(place, f"the key '{quoted[0]}' is missing")
    if text.startswith("Invalid value") and place.endswith(".type"):
        kinds = ", ".join(str(each.__struct_config__.tag) for each in _TABLES["client.forward[]"])
        return _at(place, f"{text[14:]} is none of {kinds}")
    if text.startswith("Expected") and len(quoted) == 2:
        expected = " or ".join(_TYPES.get(each, each) for each in quoted[0].split(" | ") if each != "null")
        return _at(place, f"this is {_TYPES.get(quoted[1], quoted[1])}, and should be {expected}")
    return _at(place, text)


def _unknown_key(place: str, key: str, data: dict[str, Any]) -> str:
    tables = _TABLES.get(re.sub(r"\[\d+\]", "[]", place), ())
    if len(tables) > 1:  # of the kinds of a forward, the one that this is
        number = int(re.findall(r"\[(\d+)\]", place)[-1])
        kind = data["client"]["forward"][number].get("type")
        tables = tuple(each for each in tables if each.__struct_config__.tag == kind)
    known = [name for each in tables for name in each.__struct_fields__]
    known += ["type"] if "forward" in place else []
    close = difflib.get_close_matches(key, known, 1)
    hint = f"is '{close[0]}' meant?" if close else f"there are {', '.join(sorted(known))}"
    return f"the key '{key}' is unknown; {hint}"


def _at(place: str, text: str) -> str:
    return f"{place}: {text}" if place else text
