"""One event, one line, as viewers read it."""

from __future__ import annotations

import pytest

from fastmux.protocol.observer import Train
from fastmux.qlog import lines
from qlog.reading import records

TRAIN = Train(first=10, last=12, packets=3, size=4356)


def test_an_event_has_time_name_and_data() -> None:
    (event,) = records(lines.event(1.23456, "transport:connection_closed", {"reason": "ok"}))
    assert event == {"time": 1.235, "name": "transport:connection_closed", "data": {"reason": "ok"}}


@pytest.mark.parametrize("text", ["\x1e", "\n", "\r\n", '"', "\\", "ü\u2028\U0001f600", "\x00\x7f"])
def test_no_text_of_a_peer_breaks_out_of_its_line(text: str) -> None:
    (event,) = records(lines.event(0.0, "a:b", {"reason": text}))
    assert event["data"]["reason"] == text


def test_a_train_is_one_event_under_its_last_number() -> None:
    (event,) = records(lines.train_sent(5.0, TRAIN))
    assert event["name"] == "transport:packet_sent"
    assert event["data"] == {
        "header": {"packet_type": "1RTT", "packet_number": 12},
        "raw": {"length": 4356},
        "fastmux_first_packet_number": 10,
        "fastmux_packet_count": 3,
    }


def test_a_batch_has_the_frame_that_its_acks_come_to() -> None:
    (event,) = records(lines.batch_received(5.0, TRAIN, lines.ack_frame([70, 77], 79, 1.5)))
    assert event["data"]["frames"] == [
        {
            "frame_type": "ack",
            "ack_delay": 1.5,
            "acked_ranges": [[70, 70], [77, 77]],
            "fastmux_largest_acked": 79,
        }
    ]
    (event,) = records(lines.batch_received(5.0, TRAIN, b""))
    assert event["data"]["frames"] == []


def test_an_ack_that_names_no_train_has_no_ranges() -> None:
    (event,) = records(lines.batch_received(5.0, TRAIN, lines.ack_frame([], 79, 0.0)))
    (frame,) = event["data"]["frames"]
    assert frame == {"frame_type": "ack", "ack_delay": 0.0, "fastmux_largest_acked": 79}


def test_the_header_says_which_end_of_which_connection_it_is() -> None:
    data = lines.header(role="client", group_id="00ff", reference_time=1.0, title="t", generator="fastmux 1")
    (header,) = records(data)
    assert header["trace"]["vantage_point"] == {"name": "fastmux 1", "type": "client"}
    assert header["trace"]["common_fields"]["ODCID"] == "00ff"
