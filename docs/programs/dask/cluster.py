"""A cluster of two workers that talk over fastmux."""

from typing import Any

import distributed

import fastmux.dask

# Dask has no types.
Client: Any = distributed.Client
LocalCluster: Any = distributed.LocalCluster
Security: Any = fastmux.dask.Security


def square(number: int) -> int:
    return number * number


def main() -> None:
    security = Security(
        require_encryption=True,
        tls_ca_file="keys/ca.pem",
        tls_scheduler_cert="keys/node.pem",
        tls_scheduler_key="keys/node.key",
        tls_worker_cert="keys/node.pem",
        tls_worker_key="keys/node.key",
        tls_client_cert="keys/client.pem",
        tls_client_key="keys/client.key",
    )
    options = {"protocol": "fastmux://", "host": "127.0.0.1", "dashboard_address": None}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, security=security, **options) as cluster,
        Client(cluster, security=security) as client,
    ):
        squares = client.gather(client.map(square, range(10)))
        print(cluster.scheduler_address.partition(":")[0], sum(squares))


if __name__ == "__main__":
    main()
