"""One side of one workload over aioquic.

    python -m bench.peers.aioquic server|client --workload W --certificates DIR [--port N] [--loop uvloop] …

Chosen from its documentation: datagrams of 1,452 bytes (the default is 1,200), windows of 16 MiB (1 MiB),
AES-128-GCM, and the asyncio API with a callback an event. The socket buffers of 4 MiB are not an option of
aioquic: they are set on its socket.

It tells in no public way how much of a connection is unsent: that is what was queued less what it counts
against the peer's MAX_DATA. Streams are 128 at most; more wait within the library. It cannot ask a client for
a certificate (its server can only "for test purposes", without looking at what comes), so only the server is
authenticated.

Owns what is particular to aioquic. Knows no workload.
"""

from bench.peers import quic
from bench.peers.datagram import DatagramLibrary
from bench.peers.quic_link import DatagramLink

MAX_STREAMS = 128


def _backlog(link: DatagramLink) -> int:
    return link.queued_size - int(link.quic._remote_max_data_used)


def _may_open(link: DatagramLink) -> bool:
    return True


def _cipher(link: DatagramLink) -> str:
    return str(link.quic.tls.key_schedule.cipher_suite.name)


if __name__ == "__main__":
    quic.main(DatagramLibrary("aioquic", MAX_STREAMS, _backlog, _may_open, _cipher))
