"""Where the certificates come from, in which order, and what is said where there are none."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest

from fastmux import PLAINTEXT, TLSConfig
from fastmux.dask.security import Security, find_tls
from on_dask.support import of_connector, of_listener, security

_dasks_own: Any = distributed.Security


def tls(files: Path, name: str = "node", hostname: str | None = None) -> TLSConfig:
    return TLSConfig(files / f"{name}.pem", files / f"{name}.key", files / "ca.pem", server_hostname=hostname)


def plain(**fields: Any) -> Any:
    return _dasks_own(**fields)


def config(files: Path, name: str, prefix: str = "distributed.comm.fastmux") -> dict[str, str]:
    return {
        f"{prefix}.ca-file": str(files / "ca.pem"),
        f"{prefix}.cert": str(files / f"{name}.pem"),
        f"{prefix}.key": str(files / f"{name}.key"),
    }


def test_our_security_gives_each_role_its_files(files: Path) -> None:
    assert find_tls(of_connector(files)) == tls(files, "client")
    assert find_tls(of_connector(files, "worker")) == tls(files)
    assert find_tls(of_listener(files)) == tls(files)


def test_our_security_is_dasks_and_goes_to_other_processes(files: Path) -> None:
    made = security(files)
    assert isinstance(made, distributed.Security)
    again: Any = pickle.loads(pickle.dumps(made))
    assert type(again) is Security
    assert find_tls(again.get_listen_args("worker")) == tls(files)


def test_the_configuration_has_one_certificate_for_the_process(files: Path) -> None:
    with dask.config.set(config(files, "node")):
        assert find_tls(plain().get_connection_args("client")) == tls(files)


def test_a_listener_uses_the_security_of_its_server(files: Path) -> None:
    class Scheduler:
        security = plain(
            tls_ca_file=str(files / "ca.pem"),
            tls_scheduler_cert=str(files / "node.pem"),
            tls_scheduler_key=str(files / "node.key"),
            tls_worker_cert=str(files / "named.pem"),
            tls_worker_key=str(files / "named.key"),
        )

    class Nanny:
        security = Scheduler.security

    assert find_tls({}, server=Scheduler()) == tls(files)
    assert find_tls({}, server=Nanny()) == tls(files, "named")


def test_something_else_that_listens_has_no_security(files: Path) -> None:
    class Other:
        security = "none at all"

    with pytest.raises(ValueError, match=r"fastmux\.dask\.Security"):
        find_tls({}, server=Other())
    assert find_tls({}, server=Other(), fallback=tls(files)) == tls(files)


def test_dasks_own_configuration_does_where_its_roles_have_one_certificate(files: Path) -> None:
    own = {"distributed.comm.tls.ca-file": str(files / "ca.pem")}
    for role in ("worker", "scheduler"):
        own[f"distributed.comm.tls.{role}.cert"] = str(files / "node.pem")
        own[f"distributed.comm.tls.{role}.key"] = str(files / "node.key")
    with dask.config.set(own):
        assert find_tls({}) == tls(files)
        with (
            dask.config.set({"distributed.comm.tls.client.cert": str(files / "client.pem")}),
            pytest.raises(ValueError, match=r"distributed\.comm\.fastmux\.ca-file"),
        ):
            find_tls({})


def test_the_name_of_all_servers_can_be_one(files: Path) -> None:
    with dask.config.set({"distributed.comm.fastmux.server-hostname": "dask.example"}):
        assert find_tls(of_connector(files)) == tls(files, "client", "dask.example")
    given = {**of_connector(files), "server_hostname": "other.example"}
    assert find_tls(given) == tls(files, "client", "other.example")


def test_a_certificate_in_memory_is_refused_with_the_reason() -> None:
    made: Any = Security
    temporary = made.temporary()
    with pytest.raises(ValueError, match="name of a file"):
        find_tls(temporary.get_listen_args("worker"))


def test_no_encryption_is_what_must_be_asked_for(files: Path) -> None:
    with dask.config.set({"distributed.comm.fastmux.plaintext": True}):
        assert find_tls({}) is PLAINTEXT
        with pytest.raises(RuntimeError, match="requires encryption"):
            find_tls(of_connector(files))
