"""One frame of every type with its canonical coding, and strategies that draw any frame."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fastmux import constants as c

EXAMPLES: list[tuple[tuple[Any, ...], str]] = [
    ((c.FRAME_PADDING, 3), "000000"),
    ((c.FRAME_PING,), "01"),
    ((c.FRAME_ACK, 12 / 125_000, ((5, 10), (1, 3))), "02090c01040101"),
    ((c.FRAME_ACK_ECN, 0.0, ((0, 1),), (1, 2, 3)), "0300000000010203"),
    ((c.FRAME_HANDSHAKE, 64, b"abc"), "06404003616263"),
    ((c.FRAME_PARAMETERS, b"xy"), "07027879"),
    ((c.FRAME_HANDSHAKE_DONE,), "08"),
    ((c.FRAME_STREAM, 4, 100, b"data", False), "120440640464617461"),
    ((c.FRAME_STREAM, 4, 0, b"", True), "13040000"),
    ((c.FRAME_MESSAGE, 2, 7, 3, 9, b"unit"), "160207030904756e6974"),
    ((c.FRAME_MESSAGE_FIN, 2, 12), "18020c"),
    ((c.FRAME_MESSAGE_ABANDON, 2, ((1, 4), (2, 8))), "19020201040208"),
    ((c.FRAME_DATAGRAM, b"!"), "1e0121"),
    ((c.FRAME_OPEN, 6, 9, True, 2, 500, b"hi"), "2006090541f4026869"),
    ((c.FRAME_RESET, 4, 1, 100, 100), "21040140644064"),
    ((c.FRAME_STOP, 4, 20), "220414"),
    ((c.FRAME_MAX_DATA, 2**20), "2880100000"),
    ((c.FRAME_MAX_CHANNEL_DATA, 4, 65536), "290480010000"),
    ((c.FRAME_MAX_CHANNELS, 1, 10), "2a010a"),
    ((c.FRAME_DATA_BLOCKED, 5), "2c05"),
    ((c.FRAME_CHANNEL_DATA_BLOCKED, 4, 5), "2d0405"),
    ((c.FRAME_CHANNELS_BLOCKED, 0, 5), "2e0005"),
    ((c.FRAME_NEW_ID, 2, 1, b"abcd", bytes(16)), "3002010461626364" + "00" * 16),
    ((c.FRAME_RETIRE_ID, 1), "3101"),
    ((c.FRAME_PATH_CHALLENGE, b"12345678"), "323132333435363738"),
    ((c.FRAME_PATH_RESPONSE, b"12345678"), "333132333435363738"),
    ((c.FRAME_ACK_FREQUENCY, 1, 2, 3, 4), "3401020304"),
    ((c.FRAME_CONNECTION_CLOSE, 10, b"why"), "380a03776879"),
    ((c.FRAME_APPLICATION_CLOSE, 0, b""), "390000"),
    ((0x133, b"ext"), "413303657874"),
]

integers = st.one_of(st.integers(0, 100), st.integers(0, c.MAX_VARINT))
small = st.binary(max_size=40)


@st.composite
def ack_ranges(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """Ranges of an ACK: newest first, never adjacent."""
    at, found = 0, []
    for gap, size in draw(
        st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 1000)), min_size=1, max_size=20)
    ):
        found.append((at + gap, at + gap + size))
        at += gap + size
    return tuple(reversed(found))


delays = st.integers(0, 2**20).map(lambda units: units / 125_000)
labels = st.text(max_size=60).map(str.encode).filter(lambda label: len(label) <= c.MAX_LABEL_SIZE)
kinds = st.integers(0, 1)
priorities = st.integers(0, 255)
counts = st.integers(0, c.MAX_CHANNELS_LIMIT)
offsets = st.integers(0, c.MAX_VARINT - 100)

frames: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(st.sampled_from([c.FRAME_PING, c.FRAME_HANDSHAKE_DONE])),
    st.tuples(st.just(c.FRAME_ACK), delays, ack_ranges()),
    st.tuples(st.just(c.FRAME_ACK_ECN), delays, ack_ranges(), st.tuples(integers, integers, integers)),
    st.tuples(st.just(c.FRAME_HANDSHAKE), offsets, small),
    st.tuples(st.just(c.FRAME_PARAMETERS), small),
    st.tuples(st.just(c.FRAME_STREAM), integers, offsets, small, st.booleans()),
    st.tuples(st.just(c.FRAME_MESSAGE), integers, integers, integers, integers, small),
    st.tuples(
        st.sampled_from([c.FRAME_MESSAGE_FIN, c.FRAME_STOP, c.FRAME_MAX_CHANNEL_DATA]), integers, integers
    ),
    st.tuples(
        st.just(c.FRAME_MESSAGE_ABANDON),
        integers,
        st.lists(st.tuples(integers, integers), min_size=1, max_size=5).map(tuple),
    ),
    st.tuples(st.just(c.FRAME_DATAGRAM), small),
    st.tuples(
        st.just(c.FRAME_OPEN),
        integers,
        st.integers(0, 255),
        st.booleans(),
        st.integers(0, 3),
        integers,
        labels,
    ),
    st.tuples(st.just(c.FRAME_RESET), integers, integers, integers, integers),
    st.tuples(st.sampled_from([c.FRAME_MAX_DATA, c.FRAME_DATA_BLOCKED, c.FRAME_RETIRE_ID]), integers),
    st.tuples(st.sampled_from([c.FRAME_MAX_CHANNELS, c.FRAME_CHANNELS_BLOCKED]), kinds, counts),
    st.tuples(st.just(c.FRAME_PATH_CHALLENGE), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(c.FRAME_ACK_FREQUENCY), integers, integers, integers, integers),
    st.tuples(st.just(c.FRAME_CONNECTION_CLOSE), integers, small),
    st.tuples(st.integers(c.FRAME_EXTENSION_FIRST, c.FRAME_EXTENSION_LAST), small),
)
