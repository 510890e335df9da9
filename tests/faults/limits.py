"""Credit, channels, numbers and keys at their ends, and a server that comes back: F32, F41 to F44.

Owns: those scenarios. May not know: how they are run or reported.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

from fastmux import constants as c
from fastmux import core
from fastmux.protocol import data_space
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.endpoint import Endpoint
from faults.darkness import darkened
from faults.load import Transfer
from faults.scenario import MEGABYTE, Outcome, Scenario, Terms, run_transfer
from faults.stage import RTT, Broken, Stage, dark
from protocol.scripted import Script, ScriptedHandshake

KEY = bytes(range(32))


def restarted(terms: Terms, *, keeps_key: bool) -> Outcome:
    """F32: the server is another one, at the same address, in the middle of a transfer."""
    stage = Stage(terms.setting(reset_key=KEY))
    transfer = Transfer(stage, [10 * MEGABYTE], upload=True)
    stage.network.run_for(2.0)
    configuration = terms.configuration(reset_key=KEY if keeps_key else KEY[::-1])
    before = transfer.received

    def accept() -> ScriptedHandshake:
        return ScriptedHandshake(False)

    dice = stage.network.random.randbytes
    stage.server.endpoint = Endpoint(configuration, random_bytes=dice, accept=accept)
    began_at = stage.elapsed
    stage.network.run(lambda: stage.connection.is_closed, 60.0)
    code = getattr(stage.client.closed(stage.connection), "code", None)
    if code != (c.CONNECTION_UNKNOWN if keeps_key else c.IDLE_TIMEOUT) or transfer.received != before:
        raise Broken(f"the client says {stage.client.closed(stage.connection)}")
    if stage.server.endpoint.connections:
        raise Broken("old packets began a new connection")
    return Outcome(stage.elapsed - began_at, 3 * RTT if keeps_key else c.DEFAULT_IDLE_TIMEOUT + 1.0)


def lost_credit(terms: Terms) -> Outcome:
    """F41: window 0; then it is read, while nothing that the reader sends arrives for 5 s."""
    stage = Stage(darkened(terms.setting(), dark((2.0, 7.0)), "to the server"))
    transfer = Transfer(stage, [terms.pick(4 * MEGABYTE, 1_200_000)])
    transfer.paused = True
    stage.network.run_for(2.5)
    blocked = transfer.source.statistics()
    if blocked.bytes_in_flight > blocked.mtu * 4 or transfer.received:
        raise Broken("the window is not 0")

    def resume() -> None:
        transfer.paused = False
        transfer.read()

    resume()
    taken = transfer.received
    stage.network.run(lambda: transfer.received > taken, 60.0)
    healed = stage.elapsed - 7.0
    transfer.run()
    pto = transfer.sink.statistics().pto
    # The reader is alone to know: it probes as often as its back-off lets it, at the most as long again.
    return Outcome(healed, 5.0, note=f"its PTO is {pto * 1000:.0f} ms, backed off")


def many_channels(terms: Terms) -> Outcome:
    """F42: 1,999 streams of 32 bytes, never more than 1,000 at once."""
    count = terms.pick(1999, 1999)
    _, transfer, seconds = run_transfer(terms.setting(max_streams=1000), [32] * count, loss=None)
    opened = transfer.source.statistics().streams_opened
    if opened != count:
        raise Broken(f"{opened} streams were opened")
    return Outcome(seconds, 60.0, note="the limit of 1,000 was raised")


def churn(terms: Terms) -> Outcome:
    """F42: 100,000 streams, one after the other, a thousand at once; what is left of them."""
    count = terms.pick(100_000, 2000)
    stage, transfer, seconds = run_transfer(terms.setting(max_streams=1000), [32] * count, loss=None)
    stage.network.run_for(1.0)
    left = transfer.source.data_path.channel_count + transfer.sink.data_path.channel_count
    return Outcome(left, 0, "channels left", note=f"{count} opened in {seconds:.1f} s")


def many_open(terms: Terms) -> Outcome:
    """F42: 10,000 channels open at once; what one that is idle holds in the core, both ends together."""
    count = terms.pick(10_000, 1000)
    stage = Stage(terms.setting(max_streams=count)).open()
    stage.network.run_for(1.0)
    before = core.live()[0]
    data_path = stage.accepted.data_path
    for _ in range(count):
        data_path.write(data_path.open(c.KIND_STREAM), b"!")
    stage.accepted.touch()
    stage.network.run(lambda: stage.connection.data_path.channel_count == count, 60.0)
    stage.network.run_for(2.0)  # what was lost comes again
    for channel_id in range(1, 4 * count, 4):
        if stage.connection.data_path.read(channel_id, 10) != b"!":
            raise Broken(f"channel {channel_id} has something else")
    stage.connection.touch()
    stage.network.run_for(5.0)
    stage.check_open()
    return Outcome((core.live()[0] - before) / count, 4096, "bytes a channel", note=f"{count} open")


def numbered_from(number: int) -> Any:
    """A patch: both ends begin to count their packets there."""
    make = data_space.make_data_path

    def late(is_client: bool, local_id: bytes, configuration: Configuration) -> core.DataPath:
        with patch.object(core, "DataPath", partial(core.DataPath, initial_packet_number=number)):
            return make(is_client, local_id, configuration)

    return patch.object(data_space, "make_data_path", late)


def late_numbers(terms: Terms, number: int) -> Outcome:
    """F43: packet numbers begin just before a power of two, so that the 32 bits on the wire wrap."""
    size = terms.pick(MEGABYTE, 300_000)
    with numbered_from(number):
        _, transfer, seconds = run_transfer(terms.setting(), [size])
    newest = transfer.sink.data_path.largest_non_probing
    if not number + 10 < newest < number + 10_000:
        raise Broken(f"the newest packet has number {newest}")
    return Outcome(seconds, 10.0, note=f"up to {newest}")


def key_updates(terms: Terms) -> Outcome:
    """F44: keys change every 1,000 packets, 10 % late, 5 % lost; what does not open after all."""
    size = terms.pick(100 * MEGABYTE, 2 * MEGABYTE)
    interval = terms.pick(1000, 100)
    if core.IMPLEMENTATION == "python":
        size //= terms.pick(5, 4)
    setting = replace(terms.setting(key_update_interval=interval), script=Script(suite=c.SUITE_AES_128_GCM))
    setting = setting.both(loss=0.05, reordering=0.1, reordering_delay=RTT)
    stage, transfer, seconds = run_transfer(setting, [size], loss=None, timeout=3600.0)
    figures = transfer.sink.statistics()
    updates = transfer.source.statistics().key_updates
    if updates < size / 1452 / interval / 4:
        raise Broken(f"only {updates} updates")
    stage.check_end()
    return Outcome(
        figures.undecryptable_packets,
        0,
        "packets that did not open",
        note=f"{updates} updates in {size / 1e6:g} MB, {seconds:.0f} s",
    )


SCENARIOS = [
    Scenario(
        row="F32", title="the server is restarted with its reset key", play=partial(restarted, keeps_key=True)
    ),
    Scenario(
        row="F32", title="the server is restarted with another key", play=partial(restarted, keeps_key=False)
    ),
    Scenario(row="F41", title="window 0, credit lost for 5 s", play=lost_credit),
    Scenario(row="F42", title="1,999 x 32 B, at most 1,000 at once", play=many_channels),
    Scenario(row="F42", title="100,000 channels one after the other", play=churn),
    Scenario(row="F42", title="10,000 channels open", play=many_open),
    *(
        Scenario(
            row="F43",
            title=f"packet numbers from 2^{bits} - 10",
            play=partial(late_numbers, number=2**bits - 10),
        )
        for bits in (31, 32)
    ),
    Scenario(
        row="F44",
        title="key update every 1,000 packets, 10 % late, 5 % lost, 100 MB",
        play=key_updates,
        controllers=("bbr",),
    ),
]
