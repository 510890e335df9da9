"""Secrets are written where the variable says, to its owner alone, and nowhere else."""

from __future__ import annotations

import dataclasses
import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastmux.protocol.ratchet import next_keys
from fastmux.security.keylog import VARIABLE, KeyLog, key_log
from security.support import CONTEXT, World, completed

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where secrets go."""
    return tmp_path / "keys.log"


@pytest.fixture
def log(path: Path) -> Iterator[KeyLog]:
    """A log that is closed again."""
    made = KeyLog(str(path))
    yield made
    made.close()


@pytest.fixture
def variable(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The variable is set."""
    monkeypatch.setenv(VARIABLE, str(path))
    yield path
    made = key_log()
    assert made is not None
    made.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_without_the_variable_there_is_no_log_and_no_callback(
    world: World, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert key_log() is None
    assert key_log({VARIABLE: ""}) is None
    client, _ = completed(world)
    assert client.packet_keys(CONTEXT).log is None
    assert not path.exists()


def test_an_interpreter_that_ignores_its_environment_ignores_the_variable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flags:
        ignore_environment = 1

    monkeypatch.setattr(sys, "flags", Flags)
    assert key_log({VARIABLE: str(path)}) is None


@posix_only
def test_a_new_file_is_its_owners_alone_and_the_log_warns_once(
    path: Path, log: KeyLog, caplog: pytest.LogCaptureFixture
) -> None:
    log.write(b"CLIENT_RANDOM 00 11")
    log.write(b"CLIENT_RANDOM 22 33")
    assert path.read_bytes() == b"CLIENT_RANDOM 00 11\nCLIENT_RANDOM 22 33\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (warning,) = warnings(caplog)
    assert str(path) in warning
    assert "alone" not in warning


@posix_only
def test_a_file_that_others_can_read_is_appended_to_and_named_in_the_warning(
    path: Path, log: KeyLog, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"# of another program\n")
    path.chmod(0o644)
    log.write(b"line")
    assert path.read_bytes() == b"# of another program\nline\n"
    assert "not its owner's alone" in warnings(caplog)[0]


def test_a_file_that_cannot_be_written_is_one_warning_and_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = KeyLog(str(tmp_path))  # a directory
    for _ in range(3):
        log.write(b"line")
    assert len(warnings(caplog)) == 1


def test_both_ends_write_the_secrets_that_openssl_and_packets_use(world: World, variable: Path) -> None:
    client, server = completed(world)
    keys = client.packet_keys(CONTEXT)
    assert server.packet_keys(CONTEXT).send_secret == keys.receive_secret
    lines = [line.split(" ") for line in variable.read_text().splitlines()]
    labels = {line[0] for line in lines}
    assert labels >= {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET"}
    assert len({line[1] for line in lines}) == 1  # the client's random
    own = {(label, secret) for label, _, secret in lines if label.startswith("FASTMUX")}
    assert own == {
        ("FASTMUX_CLIENT_TRAFFIC_0", keys.send_secret.hex()),
        ("FASTMUX_SERVER_TRAFFIC_0", keys.receive_secret.hex()),
    }


def test_later_phases_are_written_under_their_number(world: World, variable: Path) -> None:
    _, server = completed(world)
    keys = server.packet_keys(CONTEXT)
    following = next_keys(keys)
    assert following.log is not None
    following.log(1, following.send_secret, following.receive_secret)
    lines = variable.read_text().splitlines()
    assert any(line.endswith(following.send_secret.hex()) and "SERVER_TRAFFIC_1 " in line for line in lines)
    assert any(
        line.endswith(following.receive_secret.hex()) and "CLIENT_TRAFFIC_1 " in line for line in lines
    )


def test_secrets_and_their_log_show_in_no_repr(world: World, variable: Path) -> None:
    client, _ = completed(world)
    keys = client.packet_keys(CONTEXT)
    assert keys.send_secret.hex() not in repr(keys)
    assert "log" not in repr(keys)
    assert keys == dataclasses.replace(keys, log=None)


def test_a_path_has_one_log(path: Path) -> None:
    assert key_log({VARIABLE: str(path)}) is key_log({VARIABLE: str(path)})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_a_fifo_that_nobody_reads_holds_up_nobody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Opening it waited for a reader, and with it every handshake."""
    os.mkfifo(path)
    log = KeyLog(str(path))
    log.write(b"line")
    assert "no secrets are written" in warnings(caplog)[0]
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        read = KeyLog(str(path))
        read.write(b"line")
        assert os.read(reader, 100) == b"line\n"
        read.close()
    finally:
        os.close(reader)
