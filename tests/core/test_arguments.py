"""What both cores accept as arguments, and the errors for what they do not."""

from __future__ import annotations

import array
import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from fastmux.exceptions import ClosedResourceError

MAKERS: dict[str, Callable[[Any], Any]] = {
    "RangeSet": lambda core: core.RangeSet(),
    "ReceivedPackets": lambda core: core.ReceivedPackets(),
    "SentPackets": lambda core: core.SentPackets(),
    "Reassembler": lambda core: core.Reassembler(1),
    "ReceiveStream": lambda core: core.ReceiveStream(),
    "SendStream": lambda core: core.SendStream(),
    "PacketProtection": lambda core: core.PacketProtection(0, b"", bytes(12)),
    "DataPath": lambda core: core.DataPath(True, b"12345678"),
}


class Indexed:
    """An integer in all but name."""

    def __index__(self) -> int:
        return 5


@pytest.mark.parametrize("name", MAKERS)
def test_objects_refuse_to_be_pickled_or_copied(core: Any, name: str) -> None:
    made = MAKERS[name](core)
    for refuse in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            refuse(made)


@pytest.mark.parametrize("name", MAKERS)
def test_objects_take_no_new_attributes(core: Any, name: str) -> None:
    made = MAKERS[name](core)
    with pytest.raises(AttributeError):
        made.invented = 1


def test_an_object_with_an_index_is_an_integer(core: Any) -> None:
    assert core.encode_varint(Indexed()) == b"\x05"


@pytest.mark.parametrize("value", [1.0, "1", None, b"1"])
def test_what_is_no_integer_is_a_type_error(core: Any, value: object) -> None:
    with pytest.raises(TypeError):
        core.encode_varint(value)
    with pytest.raises(TypeError):
        core.RangeSet().add(value, 5)
    with pytest.raises(TypeError):
        core.ReceiveStream().receive(value, b"")


@pytest.mark.parametrize("value", [-1, 2**62, 2**63, 2**64])
def test_an_integer_out_of_range_is_an_overflow_error(core: Any, value: int) -> None:
    with pytest.raises(OverflowError):
        core.ReceivedPackets().add(value, 0.0, True)
    with pytest.raises(OverflowError):
        core.ReceiveStream().receive(value, b"")
    with pytest.raises(OverflowError):
        core.decode_varint(b"\x00", value)


@pytest.mark.parametrize(
    "data",
    [b"abcd", bytearray(b"abcd"), memoryview(b"abcd"), memoryview(b"xabcdx")[1:5], array.array("H", b"abcd")],
)
def test_any_contiguous_buffer_is_data(core: Any, data: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(0, data)
    assert stream.read(10) == b"abcd"


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
def test_what_is_no_buffer_is_a_type_error(core: Any, data: object) -> None:
    with pytest.raises(TypeError):
        core.ReceiveStream().receive(0, data)
    with pytest.raises(TypeError):
        core.SendStream().write(data)
    with pytest.raises(TypeError):
        core.parse_frames(data)


NUMBERS: Any = numpy.arange(2400, dtype=numpy.uint8)
DATES: Any = numpy.arange(300).astype("M8[s]")


@pytest.mark.parametrize(
    "data",
    [
        memoryview(bytearray(b"abcd"))[::2],
        NUMBERS[::2],
        NUMBERS[::-1],
        NUMBERS.reshape(40, 60).T,
        NUMBERS.view("i4").reshape(20, 30).T,
        DATES[::2],
        pickle.PickleBuffer(NUMBERS[::2]),
        pickle.PickleBuffer(NUMBERS.reshape(40, 60).T),
    ],
)
def test_a_buffer_with_gaps_is_a_buffer_error(core: Any, data: Any) -> None:
    path = core.DataPath(True, b"12345678")
    calls: list[Callable[[], object]] = [
        lambda: core.ReceiveStream().receive(0, data),
        lambda: core.SendStream().write(data),
        lambda: core.ReceiveStream().read_into(data),
        lambda: path.fill(data, 512, 10**6, 1.0),
        lambda: path.receive(data, 0, 0, 1200, 1.0),
        lambda: path.send_datagram(data),
    ]
    for call in calls:
        with pytest.raises(BufferError):
            call()
    path.close()


def test_a_view_that_was_released_is_a_value_error(core: Any) -> None:
    view = memoryview(b"abcd")
    view.release()
    with pytest.raises(ValueError):
        core.SendStream().write(view)


@pytest.mark.parametrize("count", [3, 127, 128, 300])
@pytest.mark.parametrize("read_only", [False, True])
def test_the_bytes_of_dates_are_data_though_numpy_shows_no_view_of_them(
    core: Any, count: int, read_only: bool
) -> None:
    dates = DATES[:count].copy()
    dates.setflags(write=not read_only)
    stream, sent = core.ReceiveStream(), core.SendStream()
    stream.receive(0, dates)
    assert sent.write(dates) == 8 * count
    assert sent.next_range(10**6, 10**6)[1] == dates.tobytes()
    again = numpy.zeros(count, "M8[s]")
    assert stream.read_into(again) == 8 * count
    assert (again == dates).all()
    if read_only:
        with pytest.raises(BufferError):
            stream.read_into(dates)


def test_dates_in_exact_bytes_are_kept_or_copied_like_any_array_on_them(core: Any) -> None:
    sent, dates = core.SendStream(), numpy.frombuffer(DATES.tobytes(), "M8[s]")
    for part in (dates, dates[5:], dates[:20]):
        sent.write(part)
        assert sent.next_range(10**6, 10**6)[1] == part.tobytes()


def test_a_read_only_buffer_cannot_be_read_into(core: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(0, b"abcd")
    with pytest.raises(BufferError):
        stream.read_into(b"1234")
    assert stream.read(10) == b"abcd"


def test_an_unknown_limit_is_a_type_error(core: Any) -> None:
    with pytest.raises(TypeError):
        core.DataPath(True, b"12345678", max_everything=1)


@pytest.mark.parametrize("size", [0, 3, 21])
def test_a_connection_id_of_the_wrong_size_is_a_value_error(core: Any, size: int) -> None:
    with pytest.raises(ValueError):
        core.DataPath(True, bytes(size))


def test_everything_fails_after_close(core: Any) -> None:
    path = core.DataPath(True, b"12345678")
    path.close()
    calls: list[Callable[[], object]] = [
        path.close,
        path.take_ready,
        path.take_credit,
        path.deadlines,
        path.counters,
        lambda: path.open(0),
        lambda: path.fill(bytearray(1200), 1200, 0, 0.0),
        lambda: path.receive(b"", 0, 0, 1200, 0.0),
        lambda: path.is_idle,
        lambda: path.held_size,
        lambda: path.open(9, None),
        lambda: path.read(0, -1),
        lambda: path.take_messages(2, -1),
        lambda: path.fill(bytearray(1200), 1, -1, "now"),
        lambda: path.receive(None, -1, 0, 0, "now"),
        lambda: path.build_packet(None, None, -1, -1, "now"),
        lambda: path.set_priority(0, 256),
        lambda: path.reset(0, -1),
        lambda: path.stop(0, -1),
        lambda: path.probe(-1),
        lambda: path.set_channel_limit(9, -1),
        lambda: path.set_limit(0, -1, -1),
        lambda: path.set_remote_id(b""),
        lambda: path.queue_control(-1, None),
        lambda: path.send_datagram(None),
        lambda: path.unsent_size("0"),
    ]
    for call in calls:
        with pytest.raises(ClosedResourceError):
            call()
