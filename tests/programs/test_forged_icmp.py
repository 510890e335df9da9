"""Forged ICMP errors during a transfer change nothing: it goes on, whole, with the MTU it had (fault F26).

Both ends send and both are lied to, about the real packets of the flow. That the kernel took the lies for
true is looked up in its counters and in its own idea of the path.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastmux.constants import BASE_PLPMTU
from programs.flow_ends import CORES, FlowEnds, told
from programs.flows import digest_of
from programs.forged_icmp import UNREACHABLE, Forger
from programs.processes import Programs, program, run
from programs.tun_link import FAR, FAR6, NEAR, NEAR6, TunLink

SIZE = 8 * 10**6  # each way
ONE_WAY = 0.005
EACH = 20  # packets for a lie
DEVICE = 1500
FOUND = {4: DEVICE - 48, 6: DEVICE - 48}  # what the search for the MTU ends with on such a device
HEADERS = {4: 28, 6: 48}
LIES = {
    4: (68, 296, 552, 576, 1006, 1199, UNREACHABLE),
    6: (68, 576, 1006, 1199, 1280, UNREACHABLE),  # Linux listens from 1,280 on: the least that IPv6 allows
}
BELIEVED = {4: 552, 6: 1280}  # net.ipv4.route.min_pmtu; IPv6's minimum
HOSTS = {4: (NEAR, FAR), 6: (NEAR6, FAR6)}
TIMEOUT = 60.0


def counted(prefix: list[str], version: int) -> int:
    """ICMP errors of both kinds that the kernel of one end took in."""
    cat = [*prefix, program("cat")]
    if version == 6:
        text = run(*cat, "/proc/net/snmp6").stdout.decode()
        return sum(int(n) for n in re.findall(r"Icmp6In(?:PktTooBigs|DestUnreachs)\s+(\d+)", text))
    lines = run(*cat, "/proc/net/snmp").stdout.decode().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Icmp:"))
    return int(values[names.index("InDestUnreachs")])


def believed(prefix: list[str], host: str) -> int:
    """The MTU of the path to `host` as the kernel of one end sees it; 0 if it has heard nothing."""
    text = run(*prefix, program("ip"), "route", "get", host).stdout.decode()
    found = re.search(r"\bmtu (?:lock )?(\d+)", text)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("build", CORES)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("begins", ["in mid-transfer", "with the first packet"])
def test_forged_errors_change_nothing(
    begins: str, version: int, build: str, programs: Programs, credentials: Path
) -> None:
    near, far = HOSTS[version]
    full = FOUND[version] + HEADERS[version]
    after = 200 if begins == "in mid-transfer" else 0  # packets of full size, in each direction
    forger = Forger(LIES[version], each=EACH, large_size=full, after=after)
    with TunLink(loss=0.0, delay=ONE_WAY, answer=forger) as link:
        sides = {near: link.near, far: link.far}
        if version == 6 and run(*link.near, program("ip"), "-6", "route", "get", far, check=False).returncode:
            pytest.skip("no IPv6 here")
        ends = FlowEnds(link, programs, credentials, build)
        server = ends.serve(far, "cubic", SIZE)
        client = ends.fetch(far, "cubic", SIZE)
        assert client.wait(TIMEOUT) == 0, client.output()
        assert server.wait(TIMEOUT) == 0, server.output()
        lies = {host: sum(n for (to, _), n in forger.sent.items() if to == host) for host in sides}
        heard = {host: counted(prefix, version) for host, prefix in sides.items()}
        paths = {host: believed(sides[host], other) for host, other in ((near, far), (far, near))}
    said = {near: told(client).last, far: told(server).last}
    print(f"\n{begins}, IPv{version}, {build} core:")
    for host, last in said.items():
        print(
            f"  {host}: {lies[host]} lies, {heard[host]} heard, the kernel's MTU {paths[host]};"
            f" MTUs {last['mtus']}, {forger.large[host]} packets of that size since,"
            f" {last['packets_lost']} of {last['packets_sent']} lost"
        )
        assert lies[host] >= 4 * len(LIES[version])
        assert heard[host] >= lies[host]
        assert paths[host] == BELIEVED[version]
        assert min(last["mtus"]) >= BASE_PLPMTU
        assert last["mtus"][-1] == FOUND[version]
        assert last["sha256"] == digest_of(SIZE)
        assert forger.large[host] > SIZE / DEVICE / 2  # it went on at full size
