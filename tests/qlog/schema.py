"""What qlog 0.3 asks of a file, written down from its drafts, and what qvis's reader asks beyond.

Owns: required and known fields, and their types. May not know: who writes files. The drafts are
draft-ietf-quic-qlog-main-schema (header, trace, event) and draft-ietf-quic-qlog-quic-events (data of events),
in the versions that have "qlog_version": "0.3". Sizes are bytes, times milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Check = Callable[[object], bool]


def uint(bits: int) -> Check:
    return lambda value: type(value) is int and 0 <= value < 2**bits


def number(value: object) -> bool:
    return type(value) in (int, float)


def text(value: object) -> bool:
    return isinstance(value, str)


def hexadecimal(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("([0-9a-f]{2})*", value) is not None


def one_of(*words: str) -> Check:
    return lambda value: value in words


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(each) for each in value)


class Table:
    """An object with these fields; what is given as may_NAME may be left out, `fastmux_` is ours."""

    def __init__(self, **fields: Check) -> None:
        self.required = {name for name in fields if not name.startswith("may_")}
        self.fields = {name.removeprefix("may_"): check for name, check in fields.items()}

    def faults(self, value: object) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{value!r} is no object"
            return
        yield from (f"{name} is missing" for name in sorted(self.required - set(value)))
        for name, each in value.items():
            if name.startswith("fastmux_"):
                continue
            check = self.fields.get(name)
            if check is None:
                yield f"{name} is unknown"
            elif not check(each):
                yield f"{name} cannot be {each!r}"

    def __call__(self, value: object) -> bool:
        return not list(self.faults(value))


OWNER = one_of("local", "remote")
RAW = Table(may_length=uint(64), may_payload_length=uint(64))
PACKET_HEADER = Table(
    packet_type=one_of("initial", "handshake", "0RTT", "1RTT", "retry", "version_negotiation"),
    may_packet_number=uint(64),
    may_scid=hexadecimal,
    may_dcid=hexadecimal,
)
ACK_FRAME = Table(frame_type=one_of("ack"), may_ack_delay=number, may_acked_ranges=list_of(list_of(uint(64))))
PACKET = Table(header=PACKET_HEADER, may_frames=list_of(ACK_FRAME), may_raw=RAW)
STATES = ("attempted", "handshake_started", "handshake_confirmed", "closed")
EVENTS: dict[str, Table] = {
    "connectivity:connection_started": Table(
        may_ip_version=one_of("v4", "v6"),
        src_ip=text,
        dst_ip=text,
        may_protocol=text,
        may_src_port=uint(16),
        may_dst_port=uint(16),
        may_src_cid=hexadecimal,
        may_dst_cid=hexadecimal,
    ),
    "connectivity:connection_closed": Table(
        may_owner=OWNER,
        may_connection_code=uint(32),
        may_reason=text,
        may_trigger=one_of(
            "clean", "handshake_timeout", "idle_timeout", "error", "stateless_reset", "version_mismatch"
        ),
    ),
    "connectivity:connection_state_updated": Table(may_old=one_of(*STATES), new=one_of(*STATES)),
    "connectivity:mtu_updated": Table(may_old=uint(16), new=uint(16)),
    "transport:parameters_set": Table(
        may_owner=OWNER,
        may_tls_cipher=text,
        may_max_idle_timeout=uint(64),
        may_max_udp_payload_size=uint(32),
        may_max_ack_delay=uint(16),
        may_active_connection_id_limit=uint(32),
        may_initial_max_data=uint(64),
        may_max_datagram_frame_size=uint(64),
    ),
    "transport:packet_sent": PACKET,
    "transport:packet_received": PACKET,
    "security:key_updated": Table(
        key_type=one_of("server_1rtt_secret", "client_1rtt_secret"),
        may_old=hexadecimal,
        new=hexadecimal,
        may_generation=uint(32),
        may_trigger=one_of("tls", "remote_update", "local_update"),
    ),
    "recovery:parameters_set": Table(
        may_reordering_threshold=uint(16),
        may_time_threshold=number,
        may_timer_granularity=uint(16),
        may_max_datagram_size=uint(32),
    ),
    "recovery:metrics_updated": Table(
        may_min_rtt=number,
        may_smoothed_rtt=number,
        may_latest_rtt=number,
        may_rtt_variance=number,
        may_pto_count=uint(16),
        may_congestion_window=uint(64),
        may_bytes_in_flight=uint(64),
        may_ssthresh=uint(64),
    ),
    "recovery:packet_lost": Table(may_header=PACKET_HEADER, may_raw=RAW),
    "loglevel:warning": Table(may_code=uint(64), may_message=text),
}
OURS = {
    "connectivity:path_updated",
    "connectivity:path_failed",
    "connectivity:path_left",
}  # no draft has them
TRACE = Table(
    may_title=text,
    may_description=text,
    may_vantage_point=Table(may_name=text, type=one_of("client", "server")),
    may_common_fields=Table(
        may_ODCID=hexadecimal,
        may_group_id=text,
        may_time_format=one_of("relative"),
        may_reference_time=number,
    ),
)
HEADER = Table(
    qlog_version=one_of("0.3"),
    qlog_format=one_of("JSON-SEQ"),
    may_title=text,
    may_description=text,
    trace=TRACE,
)
EVENT = Table(time=number, name=text, data=lambda value: isinstance(value, dict))


def faults_of(header: object, events: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the records of a file."""
    found = [f"header: {fault}" for fault in HEADER.faults(header)]
    for event in events:
        found += [f"event: {fault}" for fault in EVENT.faults(event)]
        name = event.get("name", "")
        if name in EVENTS:
            found += [f"{name}: {fault}" for fault in EVENTS[name].faults(event["data"])]
        elif name not in OURS:
            found.append(f"{name} is unknown")
    times = [event.get("time", 0.0) for event in events]
    if times != sorted(times):
        found.append("times fall")  # qvis sorts them, with a warning
    return found
