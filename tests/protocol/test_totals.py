"""Sums over connections, of which some are over."""

from __future__ import annotations

import dataclasses
import inspect

from fastmux.protocol.configuration import Configuration
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.statistics import ConnectionStatistics, gather
from fastmux.protocol.totals import CONNECTIONS, COUNTS, Totals
from fastmux.protocol.traffic import Traffic
from protocol.joined import data_path


def figures(**changes: int) -> ConnectionStatistics:
    path = data_path(True)
    nothing = gather(path, Traffic(path, RttEstimator(), Configuration(), bytes), 0.0)
    return dataclasses.replace(nothing, **changes)


def test_every_count_that_is_documented_as_one_is_summed() -> None:
    text = "\n" + (inspect.getdoc(ConnectionStatistics) or "")  # from CPython 3.13 on without indentation
    items = text.split("\n* ")[1:]
    counts = {
        name.strip("`")
        for item in items
        if "*count" in item
        for name in item.partition(":")[0].replace(",", " ").split()
    }
    counts |= {"channels_opened", "streams_opened"}  # of a line that begins with a figure of now
    assert set(COUNTS) == counts - {"channel_count"}


def test_every_figure_is_documented_once() -> None:
    text = ConnectionStatistics.__doc__ or ""
    for field in dataclasses.fields(ConnectionStatistics):
        assert text.count(f"`{field.name}`") >= 1, field.name


def test_what_ended_stays_in_the_sums() -> None:
    totals = Totals()
    totals.end(figures(packets_sent=10, glitches=1))
    totals.end(figures(packets_sent=5))
    sums = totals.with_open([figures(packets_sent=100)])
    assert sums["packets_sent"] == 115
    assert sums["glitches"] == 1
    assert sums[CONNECTIONS] == 3
    assert totals.with_open()[CONNECTIONS] == 2
