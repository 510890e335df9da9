"""The order that a worker gets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from e2e.support import linux_only
from fastmux.tunnel.server.worker import Order
from fastmux.tunnel.settings.credentials import Credentials
from fastmux.tunnel.settings.settings import ServeOptions

ORDER = Order(
    options=ServeOptions(
        credentials=Credentials("cert", "key", "ca", pins=("p",)),
        config="f.toml",
        listen=("a:1", "b:2"),
        allow=("x=*:1",),
        workers=2,
        limit=5,
        drain_timeout=1.5,
    ),
    index=1,
    count=2,
    places=[[5, 6], [7]],
    line=4,
    verbosity=1,
    log_format="json",
)


def test_an_order_is_read_as_it_was_written() -> None:
    assert Order.from_json(ORDER.to_json()) == ORDER


@linux_only
@pytest.mark.slow
def test_an_order_that_cannot_be_followed_ends_the_worker_with_its_code_and_a_line() -> None:
    order = Order(ServeOptions(), 0, 1, [], 0, 0, "text")
    done = subprocess.run(
        [sys.executable, "-m", "fastmux.tunnel.server.worker"],
        input=order.to_json(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert b"worker 0: no rule says" in done.stderr
