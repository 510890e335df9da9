"""UDP through the tunnel: `dig` through -L …/udp, and datagrams through SOCKS UDP ASSOCIATE."""

from __future__ import annotations

import socket
import struct

from programs.gateway import Gateway
from programs.processes import free_port, program, run
from programs.web import UdpEcho, dns_answer


def test_dig_asks_through_a_udp_forward(gateway: Gateway) -> None:
    with UdpEcho(dns_answer) as dns:
        port = free_port(socket.SOCK_DGRAM)
        gateway.serve(rules=(f"*=127.0.0.1:{dns.port}/udp",))
        gateway.tunnel("-L", f"127.0.0.1:{port}:127.0.0.1:{dns.port}/udp")
        for name in ("one.example", "two.example"):
            found = run(program("dig"), "+short", "+tries=2", "@127.0.0.1", "-p", str(port), name).stdout
            assert found == b"192.0.2.1\n"


def _associate(port: int) -> tuple[socket.socket, tuple[str, int]]:
    """Ask for UDP ASSOCIATE (RFC 1928 §4); the TCP connection must stay open."""
    control = socket.create_connection(("127.0.0.1", port), timeout=10)
    control.sendall(b"\5\1\0")
    assert control.recv(2) == b"\5\0"
    control.sendall(b"\5\3\0\1\0\0\0\0\0\0")
    reply = control.recv(10)
    assert reply[:4] == b"\5\0\0\1"
    return control, (socket.inet_ntoa(reply[4:8]), struct.unpack("!H", reply[8:])[0])


def test_datagrams_go_through_socks(gateway: Gateway) -> None:
    with UdpEcho(lambda data: b"seen " + data) as echo:
        port = free_port()
        gateway.serve(rules=(f"*=127.0.0.1:{echo.port}/udp",))
        gateway.tunnel("-D", str(port))
        control, relay = _associate(port)
        header = b"\0\0\0\1" + socket.inet_aton("127.0.0.1") + struct.pack("!H", echo.port)
        with control, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            for size in (1, 1200, 8000):
                data = bytes(size)
                sock.sendto(header + data, relay)
                assert sock.recv(65536) == header + b"seen " + data


def test_a_refused_datagram_goes_nowhere(gateway: Gateway) -> None:
    with UdpEcho(lambda data: data) as allowed, UdpEcho(lambda data: data) as other:
        port = free_port()
        gateway.serve(rules=(f"*=127.0.0.1:{allowed.port}/udp",))
        gateway.tunnel("-D", str(port))
        control, relay = _associate(port)

        def header(target: int) -> bytes:
            return b"\0\0\0\1" + socket.inet_aton("127.0.0.1") + struct.pack("!H", target)

        with control, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.sendto(header(other.port) + b"no", relay)
            sock.sendto(header(allowed.port) + b"yes", relay)
            assert sock.recv(65536).endswith(b"yes")
        assert (other.received, allowed.received) == (0, 1)
