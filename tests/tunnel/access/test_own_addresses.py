"""Which addresses are this host's own."""

from __future__ import annotations

import errno
import ipaddress
import shutil
import socket
import subprocess
import sys

import pytest

from e2e.support import linux_only
from fastmux.tunnel.access.own_addresses import is_own


def test_loopback_is_this_hosts_and_an_address_for_documentation_is_nobodys() -> None:
    assert is_own(ipaddress.ip_address("127.0.0.1"))
    assert not is_own(ipaddress.ip_address("192.0.2.1"))
    assert not is_own(ipaddress.ip_address("2001:db8::1"))


def test_without_a_socket_to_ask_with_it_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of "no" would let a client in."""

    def refuse(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(OSError, match="Too many"):
        is_own(ipaddress.ip_address("192.0.2.1"))


_PROGRAM = """
import ipaddress, subprocess
from pathlib import Path
from fastmux.tunnel.access.own_addresses import is_own
for command in ("link set lo up", "addr add 9.9.9.9/32 dev lo", "route add default dev lo"):
    subprocess.run(["ip", *command.split()], check=True)
for nonlocal_bind in "01":
    Path("/proc/sys/net/ipv4/ip_nonlocal_bind").write_text(nonlocal_bind)
    print(*(is_own(ipaddress.ip_address(text)) for text in ("9.9.9.9", "9.9.9.8")))
"""


@linux_only
@pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("ip")), reason="needs unshare and ip")
def test_a_public_address_of_an_interface_is_own_also_where_everything_can_be_bound() -> None:
    done = subprocess.run(
        [
            "unshare",
            "--map-root-user",
            "--net",
            "--mount-proc",
            "--pid",
            "--fork",
            sys.executable,
            "-c",
            _PROGRAM,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode and not done.stdout:
        pytest.skip(f"no namespace of our own: {done.stderr.strip()[-200:]}")
    assert done.stdout == "True False\nTrue False\n"
