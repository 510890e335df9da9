"""A deterministic network in memory: a virtual clock, seeded faults, endpoints driven until something holds.

`Network(seed)` holds any number of nodes, each an `Endpoint` at an address. Every direction between two
nodes has `Conditions`. With scripted handshakes a seed replays bit for bit: `trace` says so.
"""

from network.conditions import Conditions
from network.link import Link
from network.node import Node
from network.trace import Trace
from network.world import Intruder, Network, Stuck, Watcher, Way

__all__ = ["Conditions", "Intruder", "Link", "Network", "Node", "Stuck", "Trace", "Watcher", "Way"]
