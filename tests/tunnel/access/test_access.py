"""What a peer may reach: deny by default, and the address that was checked is the one to dial."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.certificates import issue_client, make_ca
from fastmux.security.identity import identity_of
from fastmux.tunnel.access.access import Access, AccessDenied
from fastmux.tunnel.access.revocation import parse_revoked
from fastmux.tunnel.access.rules import parse_rule

PIN = "sha256//" + "A" * 43 + "="
PEER = PeerIdentity("laptop", uris=("spiffe://corp/dev/ann",), pin=PIN)
OTHER = PeerIdentity("phone", pin=PIN.replace("A", "B"))


def access(*rules: str, **options: Any) -> Access:
    return Access([parse_rule(rule) for rule in rules], **options)


def resolve(
    rules: Access,
    host: str,
    port: int = 22,
    protocol: Literal["tcp", "udp"] = "tcp",
    peer: PeerIdentity = PEER,
) -> list[tuple[int, Any]]:
    async def main() -> list[tuple[int, Any]]:
        return await rules.resolve(peer, protocol, host, port)

    return asyncio.run(main())


def denied(rules: Access, host: str, port: int = 22, **options: Any) -> AccessDenied:
    with pytest.raises(AccessDenied) as refusal:
        resolve(rules, host, port, **options)
    return refusal.value


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and their addresses, in place of the system's; `asked` has what was looked up."""
    table: dict[str, list[str]] = {"asked": []}

    async def getaddrinfo(loop: object, name: str, port: int, *, type: int) -> list[tuple[Any, ...]]:
        table["asked"].append(name)
        if name not in table:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        found = []
        for text in table[name]:
            address, _, scope = text.partition("%")
            is_six = ":" in address
            tail = (0, int(scope or 0)) if is_six else ()
            family = socket.AF_INET6 if is_six else socket.AF_INET
            found.append((family, type, 0, "", (address, port, *tail)))
        return found

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return table


def test_without_rules_nothing_is_allowed() -> None:
    nothing = Access([])
    for host in ("127.0.0.1", "8.8.8.8", "localhost", "a.example"):
        assert "no rule" in str(denied(nothing, host)) or "is loopback" in str(denied(nothing, host))
    for check in (nothing.check_unix, nothing.check_listen_unix):
        with pytest.raises(AccessDenied):
            check(PEER, "/run/a.sock")
    with pytest.raises(AccessDenied):
        nothing.check_listen(PEER, "tcp", "127.0.0.1", 2200)
    with pytest.raises(AccessDenied):
        nothing.check_identity(PEER)


def test_a_rule_is_for_its_identity_protocol_and_ports_only() -> None:
    rules = access("laptop=10.0.0.0/8:22,80-90", "phone=10.0.0.5:53/udp")
    assert resolve(rules, "10.0.0.5", 22) == [(socket.AF_INET, ("10.0.0.5", 22))]
    assert resolve(rules, "10.0.0.5", 85)
    denied(rules, "10.0.0.5", 23)
    denied(rules, "10.0.0.5", 53)
    denied(rules, "10.0.0.5", 22, protocol="udp")
    denied(rules, "10.0.0.5", 22, peer=OTHER)
    denied(rules, "10.0.0.5", 53, peer=OTHER)
    assert resolve(rules, "10.0.0.5", 53, protocol="udp", peer=OTHER)
    denied(rules, "10.0.0.6", 53, protocol="udp", peer=OTHER)


def test_a_rule_to_listen_allows_no_dialling_nor_the_other_way_round() -> None:
    listens, dials = access("listen:127.0.0.1:22"), access("127.0.0.1:22")
    listens.check_listen(PEER, "tcp", "127.0.0.1", 22)
    denied(listens, "127.0.0.1", 22)
    resolve(dials, "127.0.0.1", 22)
    with pytest.raises(AccessDenied):
        dials.check_listen(PEER, "tcp", "127.0.0.1", 22)


# The same host in spellings that get around a rule, under rules that allow everything public (H47).
SMUGGLED = [
    *(
        "127.0.0.1",
        "127.0.0.2",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "::1",
        "::",
        "0:0:0:0:0:0:0:1",
    ),
    *(
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "0x7f000001",
        "127.1",
        "127.0.1",
        "0",
        "017700000001",
        "127.0.0.1.",
    ),
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::127.0.0.1"),
    *("2002:7f00:1::", "2001:0:7f00:1::", "::ffff:0:127.0.0.1", "[::1]", "::1%lo", "fe80::1%lo"),
    *(
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fd00:ec2::254",
    ),
    *("\uff11\uff12\uff17.0.0.1", "127\u30020.0.1", "\u2460\u2461\u2466.0.0.1", "127.0.0.1\0.example"),
    *("metadata.example", "loop.example", "rebind.example", "mapped.example", "scoped.example"),
    *("127.0.0.1 ", " 127.0.0.1", "127.0.0.1\n", "127.0.0.1#.example", "user@127.0.0.1", "127.0.0.1:80", ""),
]


@pytest.mark.parametrize("host", SMUGGLED)
def test_no_spelling_gets_around_a_rule(host: str, names: dict[str, list[str]]) -> None:
    names.update(
        {
            "metadata.example": ["169.254.169.254"],
            "loop.example": ["127.0.0.1", "::1"],
            "rebind.example": ["10.0.0.1"],
            "mapped.example": ["::ffff:127.0.0.1"],
            "scoped.example": ["fe80::1%2"],
            "localhost": ["127.0.0.1", "::1"],
            "localhost.": ["127.0.0.1"],
        }
    )
    error = denied(access("*:*", "0.0.0.0/0:*", "[::/0]:*", "*.example:*"), host, 80)
    assert len(error.peer_text) < 250 and str(error)


def test_a_name_is_looked_up_once_and_what_was_checked_is_returned(names: dict[str, list[str]]) -> None:
    names["a.example"] = ["2606:4700::1", "8.8.8.8", "64:ff9b::808:808"]
    assert resolve(access("a.example:443"), "A.Example", 443) == [
        (socket.AF_INET6, ("2606:4700::1", 443, 0, 0)),
        (socket.AF_INET, ("8.8.8.8", 443)),
        (socket.AF_INET6, ("64:ff9b::808:808", 443, 0, 0)),
    ]
    assert names["asked"] == ["a.example"]


def test_addresses_of_a_name_that_are_not_allowed_are_left_out(names: dict[str, list[str]]) -> None:
    names["a.example"] = ["10.0.0.1", "8.8.8.8", "::ffff:8.8.8.8", "169.254.169.254", "fe80::1%2"]
    assert resolve(access("a.example:22"), "a.example") == [(socket.AF_INET, ("8.8.8.8", 22))]
    both = resolve(access("*:22", "10.0.0.0/8:22"), "a.example")
    assert [address[0] for _, address in both] == ["10.0.0.1", "8.8.8.8"]


def test_a_refusal_says_to_the_log_which_rule_it_takes_and_to_the_peer_no_address(
    names: dict[str, list[str]],
) -> None:
    names["db.example"] = ["10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"]
    error = denied(access("laptop=db.example:5432"), "db.example", 5432)
    assert str(error) == (
        "laptop may not reach db.example:5432: 10.0.0.5 is private, 10.0.0.6 is private, 10.0.0.7 is private "
        "and 1 more; it would take a rule such as laptop=10.0.0.5:5432"
    )
    assert error.peer_text == "db.example:5432 is not allowed"
    resolve(access("laptop=10.0.0.5:5432"), "db.example", 5432)


def test_a_name_that_no_rule_could_allow_is_not_looked_up(names: dict[str, list[str]]) -> None:
    error = denied(access("a.example:22", "10.0.0.0/8:80"), "b.example", protocol="tcp")
    assert "no rule is for it; it would take a rule such as laptop=b.example:22" in str(error)
    assert names["asked"] == []


def test_a_name_without_addresses_is_an_error_of_the_resolver(names: dict[str, list[str]]) -> None:
    names["empty.example"] = []
    for host in ("none.example", "empty.example"):
        with pytest.raises(socket.gaierror):
            resolve(access("*:22"), host)


def test_a_final_dot_keeps_a_name_from_being_searched_for_in_other_domains(
    names: dict[str, list[str]],
) -> None:
    names["a.example."] = ["8.8.8.8"]
    assert resolve(access("a.example:22"), "a.example.")
    assert names["asked"] == ["a.example."]


def test_localhost_is_loopback_for_the_rule_that_says_so(names: dict[str, list[str]]) -> None:
    names["localhost"] = ["::1", "127.0.0.1", "10.0.0.1"]
    found = resolve(access("localhost:22"), "localhost")
    assert [address[0] for _, address in found] == ["::1", "127.0.0.1"]
    assert [address[0] for _, address in resolve(access("127.0.0.1:22"), "localhost")] == ["127.0.0.1"]
    denied(access("localhost:22"), "127.0.0.1")


def test_a_mapped_address_is_dialled_as_ipv4() -> None:
    assert resolve(access("127.0.0.1:22"), "::ffff:127.0.0.1") == [(socket.AF_INET, ("127.0.0.1", 22))]


def test_an_address_with_a_zone_takes_a_rule_with_that_zone() -> None:
    name, index = "lo", socket.if_nametoindex("lo")
    found = resolve(access(f"[fe80::1%{name}]:22"), f"fe80::1%{name}")
    assert found == [(socket.AF_INET6, ("fe80::1", 22, 0, index))]
    assert resolve(access("[fe80::1%7]:22"), "fe80::1%7") == [(socket.AF_INET6, ("fe80::1", 22, 0, 7))]
    denied(access("[fe80::/10]:22"), f"fe80::1%{name}")
    with pytest.raises(OSError):
        resolve(access("[fe80::1%none0]:22"), "fe80::1%none0")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    assert "is not a port" in str(denied(access("*:*"), "8.8.8.8", port))
    if port:
        with pytest.raises(AccessDenied, match="is not a port"):
            access("listen:*:*").check_listen(PEER, "tcp", "127.0.0.1", port)


addresses = st.ip_addresses(v=4)
networks = st.builds(lambda *pair: ipaddress.IPv4Network(pair, strict=False), addresses, st.integers(0, 32))


@given(
    st.lists(st.tuples(networks, st.integers(1, 20), st.integers(0, 5)), max_size=5),
    addresses,
    st.integers(1, 25),
)
def test_rules_allow_what_an_obvious_model_allows(
    rules: list[tuple[ipaddress.IPv4Network, int, int]], address: ipaddress.IPv4Address, port: int
) -> None:
    """The model: any rule of a network with it and a port range with it; special ones only from within."""
    texts = [f"{network}:{first}-{first + more}" for network, first, more in rules]
    private = [ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    inside = [each for each in private if address in each]
    if not inside and (not address.is_global or address.is_multicast):
        return
    expected = any(
        address in network
        and first <= port <= first + more
        and all(network.subnet_of(each) for each in inside)
        for network, first, more in rules
    )
    try:
        allowed = bool(resolve(access(*texts), str(address), port))
    except AccessDenied:
        allowed = False
    assert allowed is expected


def test_a_unix_socket_takes_a_rule_of_its_own() -> None:
    rules = access("laptop=unix:/run/db/*", "laptop=*:*", "laptop=listen:unix:/run/up.sock")
    rules.check_unix(PEER, "/run/db/main.sock")
    rules.check_listen_unix(PEER, "/run/up.sock")
    for path in ("/run/db", "/run/db/../x", "/run/db//x", "/run/up.sock", "run/db/x", "", "/run/db/a\0b"):
        with pytest.raises(AccessDenied):
            rules.check_unix(PEER, path)
    with pytest.raises(AccessDenied, match="laptop=listen:unix:/run/db/main.sock"):
        rules.check_listen_unix(PEER, "/run/db/main.sock")
    with pytest.raises(AccessDenied):
        rules.check_unix(OTHER, "/run/db/main.sock")


@pytest.mark.parametrize(
    ("rule", "host", "port", "allowed"),
    [
        ("listen:127.0.0.1:2200-2299", "127.0.0.1", 2200, True),
        ("listen:127.0.0.1:2200-2299", "127.0.0.1", 2300, False),
        ("listen:127.0.0.1:2200-2299", "127.0.0.1", 0, False),
        ("listen:127.0.0.1:1024-65535", "127.0.0.1", 0, True),
        ("listen:127.0.0.1:*", "127.0.0.1", 0, True),
        ("listen:127.0.0.1:*", "127.0.0.2", 0, False),
        ("listen:127.0.0.1:*", "0.0.0.0", 80, False),
        ("listen:127.0.0.1:*", "", 80, False),
        ("listen:127.0.0.1:*", "*", 80, False),
        ("listen:127.0.0.1:*", "::", 80, False),
        ("listen:127.0.0.1:*", "localhost", 80, False),
        ("listen:127.0.0.1:*", "127.1", 80, False),
        ("listen:127.0.0.1:*", "a.example", 80, False),
        ("listen:*:*", "a.example", 80, False),
        ("listen:*:80", "", 80, True),
        ("listen:*:80", "*", 80, True),
        ("listen:*:80", "10.0.0.1", 80, True),
        ("listen:*:80", "localhost", 80, True),
        ("listen:0.0.0.0:80", "*", 80, False),
        ("listen:0.0.0.0:80", "0.0.0.0", 80, True),
        ("listen:0.0.0.0:80", "::ffff:0.0.0.0", 80, True),
        ("listen:10.0.0.0/8:80", "10.9.9.9", 80, True),
    ],
)
def test_a_listener_binds_what_a_rule_covers(rule: str, host: str, port: int, allowed: bool) -> None:
    rules = access(rule)
    if allowed:
        rules.check_listen(PEER, "tcp", host, port)
    else:
        with pytest.raises(AccessDenied):
            rules.check_listen(PEER, "tcp", host, port)
    with pytest.raises(AccessDenied):
        rules.check_listen(PEER, "udp", host, port)


def test_localhost_is_listened_on_where_both_its_addresses_may_be() -> None:
    access("listen:127.0.0.1:80", "listen:[::1]:80").check_listen(PEER, "tcp", "localhost", 80)


def test_a_refused_listener_is_told_which_rule_it_takes() -> None:
    with pytest.raises(AccessDenied, match=r"such as laptop=listen:\*:1024-65535/udp") as refusal:
        access("listen:127.0.0.1:80").check_listen(PEER, "udp", "", 0)
    assert refusal.value.peer_text == "listening on *:0/udp is not allowed"


def certified(name: str, days: int = 10) -> PeerIdentity:
    return identity_of(issue_client(make_ca(), name, days=days).certificate)


def test_an_identity_passes_with_a_rule_and_in_its_time() -> None:
    peer = certified("laptop")
    access("laptop=a:1").check_identity(peer)
    with pytest.raises(AccessDenied, match="no rule is for this identity; such a one starts with laptop="):
        access("phone=a:1").check_identity(peer)


def test_a_certificate_that_ended_meanwhile_is_refused() -> None:
    peer = certified("laptop")
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=11)
    with pytest.raises(AccessDenied, match="the certificate ended at") as refusal:
        access("*=a:1", now=lambda: later).check_identity(peer)
    assert refusal.value.peer_text == "the certificate has expired"


def test_a_revoked_identity_is_refused_whatever_the_rules() -> None:
    peer = certified("laptop")
    rules = access("*=a:1", revoked=parse_revoked(["laptop"], []))
    with pytest.raises(AccessDenied, match="laptop is revoked") as refusal:
        rules.check_identity(peer)
    assert refusal.value.peer_text == "this identity is not accepted"
    rules.check_identity(certified("phone"))


def test_a_peer_without_a_certificate_is_refused_under_any_rule() -> None:
    with pytest.raises(AccessDenied, match="a peer without a certificate: has no identity"):
        access("*=*:*").check_identity(PeerIdentity())
    denied(access("*=*:*"), "8.8.8.8", peer=PeerIdentity())


def test_hostile_names_are_escaped_in_what_is_logged() -> None:
    peer = PeerIdentity("a\nb\x1b[2J", pin=PIN)
    for host in ("x\n.example", "10.0.0.1\n", "1\x1b[2J"):
        assert str(denied(access("*:1"), host, peer=peer)).isprintable()
    with pytest.raises(AccessDenied) as refusal:
        access("*:1").check_unix(peer, "/run/\n")
    assert str(refusal.value).isprintable() and refusal.value.peer_text.isprintable()
