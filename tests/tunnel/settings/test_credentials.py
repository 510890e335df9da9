"""Which files prove who this end is, and what is said where one is missing."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Literal

import pytest

from fastmux.security.certificates import issue_client, make_ca, write_credential
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.settings.configuration import TlsFiles
from fastmux.tunnel.settings.credentials import Credentials, checked_tls
from tunnel.served import credentials


def test_options_go_before_the_file() -> None:
    files = TlsFiles(Path("/f/cert"), Path("/f/key"), Path("/f/ca"), ("pin",), reload=False)
    merged = Credentials(cert="c", server_name="n").with_file(files, "file-name")
    assert merged == Credentials("c", "/f/key", "/f/ca", "n", ("pin",), reload=False)
    assert Credentials().with_file(files, "file-name").server_name == "file-name"
    assert Credentials(cert="c").with_file(TlsFiles()) == Credentials("c")


def test_what_init_made_is_used_where_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert Credentials().or_initial("client") == Credentials()
    (tmp_path / "fastmux").mkdir()
    (tmp_path / "fastmux" / "client.pem").touch()
    place = tmp_path / "fastmux"
    assert Credentials(server_name="gw").or_initial("client") == Credentials(
        str(place / "client.pem"), str(place / "client.key"), str(place / "ca.pem"), "gw"
    )
    assert Credentials().or_initial("server") == Credentials()
    assert Credentials(ca="ca.pem").or_initial("client") == Credentials(ca="ca.pem")


def test_all_files_make_a_configuration(keys: Path) -> None:
    tls = credentials(keys, "client").tls()
    assert tls.certfile == str(keys / "client.pem")
    assert tls.server_hostname is None
    assert tls.reload


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Credentials(), "--cert and --key and --ca are missing"),
        (Credentials(cert="a", key="b"), "--ca is missing"),
        (Credentials("/gone/a", "/gone/b", "/gone/c"), "there is no file /gone/a"),
    ],
)
def test_a_file_that_is_missing_is_named_with_what_to_do(given: Credentials, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text) as caught:
        given.tls()
    assert "fastmux init" in str(caught.value)


def test_a_key_that_others_can_read_and_a_pin_that_is_none_are_refused(keys: Path, tmp_path: Path) -> None:
    key = tmp_path / "loose.key"
    key.write_bytes((keys / "client.key").read_bytes())
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Credentials(str(keys / "client.pem"), str(key), str(keys / "ca.pem")).tls()
    with pytest.raises(ConfigurationError, match="pin"):
        Credentials(
            str(keys / "client.pem"), str(keys / "client.key"), str(keys / "ca.pem"), pins=("x",)
        ).tls()


def test_the_key_of_resets_comes_from_the_private_key_and_the_host(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same after a restart, another with another key or on another host."""
    server, client = credentials(keys, "server"), credentials(keys, "client")
    key = server.reset_key()
    assert server.reset_key() == key
    assert client.reset_key() != key
    monkeypatch.setattr("socket.gethostname", lambda: "another host")
    assert server.reset_key() != key
    with pytest.raises(ConfigurationError):
        Credentials(key=str(keys / "none.key")).reset_key()


@pytest.mark.parametrize(("name", "role"), [("client", "server"), ("server", "client")])
def test_a_certificate_of_the_other_role_is_refused_before_anything_starts(
    keys: Path, name: str, role: Literal["server", "client"]
) -> None:
    """`serve` said that it served, and could only refuse everybody."""
    with pytest.raises(
        ConfigurationError, match=f"{name}.pem may not act as a {role}: it is for {name}; the"
    ):
        checked_tls(credentials(keys, name), role)


def test_a_certificate_that_has_ended_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No error: it may be renewed while it runs, and a reload may be there to revoke somebody."""
    tmp_path.chmod(0o700)
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=50)
    ca = make_ca()
    write_credential(tmp_path, "ca", ca)
    write_credential(tmp_path, "client", issue_client(ca, "laptop", days=9, now=then))
    checked_tls(credentials(tmp_path, "client"), "client")
    assert "client.pem: the certificate of laptop ended at " in caplog.text
