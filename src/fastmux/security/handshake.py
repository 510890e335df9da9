"""TLS 1.3 over memory BIOs: bytes in, bytes out, then the keys of the connection.

Owns: one OpenSSL connection until its handshake is confirmed. May not know: packets, sockets, time.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from OpenSSL import SSL, crypto

from fastmux.constants import (
    ALPN,
    EXPORTER_LABEL,
    MAX_HANDSHAKE_BUFFER,
    MAX_HANDSHAKE_BUFFER_AFTER,
    VERSION_1,
)
from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.protocol.handshake import PacketKeys, PeerIdentity
from fastmux.security import keys
from fastmux.security.alerts import explain
from fastmux.security.config import TLSConfig
from fastmux.security.confirmation import ConfirmationReader, encode_confirmation
from fastmux.security.contexts import NoCommonProtocol, context_for
from fastmux.security.keylog import KeyLog, key_log
from fastmux.security.names import parse_host
from fastmux.security.plaintext import HELLO_MAGIC
from fastmux.security.suites import SUITES
from fastmux.security.verification import PeerVerifier

_READ_SIZE: Final = 16384  # bytes: one TLS record


class TLSHandshake:
    """One end of a mutual TLS 1.3 handshake (the `Handshake` interface).

    Invariant: `_tls` is None before `start()`, after an error and after `close()`; `_peer` is set
    only when TLS is complete here and the verifier passed the very certificate that TLS
    authenticated. `_held` are bytes of a server that is complete: the tickets of TLS, which OpenSSL
    makes though nobody resumes. They go only before bytes that cannot be read without them.
    """

    def __init__(self, config: TLSConfig, is_client: bool, server_hostname: str | None = None) -> None:
        """`server_hostname` is what a client connects to; the configuration's name goes before it.

        Raises ValueError if a client has no name to expect or a file's content is of no use,
        OSError if a file cannot be read.
        """
        name = config.server_hostname or server_hostname
        self._is_client = is_client
        self._host = parse_host(name) if is_client and name else None
        self._verifier = PeerVerifier(is_client, self._host, config.pins, os.fspath(config.cafile))
        self._context: SSL.Context | None = context_for(config)
        self._tls: SSL.Connection | None = None
        self._out = bytearray()
        self._held = b""
        self._received_size = 0
        self._suite = 0
        self._peer: PeerIdentity | None = None
        self._confirmation = ConfirmationReader()

    @property
    def is_complete(self) -> bool:
        """True once TLS is complete on this side and the peer's identity passed."""
        return self._peer is not None

    @property
    def peer(self) -> PeerIdentity | None:
        """The verified peer, None until complete."""
        return self._peer

    @property
    def version(self) -> int:
        """Version 1 of the wire."""
        return VERSION_1

    @property
    def peer_context(self) -> bytes | None:
        """The context that the peer confirmed, None until it came."""
        return self._confirmation.context

    def start(self) -> None:
        """Begin; a client's ClientHello is in `send()` afterwards."""
        if self._context is None:
            raise HandshakeError("this handshake has been started already")
        self._tls = SSL.Connection(self._context, None)
        self._context = None
        self._tls.set_app_data(self._verifier)
        if not self._is_client:
            self._tls.set_accept_state()
            return
        self._tls.set_connect_state()
        if isinstance(self._host, str):  # an address is no server name (RFC 6066 §3)
            self._tls.set_tlsext_host_name(self._host.encode("ascii"))
        self._advance()

    def receive(self, data: bytes) -> None:
        """Take the peer's next bytes; after `close()` or an error they are dropped.

        Raises AuthenticationError, or HandshakeError for what is not about a proof of identity.
        An alert that this end owes the peer is in `send()` then.
        """
        if self._tls is None or not data:
            return
        try:
            self._count(data)
        except HandshakeError:
            self.close()
            raise
        self._tls.bio_write(data)
        self._advance()

    def send(self) -> bytes:
        """Give the bytes to send and forget them; b"" if there are none."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def packet_keys(self, context: bytes) -> PacketKeys:
        """Derive the application keys by the TLS exporter (RFC 8446 §7.5), bound to `context`.

        Raises HandshakeError before completion and after `close()`.
        """
        tls = self._completed()
        size = keys.secret_size(self._suite)
        secrets = tls.export_keying_material(EXPORTER_LABEL, 2 * size, context)
        found = keys.traffic_keys(secrets[:size], secrets[size:], self._suite, self._is_client)
        log = key_log()
        return found if log is None else self._logged(found, log, tls.client_random() or b"")

    def _logged(self, found: PacketKeys, log: KeyLog, client_random: bytes) -> PacketKeys:
        """Write the secrets to the key log, and let those of later phases follow."""
        is_client = self._is_client

        def write(count: int, send: bytes, receive: bytes) -> None:
            log.traffic(count, client_random, (send, receive) if is_client else (receive, send))

        write(0, found.send_secret, found.receive_secret)
        return replace(found, log=write)

    def confirm(self, context: bytes) -> None:
        """Queue the confirmation of `context` (32 bytes) as TLS application data.

        Raises HandshakeError before completion and after `close()`, ValueError for another size.
        """
        tls = self._completed()
        tls.send(encode_confirmation(context))
        self._drain(tls)

    def close(self) -> None:
        """Drop the TLS connection; what waits in `send()` stays, later bytes are ignored."""
        self._tls = None
        self._context = None

    def _completed(self) -> SSL.Connection:
        if self._tls is None or self._peer is None:
            raise HandshakeError("the handshake is not complete, or was closed")
        return self._tls

    def _count(self, data: bytes) -> None:
        is_first = not self.is_complete and not self._received_size
        if is_first and HELLO_MAGIC.startswith(data[: len(HELLO_MAGIC)]):
            raise HandshakeError("the peer is set to PLAINTEXT, this end to TLS: set both to the same")
        self._received_size += len(data)
        limit = MAX_HANDSHAKE_BUFFER_AFTER if self.is_complete else MAX_HANDSHAKE_BUFFER
        if self._received_size > limit:
            raise HandshakeError(f"the peer sent more than {limit} bytes of handshake")

    def _advance(self) -> None:
        """Let OpenSSL work on what came; on failure drop the connection and raise.

        The error is raised where nothing refers to the connection any more: whoever keeps the error
        must not keep the connection's secrets with it.
        """
        failure = self._work()
        if failure is not None:
            self.close()
            raise failure

    def _work(self) -> HandshakeError | None:
        tls = self._tls
        if tls is None:
            return None
        certificate_sent = self.is_complete or not self._is_client
        unsent_size = len(self._out)
        failure: HandshakeError | None = None
        try:
            self._step(tls)
        except SSL.Error as error:
            refusal = self._verifier.refusal
            failure = _fresh(refusal) if refusal else explain(error, certificate_sent)
        except HandshakeError as error:
            failure = _fresh(error)
            if self._verifier.refusal is None:  # no alert was sent: close_notify is all there is
                tls.shutdown()
        self._drain(tls)
        if failure is None and self.is_complete and not self._is_client:
            self._held = bytes(self._out[unsent_size:])
            del self._out[unsent_size:]
        return failure

    def _step(self, tls: SSL.Connection) -> None:
        try:
            if not self.is_complete:
                self._shake(tls)
            while True:
                self._confirmation.feed(tls.recv(_READ_SIZE))
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            if self.peer_context is None:
                raise HandshakeError("the peer closed the handshake without giving a reason") from None

    def _shake(self, tls: SSL.Connection) -> None:
        # A callback's exception lies with the context, so that another thread's connection may
        # be the one to meet it. It is not about this one unless this one has a refusal.
        try:
            tls.do_handshake()
        except NoCommonProtocol:
            if self._verifier.refusal is not None:
                raise _fresh(self._verifier.refusal) from None
            tls.do_handshake()
        if tls.get_alpn_proto_negotiated() != ALPN:
            raise HandshakeError(f"the peer does not speak {ALPN.decode()} (no application protocol)")
        identity = self._verifier.identity
        certificate = tls.get_peer_certificate()
        if identity is None or certificate is None:
            raise AuthenticationError("the peer sent no certificate")
        if crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) != identity.certificate:
            raise AuthenticationError("the peer's certificate is not the one that was verified")
        self._suite = SUITES[tls.get_cipher_name() or ""]
        self._received_size = 0
        self._peer = identity

    def _drain(self, tls: SSL.Connection) -> None:
        self._out += self._held
        self._held = b""
        size = _READ_SIZE
        while size == _READ_SIZE:  # a memory BIO gives less only if it has no more
            try:
                data = tls.bio_read(_READ_SIZE)
            except SSL.WantReadError:
                return
            self._out += data
            size = len(data)


def _fresh(error: HandshakeError) -> HandshakeError:
    """Make the error anew, without the traceback whose frames refer to the connection."""
    return type(error)(*error.args)
