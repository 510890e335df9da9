"""Whether a certificate is of use to the end that has it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from fastmux.security.certificates import issue_client, issue_peer, make_ca, write_credential
from fastmux.tunnel.settings.certificate_check import end_warnings, role_fault


def test_a_certificate_is_for_the_roles_that_it_names(keys: Path, tmp_path: Path) -> None:
    assert role_fault(keys / "server.pem", "server") == ""
    assert role_fault(keys / "server.pem", "client") == (
        f"{keys}/server.pem may not act as a client: it is for server; the other end refuses it"
    )
    tmp_path.chmod(0o700)
    both, _ = write_credential(tmp_path, "both", issue_peer(make_ca(), "both", ["a"]))
    assert role_fault(both, "server") == role_fault(both, "client") == ""


def test_an_end_is_told_before_it_comes_and_after(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path, _ = write_credential(tmp_path, "laptop", issue_client(make_ca(), "laptop", days=100))
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    assert end_warnings(path, now) == []
    assert f"fastmux cert renew {path}" in end_warnings(path, now + 95 * day)[0]
    assert "the certificate of laptop ended at " in end_warnings(path, now + 101 * day)[0]


def test_what_is_no_certificate_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("nothing")
    for look in (
        lambda path: role_fault(path, "client"),
        lambda path: end_warnings(path, datetime.datetime.now(datetime.UTC)),
    ):
        with pytest.raises(ValueError, match="is not a PEM file"):
            look(tmp_path / "a.pem")
