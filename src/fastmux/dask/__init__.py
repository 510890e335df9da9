"""Dask over fastmux: `fastmux://` addresses, for the `distributed` package.

Owns: its public names. Needs the extra: pip install 'fastmux[dask]'. The entry point
`distributed.comm.backends` makes the scheme known wherever fastmux is installed:

    cluster = LocalCluster(protocol="fastmux://", security=fastmux.dask.Security(tls_ca_file=…, …))

All comms between two processes share one authenticated connection, each a stream of its own. Certificates
come from `Security`, or from Dask's configuration.
"""

from __future__ import annotations

try:
    import distributed as _distributed
except ImportError as error:
    raise ImportError(
        f"fastmux.dask needs Dask ({error}); remedy: pip install 'fastmux[dask]'", name="distributed"
    ) from error

from fastmux.dask.backend import FastmuxBackend
from fastmux.dask.security import Security

__all__ = ["FastmuxBackend", "Security"]

del _distributed
