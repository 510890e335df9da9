"""The peers that fastmux is measured beside, each a worker that is started as `python -m bench.peers.<name>`.

Every worker takes the options of `bench.worker` and says in its docstring which of the peer's options it
uses, and why. A workload that a peer is not listed with is one that it cannot do, or that would be
another thing there; the docstring says which.
"""

_ALL = frozenset(
    ("bulk", "streams", "pingpong", "echoes", "churn", "messages", "small-messages", "handshakes")
)

PEERS: dict[str, tuple[str, frozenset[str]]] = {
    "aioquic": ("aioquic", _ALL),
    "qh3": ("qh3", _ALL),
    "aiopquic": ("aiopquic", _ALL),
    "websockets": ("websockets", _ALL - {"streams", "churn"}),
    "pyzmq": ("pyzmq", _ALL - {"streams", "churn"}),
    "enet": ("pyenet313", _ALL - {"churn", "handshakes"}),
}
"""Name of the worker: its distribution, and the workloads that it has."""
