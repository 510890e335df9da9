"""Attacks of an authenticated peer by streams, limits and channels (H25 to H36).

Owns: these attacks. May not know: what they must come to.
"""

from __future__ import annotations

from itertools import count

from fastmux import constants as c
from hostile.attacker import Attack, Attacker, Frame, Shots
from hostile.before_authentication import TABLES, halted_handshakes

WINDOW = c.INITIAL_CHANNEL_WINDOW
BLOCK = 4096  # bytes: what the core allocates at once for a stream
A_CHANNEL = 2 * BLOCK + 2048  # a first and a last block, and the channel itself on the pure core


def stream(channel: int, offset: int, data: bytes, fin: bool = False) -> Frame:
    """A STREAM frame of the attacker's own channel with this index."""
    return (c.FRAME_STREAM, channel << 2, offset, data, fin)


def opened(channel: int, kind: int = c.KIND_STREAM) -> Frame:
    """An OPEN frame."""
    return (c.FRAME_OPEN, channel << 2 | kind << 1, 0, True, 0, 0, b"")


def above_the_channels_window(attacker: Attacker) -> Shots:
    """H25: one byte more than a channel's credit."""
    attacker.connect()
    yield attacker.say(opened(0), stream(0, WINDOW - 1, b"a"))
    yield attacker.say(stream(0, WINDOW, b"a"))


def above_the_connections_window(attacker: Attacker) -> Shots:
    """H25: one byte more than the connection's credit, on channels that are all within theirs."""
    attacker.connect()
    channels = c.INITIAL_CONNECTION_WINDOW // WINDOW
    ends = [frame for place in range(channels) for frame in (opened(place), stream(place, WINDOW - 1, b"a"))]
    message = c.MAX_MESSAGE_SIZE // c.FRAGMENT_UNIT
    over = [opened(0, c.KIND_MESSAGE), (c.FRAME_MESSAGE, 2, 0, 0, message, bytes(128))]
    yield attacker.say(*ends, *over, stream(channels, 0, b"a"))


def sparse_offsets(attacker: Attacker) -> Shots:
    """H26: a byte at the end of every channel's window, to be given more."""
    attacker.connect()
    for place in range(c.INITIAL_CONNECTION_WINDOW // WINDOW):
        yield attacker.say(opened(place), stream(place, WINDOW - 1, b"a"))
    while True:
        yield attacker.say((c.FRAME_PING,))


def ends_that_change(attacker: Attacker) -> Shots:
    """H27: a stream that ends twice, at two places."""
    attacker.connect()
    yield attacker.say(opened(0), stream(0, 100, b"", True))
    yield attacker.say(stream(0, 101, b"", True))


def data_past_the_end(attacker: Attacker) -> Shots:
    """H27: data behind the end."""
    attacker.connect()
    yield attacker.say(opened(0), stream(0, 100, b"", True))
    yield attacker.say(stream(0, 100, b"a"))


def ends_before_the_data(attacker: Attacker) -> Shots:
    """H27: an end before what came."""
    attacker.connect()
    yield attacker.say(opened(0), stream(0, 100, b"a"))
    yield attacker.say(stream(0, 50, b"", True))


def other_bytes(attacker: Attacker) -> Shots:
    """H28: the same offsets with ever new bytes."""
    attacker.connect()
    yield attacker.say(opened(0))
    for _ in count():
        yield attacker.say(stream(0, 1000, attacker.dice.randbytes(1000)))


def gaps(attacker: Attacker) -> Shots:
    """H29: every second byte."""
    attacker.connect()
    yield attacker.say(opened(0))
    for number in count():
        place = 2 * attacker.dense * number % (WINDOW - 2000)
        yield attacker.say(*(stream(0, place + 2 * byte, b"a") for byte in range(attacker.dense)))


def overlaps(attacker: Attacker) -> Shots:
    """H30: chunks below what was read and across it, each with a byte that is new."""
    client = attacker.connect()
    attacker.world.readers.add(client.far)
    yield attacker.say(opened(0), stream(0, 0, bytes(1000)))
    for number in count(1000):
        yield attacker.say(stream(0, number - 1000, bytes(1001)), stream(0, 0, bytes(10)))


def every_other_channel(attacker: Attacker) -> Shots:
    """H31: the highest channels first, and every other one of the rest."""
    attacker.connect()
    for place in range(c.DEFAULT_MAX_STREAMS - 1, 0, -2):
        yield attacker.say(opened(place))
    while True:
        yield attacker.say((c.FRAME_PING,))


def channel_above_the_limit(attacker: Attacker) -> Shots:
    """H31: stream four million."""
    attacker.connect()
    yield attacker.say(opened(c.DEFAULT_MAX_STREAMS - 1))
    yield attacker.say(opened(c.DEFAULT_MAX_STREAMS))


def reset_above_the_limit(attacker: Attacker) -> Shots:
    """H32: a RESET of a channel that may not be opened."""
    attacker.connect()
    yield attacker.say((c.FRAME_RESET, c.DEFAULT_MAX_STREAMS << 2, 0, 0, 0))


def stop_above_the_limit(attacker: Attacker) -> Shots:
    """H32: a STOP of one."""
    attacker.connect()
    yield attacker.say((c.FRAME_STOP, c.DEFAULT_MAX_STREAMS << 2, 0))


def rapid_resets(attacker: Attacker) -> Shots:
    """H33: channels that are opened, reset and stopped in one packet, and handlers that take their time."""
    attacker.connect()
    for place in range(c.DEFAULT_MAX_STREAMS):
        number = place << 2
        yield attacker.say(opened(place), (c.FRAME_RESET, number, 0, 0, 0), (c.FRAME_STOP, number, 0))
    yield attacker.say(opened(c.DEFAULT_MAX_STREAMS))


def a_byte_at_a_time(attacker: Attacker) -> Shots:
    """H34: as many streams as may be, a byte a packet, none of which ends."""
    attacker.connect()
    for number in count():
        place = number % 200
        yield attacker.say(opened(place), stream(place, number // 200, b"a"))


def tiny_windows(attacker: Attacker) -> Shots:
    """H35: the server's application writes; its peer gives credit by single bytes."""
    attacker.connect()
    channel_id = attacker.have_written()
    for limit in count(WINDOW + 1):
        yield attacker.say((c.FRAME_MAX_CHANNEL_DATA, channel_id, limit), attacker.acknowledged())


def unread_channels(attacker: Attacker) -> Shots:
    """H36: every channel filled to the end of its window, none of them read."""
    attacker.connect()
    packets = WINDOW // 1024
    for number in range(packets * c.INITIAL_CONNECTION_WINDOW // WINDOW):
        place, part = divmod(number, packets)
        yield attacker.say(opened(place), stream(place, part * 1024, bytes(1024)))
    while True:
        yield attacker.say((c.FRAME_PING,))


ATTACKS = (
    Attack("H25", "above the channel's window", above_the_channels_window, c.FLOW_CONTROL_ERROR),
    Attack("H25", "above the connection's window", above_the_connections_window, c.FLOW_CONTROL_ERROR),
    Attack("H26", "sparse offsets", sparse_offsets, growth=17 * A_CHANNEL),
    Attack("H27", "ends that change", ends_that_change, c.FINAL_SIZE_ERROR),
    Attack("H27", "data past the end", data_past_the_end, c.FINAL_SIZE_ERROR),
    Attack("H27", "ends before the data", ends_before_the_data, c.FINAL_SIZE_ERROR),
    Attack("H28", "other bytes", other_bytes),
    Attack("H29", "gaps", gaps, growth=WINDOW + 128 * c.MIN_RECEIVED_SPANS),
    Attack("H30", "overlaps", overlaps),
    Attack("H31", "every other channel", every_other_channel, growth=200 * A_CHANNEL),
    Attack("H31", "a channel above the limit", channel_above_the_limit, c.CHANNEL_LIMIT_ERROR),
    Attack("H32", "a reset above the limit", reset_above_the_limit, c.CHANNEL_LIMIT_ERROR),
    Attack("H32", "a stop above the limit", stop_above_the_limit, c.CHANNEL_LIMIT_ERROR),
    Attack(
        "H33",
        "rapid resets",
        rapid_resets,
        c.CHANNEL_LIMIT_ERROR,
        growth=c.DEFAULT_MAX_STREAMS * 4096,
        shots=c.DEFAULT_MAX_STREAMS + 1,
    ),
    Attack("H34", "handshakes that halt", halted_handshakes, growth=TABLES),
    Attack("H34", "a byte at a time", a_byte_at_a_time, growth=200 * A_CHANNEL),
    Attack("H35", "tiny windows", tiny_windows, growth=c.WRITE_LIMIT + 2**17),
    Attack("H36", "unread channels", unread_channels, growth=c.INITIAL_CONNECTION_WINDOW + 2**18, shots=1100),
)
