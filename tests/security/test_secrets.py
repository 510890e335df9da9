"""Nothing secret is ever said: not in logs, qlog, figures, errors, tracebacks, nor in any repr or pickle.

A whole conversation over real sockets and TLS, with everything that can be logged logged, key updates, a
move, a refused client and errors of every kind. All secrets of it are collected on the side, and looked for
in all that was written, as they are, in hexadecimal digits and in base64.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import gc
import logging
import os
import pickle
import re
import traceback
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

import fastmux
from fastmux.aio.connection import Connection
from fastmux.exceptions import AuthenticationError, ChannelReset, ConnectionClosed, HandshakeError
from fastmux.protocol import key_updates, ratchet
from fastmux.protocol.handshake import PacketKeys
from fastmux.qlog.directory import directory_for
from fastmux.security import contexts, keys
from fastmux.security.certificates import Credential, issue_client, issue_server, make_ca
from fastmux.security.config import TLSConfig
from fastmux.security.handshake import TLSHandshake
from security.support import HOST, World, pump

RESET_KEY = bytes(range(100, 132))
SECRET_FIELDS = ("send_key", "send_iv", "receive_key", "receive_iv", "send_secret", "receive_secret")


class Secrets:
    """All that nobody may hear of, and where it is looked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: set[bytes] = {RESET_KEY}
        self._of_packets(monkeypatch)
        make_context = contexts.make_context

        def make(config: TLSConfig) -> SSL.Context:
            context = make_context(config)
            context.set_keylog_callback(lambda _, line: self._add_line(line))
            return context

        monkeypatch.setattr(contexts, "make_context", make)

    def _of_packets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traffic_keys, next_keys = keys.traffic_keys, ratchet.next_keys

        def first(*arguments: Any) -> PacketKeys:
            return self.add(traffic_keys(*arguments))

        def later(given: PacketKeys) -> PacketKeys:
            return self.add(next_keys(given))

        monkeypatch.setattr(keys, "traffic_keys", first)
        monkeypatch.setattr(key_updates, "next_keys", later)

    def _add_line(self, line: bytes) -> None:
        """What TLS would write into a key log: a label, the client's random bytes, a secret."""
        self.found.add(bytes.fromhex(line.split()[2].decode("ascii")))

    def add(self, given: PacketKeys) -> PacketKeys:
        """Keys of packets."""
        self.found |= {getattr(given, name) for name in SECRET_FIELDS} - {b""}
        return given

    def add_certificate_key(self, credential: Credential) -> None:
        """A private key: its number, and the forms of its file."""
        number = credential.key.private_numbers().private_value
        der = credential.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self.found |= {number.to_bytes(32, "big"), der, credential.key_pem}

    def check(self, name: str, text: bytes | str) -> None:
        """Assert that none is in `text`."""
        data = text.encode() if isinstance(text, str) else text
        plain = data.lower()
        for secret in self.found:
            assert secret not in data, f"{name} has a secret as it is"
            assert secret.hex().encode() not in plain, f"{name} has a secret in hexadecimal digits"
            assert base64.b64encode(secret).rstrip(b"=") not in data, f"{name} has a secret in base64"
            assert repr(secret)[2:-1].encode() not in data, f"{name} has the repr of a secret"


class AllLogs(logging.Handler):
    """Every record of every logger, with its arguments' reprs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record) + repr(record.args) + repr(vars(record)))


@pytest.fixture
def logs() -> Iterator[AllLogs]:
    """All there is to be logged, at DEBUG."""
    handler, root = AllLogs(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


async def handler(connection: Connection) -> None:
    async for channel in connection:
        if isinstance(channel, fastmux.MessageChannel):
            raise RuntimeError("an error of the application's")
        assert isinstance(channel, fastmux.Stream)
        async for data in channel:
            await channel.send(data)
        await channel.aclose()


def reachable(*roots: object) -> Iterator[object]:
    """What fastmux's objects lead to, without the program itself."""
    code = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, FrameType, logging.Logger)
    seen, waiting = {id(root) for root in roots}, list(roots)
    while waiting:
        current = waiting.pop()
        yield current
        for other in gc.get_referents(current):
            is_ours = type(other).__module__.startswith("fastmux") or isinstance(
                other, (dict, list, tuple, set, BaseException)
            )
            if is_ours and not isinstance(other, code) and id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)


def ours(objects: Iterator[object]) -> list[object]:
    return [each for each in objects if type(each).__module__.startswith("fastmux")]


def told(error: BaseException) -> str:
    """All that can be made of an error: with the values of all variables of the frames it passed."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)
    return repr(error) + str(error) + repr(error.args) + "".join(report.format(chain=True))


async def converse(
    server_tls: TLSConfig, client_tls: TLSConfig, stranger: TLSConfig, qlog: Path, secrets: Secrets
) -> None:
    errors: list[BaseException] = []
    options: dict[str, Any] = {"qlog": qlog, "key_update_interval": 20}
    listening = fastmux.listen(handler, "127.0.0.1", 0, tls=server_tls, reset_key=RESET_KEY, **options)
    async with listening as server:
        with pytest.raises(AuthenticationError) as refused:
            await fastmux.connect("127.0.0.1", server.port, tls=stranger, **options)
        errors.append(refused.value)
        with pytest.raises(HandshakeError) as misfit:
            await fastmux.connect("127.0.0.1", server.port, tls=fastmux.PLAINTEXT, **options)
        errors.append(misfit.value)
        connection = await fastmux.connect("127.0.0.1", server.port, tls=client_tls, **options)
        for _ in range(3):
            stream = await connection.open_stream("a label")
            await stream.send(bytes(50_000))
            await stream.send_eof()
            assert len([data async for data in stream]) > 0
            await asyncio.sleep(0.11)  # the least time between two updates
        await connection.migrate()
        assert connection.stats.key_updates >= 2
        (accepted,) = server.connections
        protocol = (connection._connection, accepted._connection)
        for endpoint in (connection._driver.endpoint, accepted._driver.endpoint):
            secrets.found |= {endpoint._reset_key}
        for each in protocol:
            secrets.found |= set(each.reset_tokens)
        assert protocol[0].reset_tokens
        look(secrets, connection, server, client_tls, server_tls)
        check_pickles(secrets, connection, stream, server, connection.stats, connection.peer, client_tls)
        broken = await connection.open_message_channel()
        await broken.send(b"now the handler fails")
        with pytest.raises((ConnectionClosed, ChannelReset)) as closed:
            await broken.receive()
        errors.append(closed.value)
        look(secrets, connection, server)
        for error in errors:
            secrets.check(f"the error {type(error).__name__}", told(error))
        check_pickles(secrets, *errors)


def look(secrets: Secrets, *roots: object) -> None:
    """Into every object of fastmux's that can be reached."""
    found = ours(reachable(*roots))
    assert len(found) > 10
    said = {f"{type(each).__qualname__}: {each!r}; {each}" for each in found}
    secrets.check("what objects say of themselves", "\n".join(said))


def check_pickles(secrets: Secrets, *objects: object) -> None:
    """What a user may hand to another process: the refusal to be pickled is safest."""
    for each in objects:
        try:
            data = pickle.dumps(each)
        except (TypeError, AttributeError, pickle.PicklingError):
            continue
        secrets.check(f"the pickle of {type(each).__qualname__}", data)


def test_a_conversation_says_none_of_its_secrets(
    world: World,
    tmp_path: Path,
    logs: AllLogs,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    secrets = Secrets(monkeypatch)
    server = issue_server(world.ca, "server", [HOST, "127.0.0.1"])
    client = issue_client(world.ca, "laptop")
    other = issue_client(make_ca("other CA"), "stranger")
    for credential in (world.ca, server, client, other):
        secrets.add_certificate_key(credential)
    qlog = tmp_path / "qlog"
    main = converse(
        world.server(server), world.client(client), world.config("stranger", other), qlog, secrets
    )
    with asyncio.Runner(debug=True) as runner:
        runner.run(asyncio.wait_for(main, 60))
    directory_for(qlog).wait_written()
    assert len(secrets.found) > 30
    written = [path.read_bytes() for path in qlog.iterdir()]
    assert len(written) >= 2
    assert any(b"key_updated" in data for data in written)
    assert len(logs.lines) > 5
    secrets.check("the log", "\n".join(logs.lines))
    secrets.check("qlog", b"\n".join(written))
    secrets.check("standard output", "\n".join(capfd.readouterr()))


def test_the_search_finds_each_form_of_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test."""
    secrets = Secrets(monkeypatch)
    for text in (
        b"raw " + RESET_KEY,
        RESET_KEY.hex(),
        RESET_KEY.hex().upper(),
        base64.b64encode(RESET_KEY),
        repr([RESET_KEY]),
    ):
        with pytest.raises(AssertionError, match="a secret"):
            secrets.check("it", text)


def test_packet_keys_can_neither_be_printed_nor_pickled_nor_copied() -> None:
    made = keys.handshake_keys(b"12345678", True)
    assert re.fullmatch(r"PacketKeys\(suite=1\)", repr(made))
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot pickle or copy PacketKeys"):
            take(made)


def test_every_field_of_packet_keys_that_is_secret_is_looked_for() -> None:
    assert {each.name for each in fields(PacketKeys)} == {"suite", "log", *SECRET_FIELDS}


def test_a_key_log_ends_with_its_variable(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context that was made while it was set is used again, and writes no more."""
    log = tmp_path / "keys.log"
    config = world.client()
    monkeypatch.setenv("SSLKEYLOGFILE", os.fspath(log))
    contexts.context_for(config)  # made while it was set, and used again
    monkeypatch.delenv("SSLKEYLOGFILE")
    server = TLSHandshake(world.server(), False)
    client = TLSHandshake(config, True, HOST)
    assert pump(client, server) == [None, None]
    assert not log.exists()
