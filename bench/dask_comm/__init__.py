"""Dask's comms: what moves data between its workers, over each scheme beside the others."""
