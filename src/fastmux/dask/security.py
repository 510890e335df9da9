"""Certificates: from Dask's `Security`, its configuration, or what a listener of this process uses.

Owns: where the files' names come from, in which order, and what is said where there are none. May not know:
connections, TLS.

Dask hands a comm only an `ssl.SSLContext`, and fastmux needs the files that it was made of. So, the first
that there is: `fastmux.dask.Security`, which hands them on; `distributed.comm.fastmux.{ca-file,cert,key}`,
one certificate for the process; the `Security` of the scheduler or worker that listens, which has those that
were given on the command line; `distributed.comm.tls`, where its roles have one certificate between them;
the certificate of a listener on the same event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import dask
import distributed

from fastmux import PLAINTEXT, TLSConfig
from fastmux.security.config import PlaintextConfig

AnyTLS: TypeAlias = TLSConfig | PlaintextConfig

_ARGUMENT: Final = "fastmux_files"
_ROLES: Final = ("scheduler", "worker", "client")
_MISSING: Final = (
    "fastmux:// needs a certificate, its key and the CA's certificate: give "
    "fastmux.dask.Security(tls_ca_file=…, tls_client_cert=…, tls_client_key=…, …) as `security`, or set "
    "distributed.comm.fastmux.ca-file, .cert and .key in Dask's configuration. Without encryption and "
    "identities, on a network that nobody else reaches, set distributed.comm.fastmux.plaintext to true."
)


class Security(distributed.Security):
    """Dask's `Security`, with files that fastmux can use too.

    Its fields are those of `distributed.Security`, and what is not given comes from Dask's configuration. The
    certificate of a scheduler or worker must be for its host, or for the name in
    `distributed.comm.fastmux.server-hostname` if that is set, and must do for a server and for a client
    (extended key usage); a client's for a client.
    """  # no __slots__ here: the parent reads its own by that name

    def get_connection_args(self, role: str) -> dict[str, Any]:
        """What a connector of this role gets, the files too."""
        parent: Any = super()
        return {**parent.get_connection_args(role), _ARGUMENT: parent.get_tls_config_for_role(role)}

    def get_listen_args(self, role: str) -> dict[str, Any]:
        """What a listener of this role gets, the files too."""
        parent: Any = super()
        return {**parent.get_listen_args(role), _ARGUMENT: parent.get_tls_config_for_role(role)}


def find_tls(
    arguments: Mapping[str, Any], *, server: object = None, fallback: AnyTLS | None = None
) -> AnyTLS:
    """The certificates for a connector or listener with these `connection_args`.

    `server` is the Dask server that listens, `fallback` what a listener on the same loop has. Raises
    ValueError with what to do if there are none, RuntimeError if encryption is required and switched off, and
    as `TLSConfig`.
    """
    if _setting("plaintext", False):
        if arguments.get("require_encryption"):
            raise RuntimeError(
                "Dask's configuration requires encryption, and distributed.comm.fastmux.plaintext forbids it"
            )
        return PLAINTEXT
    hostname = arguments.get("server_hostname") or _setting("server-hostname")
    for files in (
        arguments.get(_ARGUMENT),
        {"ca_file": _setting("ca-file"), "cert": _setting("cert"), "key": _setting("key")},
        _files_of_server(server),
        _files_of_configuration(),
    ):
        if files and files.get("ca_file") and files.get("cert"):
            return _tls(files, hostname)
    if fallback is not None:
        return fallback
    raise ValueError(_MISSING)


def _setting(name: str, default: object = None) -> Any:
    return dask.config.get(f"distributed.comm.fastmux.{name}", default)


def _tls(files: Mapping[str, Any], hostname: str | None) -> TLSConfig:
    for name, value in files.items():
        if isinstance(value, str) and "\n" in value:
            raise ValueError(
                f"the {name} of fastmux:// is the name of a file, not what is in it "
                "(as Security.temporary() has it)"
            )
    return TLSConfig(
        files["cert"], files.get("key") or files["cert"], files["ca_file"], server_hostname=hostname
    )


def _files_of_server(server: object) -> Mapping[str, Any] | None:
    """Those of a scheduler's, worker's or nanny's own `Security`; None for anything else that listens."""
    security: Any = getattr(server, "security", None)
    if not issubclass(type(security), distributed.Security):
        return None
    is_scheduler = any(kind.__name__ == "Scheduler" for kind in type(server).__mro__)
    files: Mapping[str, Any] = security.get_tls_config_for_role("scheduler" if is_scheduler else "worker")
    return files


def _files_of_configuration() -> Mapping[str, Any] | None:
    """Those of `distributed.comm.tls`, if all its roles that have a certificate have the same one."""
    tls = dask.config.get("distributed.comm.tls")
    known = {(tls[role]["cert"], tls[role]["key"]) for role in _ROLES if tls[role]["cert"]}
    if len(known) != 1:
        return None
    cert, key = known.pop()
    return {"ca_file": tls["ca-file"], "cert": cert, "key": key}
