"""How a stream becomes a comm: what its label says, what the acceptor answers, and who may claim an address.

Owns: label and answer, and the judgement of a claim. May not know: the pool, Dask's handshake.

The opener's label is "dask", or "dask HOST:PORT" with the address that its own process listens at: then the
acceptor may open comms to that address over the same connection. The acceptor's answer, a length byte and
that many bytes, is the address that it sees the opener at; a stream that is reset instead was refused.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from distributed.comm.addressing import parse_host_port, unparse_host_port

from fastmux import EndOfStream, PeerIdentity, Stream
from fastmux.dask.constants import MAX_HELLO_SIZE
from fastmux.dask.frames import FrameError
from fastmux.security.names import matches, parse_host

LABEL = "dask"
_MAX_LABEL_SIZE = 255

Address = tuple[str, int]


def make_label(listening_at: Address | None) -> str:
    """The label of a stream that is to be a comm."""
    if listening_at is None:
        return LABEL
    label = f"{LABEL} {unparse_host_port(*listening_at)}"
    return label if len(label.encode()) <= _MAX_LABEL_SIZE else LABEL


def is_comm(label: str) -> bool:
    """Whether a stream with this label is to be a comm."""
    return label == LABEL or label.startswith(f"{LABEL} ")


def claimed_address(label: str) -> Address | None:
    """The address that the opener says it listens at; None if it says none, or nothing that can be one."""
    text = label.removeprefix(LABEL).strip()
    if not text:
        return None
    try:
        host, port = parse_host_port(text)
        parse_host(host)
    except ValueError:
        return None
    return (host, port) if 0 < port < 65536 else None


def may_answer_for(peer: PeerIdentity, seen_at: Address, claimed: Address, hostname: str | None) -> bool:
    """Whether a peer proved what a server at the claimed address would have to.

    Its certificate may act as a server and has the name that a connector would ask for: the claimed host, or
    `hostname` where all servers have one name. Without certificates, it must be seen at the claimed address.
    """
    if not peer.certificate:
        return seen_at[0] == claimed[0]
    certificate = x509.load_der_x509_certificate(peer.certificate)
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    wanted = parse_host(hostname or claimed[0])
    return ExtendedKeyUsageOID.SERVER_AUTH in usages and matches(wanted, peer.dns_names, peer.ip_addresses)


async def send_answer(stream: Stream, seen_at: Address) -> None:
    """Accept a comm: tell its opener where it is seen. Raises as `Stream.send`."""
    text = unparse_host_port(*seen_at).encode()[:MAX_HELLO_SIZE]
    await stream.send(bytes([len(text)]) + text)


async def receive_answer(stream: Stream) -> str:
    """Wait until a comm is accepted; returns the address that this end is seen at, "HOST:PORT".

    Raises as `Stream.receive`, and FrameError for what is no address.
    """
    try:
        (size,) = await stream.receive(1)
        text = b""
        while len(text) < size:
            text += await stream.receive(size - len(text))
        answer = text.decode()
        parse_host_port(answer)
    except (ValueError, EndOfStream) as error:
        raise FrameError("the peer's answer is no address") from error
    return answer
