"""The numbers of Dask's comm hold together."""

from __future__ import annotations

from fastmux.constants import MAX_LABEL_SIZE
from fastmux.dask import constants as c


def test_a_frame_that_is_joined_is_never_mapped() -> None:
    assert c.JOINED_SIZE < c.MAPPED_SIZE


def test_a_process_may_open_more_comms_than_dask_pools() -> None:
    assert c.MAX_STREAMS >= 2 * 512


def test_an_address_fits_where_it_is_told() -> None:
    longest = "x" * 200 + ":65535"
    assert len(longest) < min(c.MAX_HELLO_SIZE, MAX_LABEL_SIZE)
