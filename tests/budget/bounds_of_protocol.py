"""What bounds the containers of endpoints, connections and handshakes.

Owns: its part of the table. May not know: how containers are found.
"""

from __future__ import annotations

from budget.bound import OWN, Bound, at_most, under
from fastmux import constants as c

_IDS_EACH = c.ISSUED_IDS + 1  # of one connection: the id of the handshake may be one more
_connections = Bound("max_connections", lambda owner, setting: setting.configuration.max_connections)
_half_open = Bound("max_half_open", lambda owner, setting: setting.configuration.max_half_open)
_events = at_most(8 + 2 * c.MAX_PATHS, "drained with every batch by who drives it")
_certificate = at_most(c.MAX_HANDSHAKE_BUFFER, "it came in the handshake: MAX_HANDSHAKE_BUFFER")
_flight = at_most(2 + c.MAX_PATH_CHALLENGES, "parameters, a challenge, MAX_PATH_CHALLENGES responses")
_flight_frame = at_most(c.MAX_PARAMETERS_SIZE + 8, "a frame of ours")
_goodbye = at_most(c.MAX_TRAIN_SEGMENTS + 1, "MAX_TRAIN_SEGMENTS")

_ENDPOINT: dict[str, Bound] = {
    "endpoint.Endpoint._by_id": Bound(
        "max_connections, ISSUED_IDS each",
        lambda owner, setting: _IDS_EACH * setting.configuration.max_connections,
    ),
    "endpoint.Endpoint._by_first_id": _connections,
    "endpoint.Endpoint.touched": _connections,
    "endpoint.Endpoint.accepted": _connections,
    "endpoint.Endpoint._counters": at_most(32),
    "answers.Answers.waiting": at_most(c.MAX_ANSWERS, "MAX_ANSWERS"),
    "answers.Answers.waiting[]": at_most(2),
    "answers.Answers.waiting[][]": at_most(2 * c.MAX_TOKEN_SIZE, "a Retry, a reset, a list of versions"),
    "gate.Gate.guests": _half_open,
    "gate.Gate._prefixes": _half_open,
    "places.Places._guests": _half_open,
    "places.Places._guests[]": _half_open,
    "places.Places._sizes": _half_open,
    "places.Places._sizes[]": _half_open,
    "rates.PrefixRates._buckets": at_most(c.MAX_RATED_PREFIXES, "MAX_RATED_PREFIXES"),
    "retry.RetryTokens._spent": at_most(c.MAX_SPENT_TOKENS, "MAX_SPENT_TOKENS"),
    "stateless_reset.ResetTokens._owners": Bound(
        "max_connections, ACTIVE_ID_LIMIT each",
        lambda owner, setting: c.ACTIVE_ID_LIMIT * setting.configuration.max_connections,
    ),
    "timers.Timers._stacks": _connections,
    "timers.Timers._stacks[]": at_most(c.MAX_TIMER_ENTRIES, "MAX_TIMER_ENTRIES"),
    "timers.Timers._changed": _connections,
    "timers.Timers._heap": Bound(
        "the entries of all stacks, and as many that mean nothing",
        lambda owner, setting: 2 * sum(map(len, owner._stacks.values())) + c.MAX_TIMER_ENTRIES,
    ),
}
_CONNECTION: dict[str, Bound] = {
    "connection.Connection._events": _events,
    "keyed.KeyedConnection._events": _events,
    "observed.ObservedConnection._events": _events,
    "mobility.Mobility._events": _events,
    "closing.Closing._packets": _goodbye,
    "closing.Closing._due": _goodbye,
    "closing.Closing._packets[]": at_most(c.MAX_UDP_PAYLOAD, "one datagram"),
    "closing.Closing._due[]": at_most(c.MAX_UDP_PAYLOAD, "one datagram"),
    "control.Control._pings": at_most(OWN, "the application's pings"),
    "control.Control._pings_due": Bound("its pings", lambda owner, setting: len(owner._pings)),
    "control.Control._done_tokens": at_most(c.MAX_DONE_TOKENS, "MAX_DONE_TOKENS"),
    "control.Control._ack_requests": at_most(1, "one at a time"),
    "control.Control._kept": at_most(
        c.MAX_KEPT_CONTROL + c.ACTIVE_ID_LIMIT, "MAX_KEPT_CONTROL, and what the frame asks for that passes it"
    ),
    "credit.Credit._channels": Bound("the channels that are open", lambda owner, setting: setting.channels),
    "mtu_discovery.MtuDiscovery._suspects": at_most(c.BLACK_HOLE_THRESHOLD),
    "mtu_discovery.MtuDiscovery._rungs": at_most(8),
    "congestion.bbr_aggregation.ExtraAcked._maxima": at_most(16, "one for each of the last rounds"),
    "traffic.Traffic._room_of": at_most(c.TRAIN_BUFFER_SIZE, "the driver's buffer"),
    "paths.Paths.others": at_most(c.MAX_PATHS - 1, "MAX_PATHS"),
    "paths.Paths._responses": at_most(c.MAX_PATHS * c.MAX_PATH_CHALLENGES, "MAX_PATH_CHALLENGES"),
    "mobility.Mobility._fresh": at_most(256, "NEW_ID frames: ISSUED_IDS"),
}
_HANDSHAKE: dict[str, Bound] = {
    "handshaking.Handshaking._early": at_most(c.MAX_EARLY_PACKETS, "MAX_EARLY_PACKETS"),
    "handshaking.Handshaking._early[]": at_most(c.MAX_EARLY_SIZE, "MAX_EARLY_SIZE in all"),
    "handshaking.Handshaking._peer_blob": at_most(c.MAX_PARAMETERS_SIZE, "MAX_PARAMETERS_SIZE"),
    "handshaking.Handshaking._parameters": at_most(c.MAX_PARAMETERS_SIZE, "ours"),
    "handshaking.Handshaking._hint[]": at_most(c.MAX_REASON_SIZE, "MAX_REASON_SIZE"),
    "handshake_space.HandshakeSpace._carried": at_most(c.MAX_HANDSHAKE_UNACKED, "MAX_HANDSHAKE_UNACKED"),
    "handshake_space.HandshakeSpace._responses": at_most(c.MAX_PATH_CHALLENGES, "MAX_PATH_CHALLENGES"),
    "flight.Flight._unacked": _flight,
    "flight.Flight._due": _flight,
    "flight.Flight._unacked[]": _flight_frame,
    "flight.Flight._due[]": _flight_frame,
    "flight.Carried.frames[]": _flight_frame,
    "handshake_packets.HandshakePackets.token": at_most(c.MAX_TOKEN_SIZE, "MAX_TOKEN_SIZE"),
    "retry.Retry.token": at_most(c.MAX_TOKEN_SIZE, "MAX_TOKEN_SIZE"),
    "handshake.PeerIdentity.certificate": _certificate,
    "handshake.PeerIdentity.dns_names": _certificate,
    "handshake.PeerIdentity.ip_addresses": _certificate,
    "handshake.PeerIdentity.uris": _certificate,
    "handshake.PeerIdentity.uris[]": _certificate,
    "handshake.PeerIdentity.common_name": _certificate,
}
_SECURITY: dict[str, Bound] = {
    "security.handshake.TLSHandshake._out": at_most(c.MAX_HANDSHAKE_BUFFER, "our flight"),
    "security.plaintext.PlaintextHandshake._out": at_most(c.MAX_HANDSHAKE_BUFFER, "our flight"),
}
BOUNDS = {**under("protocol", {**_ENDPOINT, **_CONNECTION, **_HANDSHAKE}), **_SECURITY}
