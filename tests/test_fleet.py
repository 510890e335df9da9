"""The simulation of a fleet tells its balancers apart, and its tables are what their sources say."""

from __future__ import annotations

from random import Random

import numpy as np

from bench.fleet import (
    MAGLEV_TABLE_SIZE,
    Costs,
    by_maglev,
    by_modulo,
    costs_by_address,
    costs_by_id,
    fleet_table,
    maglev_table,
    random_hashes,
    worker_spread,
)

CONNECTIONS, HOSTS, ROAMING = 20_000, 20, 2_000
HASHES = random_hashes(Random(7), CONNECTIONS)
MOVED = random_hashes(Random(8), ROAMING)


def is_even(costs: Costs) -> bool:
    """Six standard deviations of the number on one host."""
    mean = CONNECTIONS / HOSTS
    return bool(np.abs(costs.counts - mean).max() < 6 * mean**0.5)


def test_a_modulo_of_hosts_moves_nearly_everybody() -> None:
    costs = costs_by_address(by_modulo, HASHES, MOVED, HOSTS)
    assert is_even(costs)
    assert costs.lost_with_host == costs.counts[HOSTS // 2]
    assert costs.lost_elsewhere > 0.85 * CONNECTIONS
    assert costs.broken_by_growth > 0.9 * CONNECTIONS
    assert costs.broken_by_roaming > 0.9 * ROAMING


def test_maglev_moves_few_but_every_roaming_client() -> None:
    costs = costs_by_address(by_maglev, HASHES, MOVED, HOSTS)
    assert is_even(costs)
    assert 0 < costs.lost_elsewhere < 0.05 * CONNECTIONS
    assert CONNECTIONS / (HOSTS + 1) * 0.8 < costs.broken_by_growth < 0.1 * CONNECTIONS
    assert costs.broken_by_roaming > 0.9 * ROAMING


def test_a_server_id_costs_the_connections_of_the_lost_host_and_no_others() -> None:
    costs = costs_by_id(HASHES, MOVED, HOSTS, Random(7))
    assert is_even(costs)
    assert costs.lost_with_host == costs.counts[HOSTS // 2]
    assert (costs.lost_elsewhere, costs.broken_by_growth, costs.broken_by_roaming) == (0, 0, 0)


def test_a_maglev_table_is_full_and_even_and_changes_little() -> None:
    live = np.arange(HOSTS)
    table = maglev_table(live)
    counts = np.bincount(table)
    assert len(table) == MAGLEV_TABLE_SIZE
    assert counts.max() - counts.min() <= 1
    smaller = maglev_table(live[live != 4])
    assert 4 not in smaller
    assert ((table != smaller) & (table != 4)).mean() < 0.05


def test_workers_are_even_within_each_host() -> None:
    dice = Random(8)
    first_ids = [dice.randbytes(8) for _ in range(CONNECTIONS)]
    busiest, idlest = worker_spread(first_ids, by_maglev(HASHES, np.arange(HOSTS)), 4)
    assert 0.6 < idlest < 1 < busiest < 1.4


def test_the_table_has_a_row_for_each_balancer() -> None:
    costs = Costs(np.array([60, 40]), 60, 1, 2, 3)
    table = fleet_table({"one": costs, "two": costs}, 100, 10)
    row = "| 1.200 | 0.800 | 60 (60.00%) | 1 (1.00%) | 2 (2.00%) | 3 (3.00%) |"
    assert table.splitlines()[2:] == ["| one " + row, "| two " + row]
