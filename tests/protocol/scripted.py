"""A handshake by script: fixed flights, keys from a seed, no randomness. It stands in for TLS in most tests.

Records are a kind (2 bytes), a length (4 bytes) and a body that is checked, so that a byte out of place is
found.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

from fastmux import constants as c
from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.protocol.handshake import PacketKeys, PeerIdentity

HELLO, SERVER, FINISH, ALERT, CONFIRM = b"CH", b"SF", b"CF", b"AL", b"OK"
_HEADER_SIZE = 6


class Fail(Enum):
    """Where a scripted handshake fails."""

    NEVER = "never"
    CLIENT_REJECTS = "the client does not accept the server"
    SERVER_REJECTS = "the server does not accept the client"
    SERVER_HELLO = "the server has nothing in common with the client"
    CONTEXT = "each end confirms a context of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Sizes of the three flights in bytes, the suite of the keys, their seed, and where it fails."""

    hello_size: int = 300
    server_size: int = 900
    finish_size: int = 900
    suite: int = c.SUITE_NULL
    seed: bytes = b"seed"
    fail: Fail = Fail.NEVER
    version: int = c.VERSION_1


SMALL = Script()
NINE_CERTIFICATES = Script(hello_size=1500, server_size=9000, finish_size=9000)


class ScriptedHandshake:
    """One end (the `Handshake` interface)."""

    def __init__(self, is_client: bool, script: Script = SMALL) -> None:
        self._is_client = is_client
        self._script = script
        self._out = bytearray()
        self._in = bytearray()
        self._peer_context: bytes | None = None
        self._is_complete = False

    @property
    def is_complete(self) -> bool:
        return self._is_complete

    @property
    def peer(self) -> PeerIdentity | None:
        name = "server" if self._is_client else "client"
        return PeerIdentity(common_name=name) if self._is_complete else None

    @property
    def version(self) -> int:
        return self._script.version

    @property
    def peer_context(self) -> bytes | None:
        return self._peer_context

    def start(self) -> None:
        if self._is_client:
            self._write(HELLO, self._body(HELLO))

    def send(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> None:
        self._in += data
        while len(self._in) >= _HEADER_SIZE:
            size = int.from_bytes(self._in[2:_HEADER_SIZE], "big")
            if len(self._in) < _HEADER_SIZE + size:
                return
            kind = bytes(self._in[:2])
            body = bytes(self._in[_HEADER_SIZE : _HEADER_SIZE + size])
            del self._in[: _HEADER_SIZE + size]
            self._take(kind, body)

    def packet_keys(self, context: bytes) -> PacketKeys:
        size = c.SUITE_KEY_SIZES[self._script.suite]
        ends = [self._derive(context, end, size) for end in (b"client", b"server")]
        (key, iv, secret), (peer_key, peer_iv, peer_secret) = ends if self._is_client else ends[::-1]
        return PacketKeys(self._script.suite, key, iv, peer_key, peer_iv, secret, peer_secret)

    def confirm(self, context: bytes) -> None:
        if self._script.fail is Fail.CONTEXT:
            context = bytes((self._is_client,)) * 32
        self._write(CONFIRM, context)

    def _take(self, kind: bytes, body: bytes) -> None:
        if kind == ALERT:
            raise AuthenticationError(f"the peer's alert: {body.decode(errors='replace')}")
        if kind == CONFIRM:
            self._peer_context = body
            return
        if kind not in ((SERVER,) if self._is_client else (HELLO, FINISH)):
            raise HandshakeError("a record that has no place here")
        if body != self._body(kind):
            raise HandshakeError("the flight is not the one of the script")
        fail = self._script.fail
        if kind == HELLO:
            self._fail_if(fail is Fail.SERVER_HELLO)
            self._write(SERVER, self._body(SERVER))
        elif kind == SERVER:
            self._fail_if(fail is Fail.CLIENT_REJECTS)
            self._write(FINISH, self._body(FINISH))
            self._is_complete = True
        elif kind == FINISH:
            self._fail_if(fail is Fail.SERVER_REJECTS)
            self._is_complete = True

    def _fail_if(self, fails: bool) -> None:
        if fails:
            self._write(ALERT, self._script.fail.value.encode())
            raise AuthenticationError(self._script.fail.value)

    def _body(self, kind: bytes) -> bytes:
        size = {
            HELLO: self._script.hello_size,
            SERVER: self._script.server_size,
            FINISH: self._script.finish_size,
        }[kind]
        return hashlib.shake_128(self._script.seed + kind).digest(size - _HEADER_SIZE)

    def _write(self, kind: bytes, body: bytes) -> None:
        self._out += kind + len(body).to_bytes(4, "big") + body

    def _derive(self, context: bytes, end: bytes, size: int) -> tuple[bytes, bytes, bytes]:
        """Key, IV and the secret of key updates."""
        digest = hashlib.shake_128(self._script.seed + end + context).digest(size + c.IV_SIZE + 48)
        secret_size = 48 if self._script.suite == c.SUITE_AES_256_GCM else 32
        secret = digest[size + c.IV_SIZE :][:secret_size] if size else b""
        return digest[:size], digest[size : size + c.IV_SIZE], secret
