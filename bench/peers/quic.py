"""The workloads over a QUIC library that tells events: aioquic, qh3 and aiopquic.

All three are driven by the way that aioquic documents with its HTTP/3 example: a callback an event and
`send_stream_data`. Their StreamReader and StreamWriter only add a copy and a task switch to that. Messages go
length-prefixed on one stream: with a stream for each, every message would cost a stream more.

None of them can ask the client for a certificate, so their handshakes are cheaper than mutual ones. A QUIC
connection stays for three probe timeouts after its close (RFC 9000 section 10.2): in `handshakes` that goes
on beside the next connections.

Owns the command line of these workers. Knows no library.
"""

from bench import worker
from bench.peers.quic_client import CLIENTS
from bench.peers.quic_link import Library
from bench.peers.quic_server import serve


def main(library: Library) -> None:
    """Parse the options and run one side."""
    options = worker.parser(f"one side of one workload over {library.name}").parse_args()
    if options.role == "server":
        worker.run(serve(options, library), options)
    else:
        worker.run(CLIENTS[options.workload](options, library), options)
