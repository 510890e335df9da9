"""Attacks of strangers (H1 to H13): none of them has the keys of a connection.

Owns: these attacks. May not know: what they must come to.
"""

from __future__ import annotations

from itertools import count, cycle

from fastmux import constants as c
from fastmux import core
from hostile.attacker import HERE, Attack, Attacker, HalfOpen, Shots, host
from hostile.world import Shot
from protocol.scripted import HELLO
from protocol.test_endpoint import unknown

# What half-open connections may hold before a Retry is asked for, each half of the 64 KiB of H2.
TABLES = c.MAX_HALF_OPEN // c.RETRY_SHARE * 32_768
PLACES = c.MAX_HALF_OPEN * 32_768  # and afterwards


def small_first_packets(attacker: Attacker) -> Shots:
    """H1: first packets of less than 1,200 bytes, which would be answered with more."""
    for number in count():
        yield Shot(attacker.half(number, host(number)).knock().data[:1199], host(number))


def spoofed_first_packets(attacker: Attacker) -> Shots:
    """H1, H2: first packets in the name of ever new hosts."""
    for number in count():
        yield attacker.half(number, host(number)).knock()


def handshakes_of_one_host(attacker: Attacker) -> Shots:
    """H2: one host begins handshakes and goes on with none."""
    for number in count():
        yield attacker.half(number, (HERE[0], number % 60_000 + 1)).knock()


def silent_hosts(attacker: Attacker) -> Shots:
    """H2: few hosts prove their addresses, begin handshakes, and go on with none."""
    admission = attacker.world.server.endpoint._admission
    for number in count():
        half = attacker.half(number, (f"10.8.8.{number % 8}", number % 60_000 + 1))
        first_id, now = b"%08d" % number, attacker.world.network.now
        retry = admission.make_retry(half.source, first_id, b"%08x" % number, now)
        half.redirect(retry)
        yield half.knock(token=retry.token)


def made_up_tokens(attacker: Attacker) -> Shots:
    """H3: tokens that nobody made."""
    for number in count():
        yield attacker.half(number, host(number)).knock(token=attacker.dice.randbytes(64))


def stolen_tokens(attacker: Attacker) -> Shots:
    """H3: a good token, again and again, from hosts that it was not made for."""
    admission = attacker.world.server.endpoint._admission
    now = attacker.world.network.now
    token = admission.make_retry(HERE, b"00000001", b"retry-id", now).token
    for number in count():
        half = HalfOpen(b"retry-id", host(number))
        yield half.knock(token=token)


def garbage_in_long_headers(attacker: Attacker) -> Shots:
    """H4: what looks like a first packet and does not open; a second packet behind the first."""
    for number in count():
        good = attacker.half(number, host(number)).knock().data
        yield Shot(good[:600] + attacker.dice.randbytes(600), host(number))
        yield Shot(good + good[:90], host(number))


def early_packets(attacker: Attacker) -> Shots:
    """H5: application packets for a connection that has no keys yet."""
    endpoint = attacker.world.server.endpoint
    for number in count():
        half = attacker.half(number)
        yield half.knock()
        for _ in range(100):
            local_id = list(endpoint._by_id)[-1]
            yield Shot(bytes((c.FIXED_BIT,)) + local_id + attacker.dice.randbytes(1000), HERE)


def handshake_bytes_far_ahead(attacker: Attacker) -> Shots:
    """H6: bytes of the handshake that do not follow what is there."""
    for number in count():
        half = attacker.half(number)
        yield half.knock()
        for place in range(40):
            yield half.say((c.FRAME_HANDSHAKE, 1000 + 1500 * place, bytes(1000)))


def handshake_bytes_with_gaps(attacker: Attacker) -> Shots:
    """H6: a byte here and a byte there."""
    for number in count():
        half = attacker.half(number)
        yield half.knock()
        for place in range(40):
            frames = ((c.FRAME_HANDSHAKE, 1001 + 40 * place + 2 * byte, b"x") for byte in range(8))
            yield half.say(*frames)


def challenges_in_handshakes(attacker: Attacker) -> Shots:
    """H6: challenges, each of which is answered, and no acknowledgement."""
    half = attacker.half(1)
    yield half.knock()
    for number in count():
        yield half.say((c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big")))


def packets_full_of_frames(attacker: Attacker) -> Shots:
    """H7: packets of a thousand frames, and such as are larger than any peer makes them."""
    for number in count():
        half = attacker.half(number)
        yield half.knock()
        for _ in range(40):
            yield half.raw(bytes((c.FRAME_PING,)) * 1000)
            yield half.raw(bytes((c.FRAME_PING,)) * 60_000)


def malformed_handshakes(attacker: Attacker) -> Shots:
    """H7: parameters, frames and lengths that make no sense."""
    for number in count():
        kind = number % 4
        half = attacker.half(number, host(number))
        if kind == 0:
            yield half.knock(parameters=attacker.dice.randbytes(30))
        elif kind == 1:
            yield half.raw(attacker.dice.randbytes(1000))
        elif kind == 2:
            yield half.raw(b"\x06\xff")
        else:
            knock = half.knock().data
            yield Shot(knock[:5] + bytes((attacker.dice.randrange(256),)) + knock[6:], host(number))


def application_frames_too_early(attacker: Attacker) -> Shots:
    """H8: channels and the end of the handshake, under keys that everybody has."""
    frames = ((c.FRAME_HANDSHAKE_DONE,), (c.FRAME_STREAM, 0, 0, b"data", True), (c.FRAME_MAX_DATA, 1 << 40))
    for number in count():
        half = attacker.half(number)
        yield half.knock()
        for frame in frames * 10:
            yield half.say(frame)


def forged_versions_and_retries(attacker: Attacker) -> Shots:
    """H9: packets of other versions, lists of versions and Retries, for the server and for a connection."""
    victim = attacker.victim
    ids = (victim.far.ids.local, victim.near.ids.local)
    listed = bytes((c.FORM_LONG,)) + bytes(4) + b"".join(bytes((len(name),)) + name for name in ids)
    retry = core.encode_long_header(c.LONG_RETRY, c.VERSION_1, *ids, b"", 0)
    for number in count():
        yield Shot(unknown(), host(number))
        yield Shot((listed + bytes(8)).ljust(1200, b"\0"), victim.node.address)
        yield Shot(retry.ljust(1200, b"\0"), victim.node.address)


def tiny_datagrams(attacker: Attacker) -> Shots:
    """H10: datagrams of no byte and of one."""
    for number in count():
        yield Shot(b"", host(number))
        yield Shot(bytes((attacker.dice.randrange(256),)), host(number))


def forged_packets(attacker: Attacker) -> Shots:
    """H11: packets with the id of somebody's connection, in his name and in that of others."""
    name = attacker.victim.far.ids.local
    for number in count():
        source = attacker.victim.node.address if number % 2 else host(number)
        flags = c.FIXED_BIT | (number & 1) * c.KEY_PHASE_BIT
        yield Shot(bytes((flags,)) + name + attacker.dice.randbytes(1100), source)


def strays(attacker: Attacker) -> Shots:
    """H12: packets for connections that are not there, which a stateless reset would answer."""
    for number in count():
        size = 20 + number % 60
        yield Shot(bytes((c.FIXED_BIT,)) + attacker.dice.randbytes(size), host(number % 500))


def failing_handshakes(attacker: Attacker) -> Shots:
    """H13: first flights that are refused, as a bad certificate is, and repeated to be refused again."""
    flight = HELLO + (300).to_bytes(4, "big") + bytes(300)
    for number in count():
        half = attacker.half(number)
        yield half.knock(hello=flight)
        for _ in range(5):
            yield half.say((c.FRAME_PING,))


def halted_handshakes(attacker: Attacker) -> Shots:
    """H34: handshakes that go on by a byte a packet."""
    for number in count():
        halves = [attacker.half(number * 8 + place) for place in range(8)]
        for offset, half in zip(range(80), cycle(halves), strict=False):
            yield half.say((c.FRAME_PARAMETERS, b""), (c.FRAME_HANDSHAKE, offset // 8, b"C"))


ATTACKS = (
    Attack("H1", "small first packets", small_first_packets),
    Attack("H1", "spoofed first packets", spoofed_first_packets, growth=TABLES),
    Attack("H2", "handshakes of one host", handshakes_of_one_host, growth=TABLES),
    Attack("H2", "proved hosts that go silent", silent_hosts, growth=PLACES, shots=1200),
    Attack("H3", "made-up tokens", made_up_tokens),
    Attack("H3", "stolen tokens", stolen_tokens),
    Attack("H4", "garbage in long headers", garbage_in_long_headers),
    Attack("H5", "early packets", early_packets, growth=TABLES),
    Attack("H6", "handshake bytes far ahead", handshake_bytes_far_ahead, growth=TABLES),
    Attack("H6", "handshake bytes with gaps", handshake_bytes_with_gaps, growth=TABLES),
    Attack("H6", "challenges in handshakes", challenges_in_handshakes, growth=TABLES),
    Attack("H7", "packets full of frames", packets_full_of_frames, growth=TABLES),
    Attack("H7", "malformed handshakes", malformed_handshakes, growth=TABLES),
    Attack("H8", "application frames too early", application_frames_too_early, growth=TABLES),
    Attack("H9", "forged versions and Retries", forged_versions_and_retries),
    Attack("H10", "tiny datagrams", tiny_datagrams),
    Attack("H11", "forged packets", forged_packets),
    Attack("H12", "strays", strays, growth=TABLES),
    Attack("H13", "failing handshakes", failing_handshakes, growth=TABLES),
)
