"""Dask over fastmux: `fastmux://` addresses, for the `distributed` package.

Owns: the public names of this adapter. May not know: how it works (`fastmux.dask_comm` does).

The entry point `distributed.comm.backends` makes the scheme known wherever fastmux is installed:

    cluster = LocalCluster(protocol="fastmux://", security=fastmux.dask.Security(tls_ca_file=…, …))

All comms between two processes share one authenticated connection, each a stream of its own. Certificates
come from `Security`, or from Dask's configuration (`docs/how-to/dask.md`).
"""

from __future__ import annotations

try:
    import distributed as _distributed
except ImportError as error:
    raise ImportError("fastmux.dask needs Dask's distributed: pip install 'fastmux[dask]'") from error

from fastmux.dask_comm.backend import FastmuxBackend
from fastmux.dask_comm.security import Security

__all__ = ["FastmuxBackend", "Security"]

del _distributed
