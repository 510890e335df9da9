"""Forges ICMP errors about the UDP packets of a flow, as somebody on the path can (RFC 792, 1191, 4443).

Owns: the bytes of "packet too big" and "port unreachable" for IPv4 and IPv6, and which packets they are
about. May not know: how they get to the sender.
"""

from __future__ import annotations

import ipaddress
import itertools
import struct
from collections import Counter
from collections.abc import Sequence

UNREACHABLE = 0  # in place of an MTU: "port unreachable"
_UDP, _ICMP, _ICMPV6 = 17, 1, 58
_IPV6_HEADER_SIZE = 40
_QUOTED_SIZE = 8  # of what follows the IP header: the whole UDP header, all that RFC 792 promises
_ROUTER = (ipaddress.IPv4Address("10.99.7.254").packed, ipaddress.IPv6Address("fd99:7::fe").packed)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _summed(message: bytes, pseudo_header: bytes = b"") -> bytes:
    return message[:2] + struct.pack("!H", checksum(pseudo_header + message)) + message[4:]


def forged_ipv4(packet: bytes, mtu: int) -> bytes:
    """What a router, or for "port unreachable" the host itself, would say about this packet to its sender."""
    header_size = 4 * (packet[0] & 15)
    code, source = (4, _ROUTER[0]) if mtu else (3, packet[16:20])
    message = struct.pack("!BBHHH", 3, code, 0, 0, mtu) + packet[: header_size + _QUOTED_SIZE]
    size = 20 + len(message)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 0, 0, 64, _ICMP, 0, source, packet[12:16])
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + _summed(message)


def forged_ipv6(packet: bytes, mtu: int) -> bytes:
    """The same for IPv6."""
    kind, code, source = (2, 0, _ROUTER[1]) if mtu else (1, 4, packet[24:40])
    message = struct.pack("!BBHI", kind, code, 0, mtu) + packet[: _IPV6_HEADER_SIZE + _QUOTED_SIZE]
    addresses = source + packet[8:24]
    pseudo_header = addresses + struct.pack("!II", len(message), _ICMPV6)
    header = struct.pack("!IHBB", 6 << 28, len(message), _ICMPV6, 64)
    return header + addresses + _summed(message, pseudo_header)


def is_udp(packet: bytes) -> bool:
    """Whether this is a whole UDP packet of IPv4, or one of IPv6 without extension headers."""
    if packet[0] >> 4 == 4:
        return packet[9] == _UDP
    return packet[0] >> 4 == 6 and packet[6] == _UDP


class Forger:
    """Answers every `each`th UDP packet with the next of `mtus`, where UNREACHABLE is "port unreachable".

    It waits, in each direction, until `after` packets of at least `large_size` bytes have passed. `sent`
    counts by the sender that is lied to and the MTU, `large` the large packets of each sender since then.
    """

    def __init__(self, mtus: Sequence[int], *, each: int, large_size: int, after: int) -> None:
        self._mtus = itertools.cycle(mtus)
        self._each = each
        self._large_size = large_size
        self._after = after
        self._waited: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self.sent: Counter[tuple[str, int]] = Counter()
        self.large: Counter[str] = Counter()

    def __call__(self, packet: bytes) -> bytes | None:
        """What is said about this packet, if anything."""
        if not is_udp(packet):
            return None
        is_ipv4 = packet[0] >> 4 == 4
        sender = str(ipaddress.ip_address(packet[12:16] if is_ipv4 else packet[8:24]))
        is_large = len(packet) >= self._large_size
        if self._waited[sender] < self._after:
            self._waited[sender] += is_large
            return None
        self.large[sender] += is_large
        self._seen[sender] += 1
        if self._seen[sender] % self._each != 1:
            return None
        mtu = next(self._mtus)
        self.sent[sender, mtu] += 1
        return forged_ipv4(packet, mtu) if is_ipv4 else forged_ipv6(packet, mtu)
