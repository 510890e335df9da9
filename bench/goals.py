"""What fastmux must reach, and what it aims at, as ratios within one run wherever that is possible.

Owns the table of goals. Knows nothing of how they are measured (scenarios.py) or judged (verdicts.py).
"""

from dataclasses import dataclass
from typing import Literal

from bench.contenders import FLOOR, dask_name, fastmux_name, raw_name, tls_name
from bench.scenarios import (
    BASE,
    CLEAN_LINK,
    FASTMUX_FORWARD,
    IDLE,
    LINK_RATE,
    LOSSY,
    RARELY_LOSSY,
    SSH_FORWARD,
    SSH_GCM_FORWARD,
)

Sense = Literal["at least", "at most", "apart"]
ASYNCIO, UVLOOP = fastmux_name("asyncio"), fastmux_name("uvloop")
TLS = tls_name()
DASK, DASK_TLS = dask_name("fastmux"), dask_name("tls")
LINK_BYTES = LINK_RATE / 8 / 1e6  # MB/s, headers and all


@dataclass(frozen=True, slots=True)
class Goal:
    """One line: `metric` of contender `of`, over that of `to` in the same round if given, times `factor`.

    "apart" is the distance of the ratio from 1. `unit` is printed after the figures: "x" for ratios, "%" for
    shares (`must` and `aim` are then per cent), or the unit of the metric.
    """

    scenario: str
    text: str
    of: str
    must: float | None
    aim: float | None = None
    to: str | None = None
    metric: str = "rate"
    sense: Sense = "at least"
    unit: str = "x"
    factor: float = 1.0


def _share(scenario: str, text: str, of: str, to: str, must: float, aim: float | None = None) -> Goal:
    return Goal(scenario, text, of, must, aim, to, unit="%", factor=100.0)


GOALS = (
    Goal("bulk", "bulk, beside aiopquic", ASYNCIO, 3.5, to="aiopquic"),
    Goal("bulk", "bulk, beside aioquic", ASYNCIO, 40, to="aioquic"),
    Goal("bulk", "bulk, beside qh3", ASYNCIO, 15, to="qh3"),
    Goal("bulk", "bulk, beside asyncio TLS", ASYNCIO, 1.4, to=TLS),
    _share("bulk", "bulk, of the floor", ASYNCIO, FLOOR, 50, 80),
    Goal("bulk", "CPU of both ends", ASYNCIO, 2.4, 1.6, metric="cpu", sense="at most", unit="s/GB"),
    Goal("bulk", "CPU, beside asyncio TLS", ASYNCIO, 0.7, to=TLS, metric="cpu", sense="at most"),
    Goal("bulk", "asyncio and uvloop", ASYNCIO, 15, to=UVLOOP, sense="apart", unit="%", factor=100.0),
    Goal(
        "shapes", "8,900 B datagrams, beside 1,452", fastmux_name(what="8,900 B datagrams"), 1.3, 1.5, to=BASE
    ),
    _share("shapes", "bulk over 100 streams, of one", fastmux_name(what="100 streams"), BASE, 90, 97),
    _share("shapes", "bulk over 1,000 streams, of one", fastmux_name(what="1,000 streams"), BASE, 90, 97),
    _share("shapes", "200 connections, of one", fastmux_name(what="200 connections"), BASE, 80),
    _share("shapes", "256 KiB windows, of the default", fastmux_name(what="256 KiB windows"), BASE, 75),
    _share(
        "shapes",
        "beside a busy Python thread at each end",
        fastmux_name(what="beside busy threads"),
        BASE,
        30,
    ),
    _share("idle", "one stream beside 100,000 idle ones", IDLE, BASE, 95, 99),
    Goal("idle", "an idle stream, server", IDLE, 1024, 400, None, "server.idle_channel_size", "at most", "B"),
    Goal("idle", "an idle stream, client", IDLE, 1024, 400, None, "client.idle_channel_size", "at most", "B"),
    Goal("pingpong", "64 B round trip, p50, beside asyncio TLS", ASYNCIO, 0.8, None, TLS, "p50", "at most"),
    Goal("pingpong", "the same, beside raw UDP, asyncio", ASYNCIO, 1.5, 1.25, raw_name(), "p50", "at most"),
    Goal(
        "pingpong",
        "the same, beside raw UDP, uvloop",
        UVLOOP,
        1.5,
        1.25,
        raw_name("uvloop"),
        "p50",
        "at most",
    ),
    Goal("echoes", "100 B echoes on 100 streams, beside aiopquic", ASYNCIO, 1.4, to="aiopquic"),
    Goal("echoes", "100 B echoes on 100 streams", ASYNCIO, None, 110, unit="k/s", factor=1e-3),
    Goal("churn", "open, echo, close, beside qh3", ASYNCIO, 1.1, to="qh3"),
    Goal("churn", "open, echo, close", ASYNCIO, None, 60, unit="k/s", factor=1e-3),
    Goal("messages", "16 KiB messages, beside aiopquic", ASYNCIO, 3, to="aiopquic"),
    Goal("messages", "16 KiB messages", ASYNCIO, None, 45, unit="k/s", factor=1e-3),
    Goal("small-messages", "64 B messages", ASYNCIO, 400, 1000, unit="k/s", factor=1e-3),
    Goal("handshakes", "mutual handshakes, beside asyncio TLS", ASYNCIO, 1.3, 1.8, to=TLS),
    Goal(
        "connections",
        "an idle connection, server",
        ASYNCIO,
        16,
        8,
        metric="server.idle_connection_size",
        sense="at most",
        unit="KiB",
        factor=1 / 1024,
    ),
    _share("loss", "0.01 % random loss, BBR, of clean", RARELY_LOSSY["bbr"], CLEAN_LINK, 75, 90),
    _share("loss", "the same by the default, CUBIC", RARELY_LOSSY["cubic"], CLEAN_LINK, 75, 90),
    Goal("link", "1 % random loss, BBR, of the link", LOSSY["bbr"], 80, unit="%", factor=100 / LINK_BYTES),
    Goal("link", "clean, CUBIC, of the link", CLEAN_LINK, 90, unit="%", factor=100 / LINK_BYTES),
    Goal(
        "link",
        "queue delay over the base round trip",
        CLEAN_LINK,
        2,
        None,
        None,
        "client.queue_delay",
        "at most",
    ),
    Goal("forward", "TCP through -L, beside ssh -L", FASTMUX_FORWARD, 1.0, to=SSH_FORWARD),
    Goal("forward", "the same, beside ssh -L with AES-GCM", FASTMUX_FORWARD, None, 1.0, to=SSH_GCM_FORWARD),
    Goal("dask", "arrays by Dask's comm, beside tls://", DASK, None, 1.0, to=DASK_TLS),
    Goal("dask", "CPU of both ends, beside tls://", DASK, None, 1.0, DASK_TLS, "cpu", "at most"),
    Goal("sansio", "the core alone, sending", "cython, null", 250, 110, None, "sending", "at most", "ns"),
    Goal("sansio", "the core alone, receiving", "cython, null", 280, 130, None, "receiving", "at most", "ns"),
)
