"""How a fleet of hosts behind a load balancer spreads connections, and what a change costs: simulated.

    python -m bench.fleet [--connections 1000000] [--hosts 100] [--workers 8] [--roaming 0.1] [--seed 1]

Owns the balancers that are compared and the table. A balancer that reads connection ids does it with
fastmux's own `RoutableIds`, one id for each connection; the others see a random 64-bit hash of addresses and
ports. A connection is broken when its packets reach a host that does not have it. No time, no sockets.
"""

import argparse
import hashlib
import time
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastmux.protocol.connection_ids import worker_of
from fastmux.protocol.routable_ids import RoutableIds

MAGLEV_TABLE_SIZE = 65537  # a prime, as in the paper
SERVER_ID_SIZE = 2

Hosts = npt.NDArray[np.int64]  # a host for each connection, or for each slot of a table
Hashes = npt.NDArray[np.uint64]
Choose = Callable[[Hashes, Hosts], Hosts]  # hashes and the live hosts -> a host for each


class Costs(NamedTuple):
    """Broken connections by event; and the spread over the hosts before it."""

    counts: Hosts  # connections by host
    lost_with_host: int  # on the host that was lost
    lost_elsewhere: int  # on hosts that were not lost
    broken_by_growth: int  # by one host more
    broken_by_roaming: int  # by clients whose address changed


def random_hashes(dice: Random, count: int) -> Hashes:
    """Hashes of addresses and ports; not by numpy's dice, whose numbers may change with its version."""
    return np.frombuffer(dice.randbytes(8 * count), "<u8").astype(np.uint64)


def by_modulo(hashes: Hashes, live: Hosts) -> Hosts:
    """The hash of addresses and ports, modulo the number of hosts."""
    return np.take(live, hashes % np.uint64(len(live)))


def by_maglev(hashes: Hashes, live: Hosts) -> Hosts:
    """Consistent hashing by a table (Eisenbud and others, "Maglev", NSDI 2016, §3.4)."""
    return np.take(maglev_table(live), hashes % np.uint64(MAGLEV_TABLE_SIZE))


def maglev_table(live: Hosts) -> Hosts:
    """Every host in turn takes the next slot of its own permutation that is still free."""
    size = MAGLEV_TABLE_SIZE
    digests = [hashlib.sha256(b"host %d" % host).digest() for host in live]
    positions = [int.from_bytes(digest[:8], "big") % size for digest in digests]
    skips = [int.from_bytes(digest[8:16], "big") % (size - 1) + 1 for digest in digests]
    table = np.full(size, -1, np.int64)
    taken = bytearray(size)
    turn = 0
    for _ in range(size):
        position, skip = positions[turn], skips[turn]
        while taken[position]:
            position = (position + skip) % size
        taken[position] = 1
        table[position] = live[turn]
        positions[turn] = position
        turn = (turn + 1) % len(live)
    return table


def costs_by_address(choose: Choose, hashes: Hashes, moved: Hashes, hosts: int) -> Costs:
    """A balancer that knows addresses only; `moved` are the new hashes of the first clients, which roamed."""
    live = np.arange(hosts)
    before = choose(hashes, live)
    lost = hosts // 2
    after_loss = choose(hashes, live[live != lost])
    return Costs(
        counts=np.bincount(before, minlength=hosts),
        lost_with_host=int((before == lost).sum()),
        lost_elsewhere=int(((before != lost) & (after_loss != before)).sum()),
        broken_by_growth=int((choose(hashes, np.arange(hosts + 1)) != before).sum()),
        broken_by_roaming=int((choose(moved, live) != before[: len(moved)]).sum()),
    )


def costs_by_id(hashes: Hashes, moved: Hashes, hosts: int, dice: Random) -> Costs:
    """A balancer that places new clients by Maglev and reads the host from every later packet's id.

    Each connection gets an id from its host; the balancer reads it back once for each event.
    """
    placed = by_maglev(hashes, np.arange(hosts))
    schemes = [RoutableIds(host.to_bytes(SERVER_ID_SIZE, "big")) for host in range(hosts + 1)]
    ids = [schemes[host].make(dice.randbytes) for host in placed]
    read = schemes[0].server_of
    found = np.array([int.from_bytes(read(each) or b"\xff\xff", "big") for each in ids])
    lost = hosts // 2
    return Costs(
        counts=np.bincount(found, minlength=hosts),
        lost_with_host=int((found == lost).sum()),
        lost_elsewhere=int((found != placed).sum()),
        broken_by_growth=int((found != placed).sum()),
        broken_by_roaming=int((found[: len(moved)] != placed[: len(moved)]).sum()),
    )


def fleet_table(costs: dict[str, Costs], connections: int, roaming: int) -> str:
    """What each balancer costs, in connections and in percent of all."""

    def share(count: int) -> str:
        return f"{count:,} ({count / connections:.2%})"

    lines = [
        "| balancer | busiest ÷ mean | idlest ÷ mean | a host is lost: its own | and others' | "
        f"a host is added | {roaming:,} clients roam |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, each in costs.items():
        mean = connections / len(each.counts)
        figures = (each.lost_with_host, each.lost_elsewhere, each.broken_by_growth, each.broken_by_roaming)
        lines.append(
            f"| {name} | {each.counts.max() / mean:.3f} | {each.counts.min() / mean:.3f} | "
            + " | ".join(map(share, figures))
            + " |"
        )
    return "\n".join(lines)


def worker_spread(first_ids: list[bytes], hosts: Hosts, workers: int) -> tuple[float, float]:
    """Busiest and idlest worker of the whole fleet, over the mean, when each host steers by the first id."""
    places = hosts * workers + np.array([worker_of(each, workers) for each in first_ids])
    counts = np.bincount(places, minlength=(int(hosts.max()) + 1) * workers)
    return float(counts.max() / counts.mean()), float(counts.min() / counts.mean())


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="spread and costs of a fleet behind a load balancer")
    parser.add_argument("--connections", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--workers", type=int, default=8, help="on each host")
    parser.add_argument("--roaming", type=float, default=0.1, help="share of clients whose address changes")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    connections, hosts = arguments.connections, arguments.hosts
    started = time.perf_counter()
    dice = Random(arguments.seed)
    hashes = random_hashes(dice, connections)
    moved = random_hashes(dice, int(connections * arguments.roaming))
    costs = {
        "hash of addresses modulo hosts": costs_by_address(by_modulo, hashes, moved, hosts),
        "Maglev by hash of addresses": costs_by_address(by_maglev, hashes, moved, hosts),
        "server id in the connection id": costs_by_id(hashes, moved, hosts, dice),
    }
    print(f"{connections:,} connections, {hosts} hosts, seed {arguments.seed}; broken connections:\n")
    print(fleet_table(costs, connections, len(moved)))
    first_ids = [dice.randbytes(8) for _ in range(connections)]
    busiest, idlest = worker_spread(first_ids, by_maglev(hashes, np.arange(hosts)), arguments.workers)
    print(f"\n{arguments.workers} workers a host: busiest ÷ mean {busiest:.3f}, idlest ÷ mean {idlest:.3f}")
    reader = RoutableIds(bytes(SERVER_ID_SIZE))
    servers = [reader.server_of(each) for each in first_ids]
    mistaken = sum(each is not None and int.from_bytes(each, "big") < hosts for each in servers)
    print(f"first ids of clients that look like a host's: {mistaken}")
    print(f"{time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
