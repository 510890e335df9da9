"""Names and passwords for the proxies of `tunnel`, from --user NAME:FILE.

Owns: reading them. May not know: how a proxy asks for them. A password is in a file that only its user can
read, so that it is in no list of processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastmux.security.files import read_key_file
from fastmux.security.names import printable
from fastmux.tunnel.exits import ConfigurationError

_MAX_SIZE: Final = 255  # bytes of a name or password (RFC 1929 §2)


def read_users(texts: Iterable[str]) -> dict[str, str]:
    """Name to password, of texts `NAME:FILE`; the password is the file's first line.

    Raises `ConfigurationError`.
    """
    users: dict[str, str] = {}
    for text in texts:
        name, colon, path = text.partition(":")
        if not colon or not name or not path:
            raise ConfigurationError(f"--user {printable(text)} is not NAME:FILE, with the password in FILE")
        if name in users:
            raise ConfigurationError(f"--user {printable(name)} is there twice")
        users[name] = _password(path)
        if len(name.encode()) > _MAX_SIZE:
            raise ConfigurationError(f"--user {printable(name)} is longer than {_MAX_SIZE} bytes")
    return users


def _password(path: str) -> str:
    try:
        line = read_key_file(path).partition(b"\n")[0].removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"the password in {path} is not UTF-8") from None
    except FileNotFoundError:
        raise ConfigurationError(f"there is no password file {path}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(str(error).replace("key file", "password file")) from error
    if not line or len(line.encode()) > _MAX_SIZE:
        raise ConfigurationError(f"the password in {path} has to have 1 to {_MAX_SIZE} bytes")
    return line
