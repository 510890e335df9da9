"""What the tests of this room share: certificates on disk, and two ends pumped in memory."""

from __future__ import annotations

import datetime
import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from OpenSSL import SSL, crypto

from fastmux.exceptions import HandshakeError
from fastmux.security.certificates import (
    Credential,
    issue_client,
    issue_server,
    make_ca,
    write_credential,
)
from fastmux.security.config import TLSConfig
from fastmux.security.files import write_private_file
from fastmux.security.handshake import TLSHandshake

CONTEXT = bytes(range(32))
HOST = "server.example"
NOW = datetime.datetime.now(datetime.UTC)
LONG_AGO = NOW - datetime.timedelta(days=100)
LATER = NOW + datetime.timedelta(days=100)


class End(Protocol):
    """What `pump` needs of an end; a `Handshake` is one."""

    def start(self) -> None: ...

    def receive(self, data: bytes) -> None: ...

    def send(self) -> bytes: ...


@dataclass
class World:
    """A directory with a CA and what it issued."""

    directory: Path
    ca: Credential

    @classmethod
    def make(cls, directory: Path) -> World:
        """Make a CA and write its certificate."""
        world = cls(directory, make_ca("test CA"))
        write_private_file(directory, "ca.pem", world.ca.certificate_pem)
        return world

    def config(
        self,
        name: str,
        credential: Credential,
        cafile: Path | None = None,
        pins: tuple[str, ...] = (),
        ciphers: tuple[str, ...] = (),
    ) -> TLSConfig:
        """Write a credential and configure it."""
        certfile, keyfile = write_credential(self.directory, name, credential)
        ca = cafile or self.directory / "ca.pem"
        return TLSConfig(certfile, keyfile, ca, pins=pins, ciphers=ciphers)

    def server(self, credential: Credential | None = None) -> TLSConfig:
        """Configure a server, a good one unless told otherwise."""
        return self.config("server", credential or issue_server(self.ca, "server", [HOST]))

    def client(self, credential: Credential | None = None) -> TLSConfig:
        """Configure a client, a good one unless told otherwise."""
        return self.config("client", credential or issue_client(self.ca, "laptop"))

    def pair(
        self, client: TLSConfig | None = None, server: TLSConfig | None = None
    ) -> tuple[TLSHandshake, TLSHandshake]:
        """Make both ends of a handshake, good ones unless told otherwise."""
        return (
            TLSHandshake(client or self.client(), True, HOST),
            TLSHandshake(server or self.server(), False),
        )


class RawEnd:
    """A TLS end made of OpenSSL alone, for peers that fastmux would not be. `reason` is its error."""

    def __init__(self, context: SSL.Context, is_client: bool) -> None:
        self.tls = SSL.Connection(context, None)
        self.is_client = is_client
        self.reason = ""

    def start(self) -> None:
        if self.is_client:
            self.tls.set_connect_state()
            self._work()
        else:
            self.tls.set_accept_state()

    def receive(self, data: bytes) -> None:
        self.tls.bio_write(data)
        self._work()

    def send(self) -> bytes:
        try:
            return self.tls.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def _work(self) -> None:
        try:
            self.tls.do_handshake()
            self.tls.recv(1000)
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self.reason = self.reason or str(error)


def raw_context(ca: Credential, credential: Credential | None = None) -> SSL.Context:
    """Make an OpenSSL context that trusts `ca` and has a certificate or none."""
    context = SSL.Context(SSL.TLS_METHOD)
    store = context.get_cert_store()
    assert store is not None
    store.add_cert(crypto.X509.from_cryptography(ca.certificate))
    context.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))
    if credential is not None:
        context.use_certificate(credential.certificate)
        context.use_privatekey(credential.key)
    return context


def completed(world: World) -> tuple[TLSHandshake, TLSHandshake]:
    """Give both ends of a finished handshake."""
    client, server = world.pair()
    assert pump(client, server) == [None, None]
    return client, server


def pump(client: End, server: End, size: int = 1 << 20) -> list[HandshakeError | None]:
    """Start both ends and carry their bytes, at most `size` at a time, until both are quiet.

    Returns the client's and the server's error.
    """
    errors: list[HandshakeError | None] = [None, None]
    server.start()
    client.start()
    moved = True
    while moved:
        moved = False
        for index, (source, sink) in enumerate(((server, client), (client, server))):
            data = source.send()
            moved = moved or bool(data)
            for start in range(0, len(data), size):
                try:
                    sink.receive(data[start : start + size])
                except HandshakeError as error:
                    assert errors[index] is None, "an end failed twice"
                    errors[index] = error
    return errors


def live_connections() -> int:
    """Count the TLS connections that exist."""
    return sum(type(each) is SSL.Connection for each in gc.get_objects())
