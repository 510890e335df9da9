"""One connection's record: what its observer is told, as events of qlog.

Owns: the names and fields of the events (draft-ietf-quic-qlog-quic-events, in the form that qvis reads), and
what is recorded how often. May not know: files beyond `TraceFile`; how a connection works.

One event of packets stands for a whole train (sent) or batch (received): its `packet_number` is the last one,
`raw.length` the size of all; the fields that begin with `fastmux_` say more. What ACKs and losses name are
such last numbers too, for viewers look for the numbers of `packet_sent`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed
from fastmux.protocol.events import Address, Closed, Event, Opened, PathFailed, PathLeft, PathMoved
from fastmux.protocol.observer import Metrics, Subject, Train
from fastmux.protocol.parameters import Parameters
from fastmux.qlog import lines
from fastmux.qlog.sent_trains import Losses, Outcome, SentTrains
from fastmux.qlog.trace_file import TraceFile
from fastmux.records import AckSummary, LongHeader

_SUITES: Final = {
    c.SUITE_NULL: "none",
    c.SUITE_AES_128_GCM: "TLS_AES_128_GCM_SHA256",
    c.SUITE_AES_256_GCM: "TLS_AES_256_GCM_SHA384",
    c.SUITE_CHACHA20_POLY1305: "TLS_CHACHA20_POLY1305_SHA256",
}
_SECRETS: Final = ("client_1rtt_secret", "server_1rtt_secret")
_ENDS: Final = {c.NO_ERROR: "clean", c.IDLE_TIMEOUT: "idle_timeout"}  # codes that have a name there
_UNSPECIFIED: Final = {"v4": "0.0.0.0", "v6": "::"}  # the protocol does not know from where it sends


class Trace:
    """An `Observer`. Invariant: `_first`, `_last`, `_count`, `_size` are of the packets that came since the
    last batch; `_told` are the metrics as last recorded, `_lost` and `_updates` counts as last recorded.
    `_in_flight` is what was in flight after the last batch or train, `_filled_at` when, if it was a train and
    is not recorded, and nothing was recorded after it. `_acked` are numbers that no ACK was recorded with.
    """

    def __init__(self, subject: Subject, file: TraceFile) -> None:
        self._subject = subject
        self._file = file
        self._began = 0.0
        self._first = self._last = self._count = self._size = 0
        self._told: dict[str, float | int | None] = {}
        self._told_at = float("-inf")
        self._mtu = c.BASE_PLPMTU
        self._lost = self._updates = 0
        self._sent = SentTrains()
        self._acked: list[int] = []
        self._largest_acked = -1
        self._has_forgotten = False
        self._in_flight = 0
        self._filled_at: float | None = None

    # --- what an observer is told -------------------------------------------------------------------------

    def started(self, now: float) -> None:
        """Record who talks to whom. A client's record begins here, a server's when its peer is verified."""
        self._began = now
        subject = self._subject
        if subject.is_client:
            self._file.begin()
        version = "v6" if ":" in subject.address[0] else "v4"
        data = {
            "ip_version": version,
            "src_ip": _UNSPECIFIED[version],
            "dst_ip": subject.address[0],
            "dst_port": subject.address[1],
            "protocol": f"fastmux {subject.version:#010x}",
            "src_cid": subject.local_id.hex(),
            "dst_cid": subject.first_id.hex(),
        }
        self._add("connectivity:connection_started", data, now)

    def handshake_received(self, header: LongHeader, size: int, now: float) -> None:
        """Record one packet."""
        self._add("transport:packet_received", _handshake_packet(header, size), now)

    def handshake_sent(self, header: LongHeader, size: int, now: float) -> None:
        """Record one packet."""
        self._add("transport:packet_sent", _handshake_packet(header, size), now)

    def keyed(self, suite: int, local: Parameters, remote: Parameters, now: float) -> None:
        """Record the parameters of both ends, and that there are keys."""
        for owner, parameters in (("local", local), ("remote", remote)):
            data = {"owner": owner, "tls_cipher": _SUITES[suite], **_parameters(parameters)}
            self._add("transport:parameters_set", data, now)
        limits = {
            "reordering_threshold": c.K_PACKET_THRESHOLD,
            "time_threshold": c.K_TIME_THRESHOLD,
            "timer_granularity": round(c.K_GRANULARITY * 1000),
            "max_datagram_size": c.BASE_PLPMTU,
        }
        self._add("recovery:parameters_set", limits, now)
        if suite != c.SUITE_NULL:
            self._add_keys(0, now)

    def train_sent(self, train: Train, bytes_in_flight: int, now: float) -> None:
        """Record a train under its last number, and what is in flight with it: now or with the next batch."""
        if self._file.is_full:
            return
        milliseconds = self._milliseconds(now)
        self._file.add(lines.train_sent(milliseconds, train), milliseconds)
        if bytes_in_flight == self._in_flight:  # bare ACKs: the core does not follow what becomes of them
            if self._filled_at is not None:
                self._filled_at = now  # it holds still, and times must not fall
            return
        self._in_flight, self._filled_at = bytes_in_flight, now
        if now >= self._told_at + c.QLOG_METRICS_INTERVAL:
            self._told_at = now
            self._add_flight()
        if not self._sent.add(train) and not self._has_forgotten:
            self._has_forgotten = True
            text = f"more than {c.QLOG_MAX_TRAINS} trains in flight: of some no ACK is recorded"
            self._add("loglevel:warning", {"message": text}, now)

    def train_received(self, train: Train, now: float) -> None:
        """Remember it for the batch, of which it is known what its ACKs said."""
        if not self._count:
            self._first = train.first
        self._last = train.last
        self._count += train.packets
        self._size += train.size

    def batch(self, metrics: Metrics, summary: AckSummary | None, now: float) -> None:
        """Record what came, what was lost, and what it did to the metrics."""
        if self._file.is_full:
            return
        lost = metrics.counters["packets_lost"]
        has_lost = lost != self._lost
        is_due = has_lost or now >= self._told_at + c.QLOG_METRICS_INTERVAL
        if is_due:
            self._add_flight()  # the crest before the trough
        self._in_flight, self._filled_at = metrics.bytes_in_flight, None
        if summary is not None:
            self._largest_acked = summary.largest_acked
        runs = 1 if summary is None else summary.lost_runs  # a timer's are neighbours
        outcome = Outcome(
            self._largest_acked, metrics.is_settled, lost - self._lost, runs, metrics.largest_lost
        )
        losses = self._sent.lost(outcome)
        self._acked += self._sent.acked(outcome)
        if self._count:
            self._add_received(summary, now)
        if has_lost:
            self._add_lost(losses, 0 if summary is None else summary.lost_size, outcome.lost, now)
            self._lost = lost
        if is_due:
            self._told_at = now
            self._add_metrics(metrics, now)
        if metrics.mtu != self._mtu:
            self._add("connectivity:mtu_updated", {"old": self._mtu, "new": metrics.mtu}, now)
            self._mtu = metrics.mtu
        while self._updates < metrics.counters["key_updates"]:
            self._updates += 1
            self._add_keys(self._updates, now)

    def event(self, event: Event, now: float) -> None:
        """Record what happens to the connection as a whole."""
        match event:
            case Opened():
                self._file.begin()
                self._add("connectivity:connection_state_updated", {"new": "handshake_confirmed"}, now)
            case PathMoved(address, previous, via, is_validated):
                self._sent.clear()  # of what went by another path the summaries do not tell
                data = {"old": _text(previous), "new": _text(address), "via": via, "validated": is_validated}
                self._add("connectivity:path_updated", data, now)
            case PathFailed(address, via, reason):
                data = {"path": _text(address), "via": via, "reason": reason}
                self._add("connectivity:path_failed", data, now)
            case PathLeft(via):
                self._add("connectivity:path_left", {"via": via}, now)
            case Closed(error):
                milliseconds = self._milliseconds(now)
                self._file.end(lambda: _closed(error, milliseconds), milliseconds)
            case _:
                return

    # --- how it is written --------------------------------------------------------------------------------

    def _milliseconds(self, now: float) -> float:
        return (now - self._began) * 1000

    def _add(self, name: str, data: dict[str, Any], now: float) -> None:
        if self._filled_at is not None and self._filled_at < now:
            self._filled_at = None  # too late to say it: times must not fall
        milliseconds = self._milliseconds(now)
        self._file.add(lines.event(milliseconds, name, data), milliseconds)

    def _add_received(self, summary: AckSummary | None, now: float) -> None:
        train = Train(self._first, self._last, self._count, self._size)
        self._first = self._last = self._count = self._size = 0
        frames = b""
        if summary is not None and (self._acked or summary.acked_packets):
            frames = lines.ack_frame(self._acked, summary.largest_acked, summary.ack_delay * 1000)
            self._acked.clear()
        milliseconds = self._milliseconds(now)
        self._file.add(lines.batch_received(milliseconds, train, frames), milliseconds)

    def _add_lost(self, losses: list[Losses], size: int, count: int, now: float) -> None:
        """Record an event for each train that lost packets, or one without a number if none is known.

        `size` is that of all but MTU probes, 0 if it is not known.
        """
        if not losses:
            self._add("recovery:packet_lost", _packets_lost(None, count, size), now)
        elif len(losses) == 1 and size:  # else by the trains' average
            self._add("recovery:packet_lost", _packets_lost(losses[0].last, count, size), now)
        else:
            for each in losses:
                self._add("recovery:packet_lost", _packets_lost(*each), now)

    def _add_flight(self) -> None:
        """Record what was in flight after the last train, if that is still to be said."""
        at, self._filled_at = self._filled_at, None
        if at is not None and self._in_flight != self._told.get("bytes_in_flight"):
            self._told["bytes_in_flight"] = self._in_flight
            self._add("recovery:metrics_updated", {"bytes_in_flight": self._in_flight}, at)

    def _add_metrics(self, metrics: Metrics, now: float) -> None:
        """Only what changed, as qlog wants it."""
        current: dict[str, float | int | None] = {
            "smoothed_rtt": round(metrics.smoothed_rtt * 1000, 3),
            "rtt_variance": round(metrics.rttvar * 1000, 3),
            "min_rtt": round(metrics.min_rtt * 1000, 3),
            "latest_rtt": round(metrics.latest_rtt * 1000, 3),
            "congestion_window": metrics.congestion_window,
            "bytes_in_flight": metrics.bytes_in_flight,
            "ssthresh": metrics.ssthresh,
            "pto_count": metrics.pto_count,
        }
        told = self._told
        changed = {
            name: value for name, value in current.items() if value is not None and value != told.get(name)
        }
        if changed:
            self._told = current
            self._add("recovery:metrics_updated", changed, now)

    def _add_keys(self, generation: int, now: float) -> None:
        """Record that there are keys; the field that would hold them is there and empty."""
        for key_type in _SECRETS:
            data: dict[str, Any] = {"key_type": key_type, "new": "", "generation": generation}
            if not generation:
                data["trigger"] = "tls"
            self._add("security:key_updated", data, now)


def _parameters(parameters: Parameters) -> dict[str, Any]:
    """By the names of qlog where QUIC has the parameter, by our own elsewhere. Times in milliseconds.

    `initial_max_data` has one of ours too: viewers take the standard one for the start of a line that goes on
    with MAX_DATA frames, and those stay in the core.
    """
    fields = asdict(parameters)
    own = {
        "max_idle_timeout": round(fields.pop("max_idle_timeout") * 1000),
        "max_udp_payload_size": fields.pop("max_datagram_size"),
        "max_ack_delay": round(fields.pop("max_ack_delay") * 1000),
        "active_connection_id_limit": fields.pop("active_id_limit"),
        "max_datagram_frame_size": fields.pop("max_datagram_frame_size"),
    }
    return own | {f"fastmux_{name}": value for name, value in fields.items()}


def _handshake_packet(header: LongHeader, size: int) -> dict[str, Any]:
    """Of type "initial", for its keys come from the client's first id, as those of QUIC's Initial packets."""
    fields: dict[str, Any] = {
        "packet_type": "initial",
        "packet_number": header.packet_number,
        "dcid": header.destination_id.hex(),
        "scid": header.source_id.hex(),
    }
    if header.type == c.LONG_RETRY:  # it has no number
        fields["packet_type"] = "retry"
        del fields["packet_number"]
    return {"header": fields, "raw": {"length": size}}


def _packets_lost(last: int | None, count: int, size: int) -> dict[str, Any]:
    """`last` is the number that stands for the train; viewers read `raw.length` too."""
    header: dict[str, Any] = {"packet_type": "1RTT"}
    if last is not None:
        header["packet_number"] = last
    return {"header": header, "raw": {"length": size}, "fastmux_packet_count": count}


def _closed(error: ConnectionError, milliseconds: float) -> bytes:
    data: dict[str, Any] = {"owner": "local", "reason": str(error)}
    if isinstance(error, ConnectionClosed):
        data |= {"owner": "remote" if error.remote else "local", "connection_code": error.code}
        data |= {"reason": error.reason, "trigger": _ENDS.get(error.code, "error")}
    else:
        data |= {"trigger": "error", "fastmux_phase": "handshake"}
    return lines.event(milliseconds, "connectivity:connection_closed", data)


def _text(address: Address) -> str:
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
