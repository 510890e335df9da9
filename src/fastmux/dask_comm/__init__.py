"""Dask's comm over fastmux. Its public names are those of `fastmux.dask`."""
