"""A peer has one name where it is shown, and figures have a bounded number of such names."""

from __future__ import annotations

from fastmux.constants import MAX_IDENTITY_LABELS
from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.peer_names import OTHERS, IdentityLabels, name_of

PIN = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def test_a_peer_is_shown_by_its_common_name_else_its_first_other_name_else_its_pin() -> None:
    assert name_of(PeerIdentity("laptop", dns_names=("a.example",), pin=PIN)) == "laptop"
    assert name_of(PeerIdentity(dns_names=("a.example",), pin=PIN)) == "a.example"
    assert name_of(PeerIdentity(uris=("spiffe://a/b",), pin=PIN)) == "spiffe://a/b"
    assert name_of(PeerIdentity(ip_addresses=("10.0.0.1",), pin=PIN)) == "10.0.0.1"
    assert name_of(PeerIdentity(pin=PIN)) == PIN
    assert name_of(PeerIdentity()) == "anonymous"


def test_a_name_that_would_steer_a_terminal_is_made_safe() -> None:
    assert name_of(PeerIdentity("a\x1b[2Jb\nc")) == "a?[2Jb?c"


def test_a_label_once_given_is_kept_so_that_no_sum_falls() -> None:
    labels = IdentityLabels()
    names = [f"peer-{number}" for number in range(10 * MAX_IDENTITY_LABELS)]
    first = [labels.of(name) for name in names]
    assert first == names[:MAX_IDENTITY_LABELS] + [OTHERS] * (9 * MAX_IDENTITY_LABELS)
    assert [labels.of(name) for name in names] == first
