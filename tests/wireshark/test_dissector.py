"""The dissector shows what was sent, and says what it cannot open. With tshark, where that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import fastmux
from fastmux.security.certificates import make_credentials
from fastmux.security.keylog import VARIABLE, key_log
from wireshark.capture import Datagram, conversation, dissected, write_capture

pytestmark = pytest.mark.slow

SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
ROUNDS = 3
SEALED, MALFORMED = "fastmux.sealed", "fastmux.malformed"
FIELDS = ["fastmux.form", "fastmux.from", "fastmux.frame.name", SEALED, MALFORMED, "fastmux.opened_by"]


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a CA, a server's and a client's certificate."""
    directory = tmp_path_factory.mktemp("credentials") / "credentials"
    make_credentials(directory, days=1)
    return directory


@pytest.fixture
def keylog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that secrets go to."""
    path = tmp_path / "keys.log"
    monkeypatch.setenv(VARIABLE, str(path))
    yield path
    log = key_log()
    assert log is not None
    log.close()


def tls(credentials: Path, name: str, suite: str) -> fastmux.TLSConfig:
    files = (credentials / f"{name}.pem", credentials / f"{name}.key", credentials / "ca.pem")
    return fastmux.TLSConfig(*files, ciphers=(suite,))


async def talk(client: fastmux.Connection, server: fastmux.Connection) -> None:
    """Streams, messages and datagrams, and a change of keys after each round (but under PLAINTEXT)."""
    for number in range(ROUNDS):
        async with await client.open_stream(f"label-{number}") as stream:
            await stream.send(b"hello " * 500)
            await stream.send_eof()
            async with await server.accept() as arrived:
                await arrived.receive()
        async with await client.open_message_channel("messages") as channel:
            await channel.send(b"m" * 3000)
            async with await server.accept() as arrived:
                await arrived.receive()
        server.send_datagram(b"datagram")
        await client.receive_datagram()
        await client.ping()


def secured(credentials: Path, suite: str = SUITES[0]) -> list[Datagram]:
    return conversation(
        talk,
        client_tls=tls(credentials, "client", suite),
        server_tls=tls(credentials, "server", suite),
    )


def names_of(rows: list[list[str]]) -> set[str]:
    return {name for row in rows for name in row[2].split(",") if name}


@pytest.mark.parametrize("suite", SUITES)
def test_every_packet_opens_with_the_key_log(
    credentials: Path, keylog: Path, tmp_path: Path, suite: str
) -> None:
    datagrams = secured(credentials, suite)
    rows = dissected(write_capture(tmp_path / "f.pcap", datagrams), FIELDS, keylog)
    assert len(rows) == len(datagrams)
    assert {(row[3], row[4]) for row in rows} == {("", "")}
    assert {row[0] for row in rows} == {"long", "short"}
    for (is_to_server, _), row in zip(datagrams, rows, strict=True):
        assert row[1] == ("client" if is_to_server else "server")
        assert row[2]
    wanted = {"PARAMETERS", "HANDSHAKE", "PATH_CHALLENGE", "PATH_RESPONSE", "ACK", "HANDSHAKE_DONE", "NEW_ID"}
    wanted |= {"OPEN", "STREAM", "MESSAGE", "DATAGRAM", "PING", "PADDING", "APPLICATION_CLOSE"}
    assert wanted <= names_of(rows)


def test_the_content_of_frames_is_that_which_was_sent(
    credentials: Path, keylog: Path, tmp_path: Path
) -> None:
    capture = write_capture(tmp_path / "f.pcap", secured(credentials))
    fields = ["fastmux.label", "fastmux.data", "fastmux.channel_id", "fastmux.code"]
    columns = list(zip(*dissected(capture, fields, keylog), strict=True))
    labels = [label for cell in columns[0] for label in cell.split(",") if label]
    assert labels == [name for number in range(ROUNDS) for name in (f"label-{number}", "messages")]
    data = "".join(columns[1])
    assert (b"hello " * 50).hex() in data
    assert b"datagram".hex() in data
    assert {"0", "2", "4", "6"} <= {channel for cell in columns[2] for channel in cell.split(",")}
    assert "0x0000000000000000" in columns[3]


def test_packets_open_after_key_updates_with_the_first_secrets_alone(
    credentials: Path, keylog: Path, tmp_path: Path
) -> None:
    datagrams = conversation(
        talk,
        client_tls=tls(credentials, "client", SUITES[0]),
        server_tls=tls(credentials, "server", SUITES[0]),
        key_update_interval=10,
    )
    lines = keylog.read_text().splitlines()
    assert any(line.startswith("FASTMUX_CLIENT_TRAFFIC_1 ") for line in lines)
    assert any(line.startswith("FASTMUX_SERVER_TRAFFIC_1 ") for line in lines)
    capture = write_capture(tmp_path / "f.pcap", datagrams)
    whole = dissected(capture, FIELDS, keylog)
    keylog.write_text("".join(f"{line}\n" for line in lines if "_TRAFFIC_0 " in line))
    assert dissected(capture, FIELDS, keylog) == whole
    assert {(row[3], row[4]) for row in whole} == {("", "")}
    assert {"FASTMUX_CLIENT_TRAFFIC_1", "FASTMUX_SERVER_TRAFFIC_1"} <= {row[5] for row in whole}


def test_without_the_key_log_the_handshake_is_open_and_the_rest_is_marked(
    credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    fields = [*FIELDS, "fastmux.packet_number", "fastmux.key_phase"]
    rows = dissected(write_capture(tmp_path / "f.pcap", secured(credentials)), fields)
    long = [row for row in rows if row[0] == "long"]
    short = [row for row in rows if row[0] == "short"]
    assert names_of(long) >= {"PARAMETERS", "HANDSHAKE", "ACK"}
    assert all(row[3] == "" and row[4] == "" for row in long)
    assert names_of(short) == set()
    assert all(row[3] for row in short)
    assert {row[1] for row in short} == {"client", "server"}
    assert all(row[6].isdigit() and row[7] == "0" for row in short)


def test_a_plaintext_connection_needs_no_keys(tmp_path: Path) -> None:
    rows = dissected(write_capture(tmp_path / "f.pcap", conversation(talk)), FIELDS)
    assert {(row[3], row[4]) for row in rows} == {("", "")}
    assert all(row[2] for row in rows)
    assert {"OPEN", "STREAM", "MESSAGE", "DATAGRAM", "APPLICATION_CLOSE"} <= names_of(rows)


@pytest.mark.parametrize("is_plain", [True, False])
def test_damaged_packets_and_foreign_ones_break_nothing(
    credentials: Path, keylog: Path, tmp_path: Path, is_plain: bool
) -> None:
    random = Random(6)
    datagrams = conversation(talk) if is_plain else secured(credentials)
    damaged: list[Datagram] = []
    for is_to_server, datagram in datagrams:
        damaged.append((is_to_server, datagram))
        for _ in range(10):
            copy = bytearray(datagram)
            for _ in range(random.randrange(8)):
                copy[random.randrange(min(len(copy), 80))] = random.randrange(256)
            damaged.append((is_to_server, bytes(copy[: random.randrange(1, len(copy) + 1)])))
        damaged.append((is_to_server, random.randbytes(random.randrange(1, 100))))
    rows = dissected(write_capture(tmp_path / "f.pcap", damaged), FIELDS, keylog)
    assert len(rows) == len(damaged)
    assert sum(bool(row[4]) for row in rows) > 10
