"""One side of one workload over qh3.

    python -m bench.peers.qh3 server|client --workload W --certificates DIR [--port N] [--loop uvloop] …

Chosen from its documentation: datagrams of 1,452 bytes and no search for larger ones (on the loopback it
would find 64 KiB, and the others may not have them), windows of 16 MiB, AES-128-GCM, the asyncio API with a
callback an event, whose transport uses GSO and GRO by itself (at the client; its server has none), and
`get_send_buffer_size`, which it has for holding a sender back. The socket buffers of 4 MiB are set on its
socket. Its datagrams of stream data are 1,423 bytes then.

Streams are 100 at most, and it refuses one more: the workloads wait for the peer to let them open it. It has
no client certificates on the server, so only the server is authenticated.

Owns what is particular to qh3. Knows no workload.
"""

from bench.peers import quic
from bench.peers.datagram import DatagramLibrary
from bench.peers.quic_link import DatagramLink

MAX_STREAMS = 100


def _backlog(link: DatagramLink) -> int:
    return int(link.quic.get_send_buffer_size())


def _may_open(link: DatagramLink) -> bool:
    next_number = int(link.quic.get_next_available_stream_id()) // 4
    return next_number < int(link.quic.max_concurrent_bidi_streams)


def _cipher(link: DatagramLink) -> str:
    return str(link.quic.get_cipher().name)


if __name__ == "__main__":
    settings = {"probe_datagram_size": False}
    quic.main(DatagramLibrary("qh3", MAX_STREAMS, _backlog, _may_open, _cipher, settings))
